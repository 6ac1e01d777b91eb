"""Writes a file for each of many images, in constant memory; leaves out those that are there.

Files are encoded and written in threads while the next images are drawn.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from typing import Callable, Optional

import numpy as np

from conversion.workers import available
from formats.behind import Behind
from formats.files import write_atomically
from formats.png import encoded, is_whole, pixels
from training.sampler import as_uint8

MINIBATCHES = 16  # whose w are made at once: with a multiple of 8 rows, products of matrices have
                  # the same bits as with all rows
MAX_THREADS = 16  # that write; each has a minibatch in work and one waiting
ROUNDING = 0.5    # of 255, on average: what another machine may draw differently


@dataclasses.dataclass(frozen=True)
class Files:
    """Image files of a folder."""
    folder: str
    ending: str = '.png'            # or .jpg
    quality: Optional[int] = None   # of a JPEG, 1..100

    def path(self, name):
        return os.path.join(self.folder, name + self.ending)

    def save(self, name, image):
        """Writes uint8 [H, W, 1 or 3]; returns the path."""
        path = self.path(name)
        write_atomically(path, encoded(image, self.ending, self.quality), durable=False)
        return path

    def has(self, name):
        """Whether the file is there, and whole."""
        return is_whole(self.path(name))

    def check_same(self, name, image):
        """ValueError where the file of this name is of another image than uint8 [H, W, C]."""
        path = self.path(name)
        with open(path, 'rb') as file:
            found = pixels(file.read()).astype(np.float32)
        expected = pixels(encoded(image, self.ending, self.quality))
        if found.shape != expected.shape or np.abs(found - expected).mean() > ROUNDING:
            raise ValueError(f'--skip_existing: {path} is not the image that this command makes '
                             '(another network, truncation, class, noise or quality?); repeat the '
                             'command that made it, or choose another --outdir.')


@dataclasses.dataclass(frozen=True)
class Job:
    """Images to make and their names."""
    count: int
    name_of: Callable  # number of an image, 0..count - 1 -> its name, without folder and ending
    w_of: Callable     # (start, stop) -> w [stop - start, L, dlatent_size] of these images
    noise_of: Optional[Callable] = None  # (start, count) -> noise maps [count, H, W, 1] of these;
                                         # None = as the sampler has it
    repeats: bool = False  # a name may come more than once; its last image is the one that stays


def _minibatch(sampler, job, number, w):
    """The images, a uint8 tensor [n, H, W, C], of the minibatch `number`, from 0 up, of this w.

    A GPU may still be computing them when they are returned.
    """
    noise = job.noise_of and job.noise_of(number * sampler.minibatch, len(w))
    return sampler.numbered(w, number + 1, noise, convert=as_uint8)


def _save(files, images, names):
    """Writes those of a minibatch that have a name: {number in the minibatch: name}."""
    images = np.asarray(images)
    for i, name in names.items():
        files.save(name, images[i])


def check_existing(sampler, job, files):
    """ValueError where the first files that are there already are not what the job makes.

    They are drawn again, a minibatch of them, and compared. The others are taken on trust.
    """
    first = next((i for i in range(job.count) if files.has(job.name_of(i))), None)
    if first is None:
        return
    number, size = first // sampler.minibatch, sampler.minibatch
    w = job.w_of(number * size, min((number + 1) * size, job.count))
    for i, image in enumerate(np.asarray(_minibatch(sampler, job, number, w)), number * size):
        if files.has(job.name_of(i)):
            files.check_same(job.name_of(i), image)


def write_images(sampler, job, files, skip_existing=False, take_w=None, progress=iter):
    """Writes the images of a job, a minibatch at a time. Returns how many.

    Args:
        skip_existing: leave whole files of their names as they are; `check_existing` comes first.
        take_w: called with the w of all images in turn, [n, L, dlatent_size]; None = not wanted.
        progress: wraps a range of minibatches, such as tqdm.
    """
    size, written = sampler.minibatch, 0
    group = MINIBATCHES * size

    @functools.lru_cache(maxsize=1)
    def w_of_group(number):
        return job.w_of(number * group, min((number + 1) * group, job.count))

    with Behind(1 if job.repeats else min(available(), MAX_THREADS)) as behind:
        for number in progress(range(math.ceil(job.count / size))):
            start = number * size
            if take_w and start % group == 0:
                take_w(w_of_group(start // group))
            names = {i: job.name_of(start + i) for i in range(min(size, job.count - start))}
            missing = {i: name for i, name in names.items()
                       if not (skip_existing and files.has(name))}
            if missing:
                w = w_of_group(start // group)[start % group:][:size]
                behind.run(_save, files, _minibatch(sampler, job, number, w), missing)
            written += len(missing)
    return written
