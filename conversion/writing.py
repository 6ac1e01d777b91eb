"""Writes a dataset: order, free space, progress, and the finished directory in one step."""

from __future__ import annotations

import contextlib
import os
import shutil

import numpy as np
import tqdm

from conversion.collection import printable
from formats import folders
from formats.records import Writer, dataset_bytes, pyramid


def shuffled(num_images, shuffle=True):
    """The order in which images are written: the reference's, always the same for one number."""
    order = np.arange(num_images)
    if shuffle:
        np.random.RandomState(123).shuffle(order)
    return order


def free_space(directory):
    """The directory that exists above `directory`, which may not, and the free bytes there."""
    parent = os.path.dirname(os.path.abspath(directory))
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    return parent, shutil.disk_usage(parent).free


def check_space(directory, needed):
    """Raises OSError if `needed` bytes do not fit beside `directory`; returns the free bytes."""
    _, free = free_space(directory)
    if needed > free:
        raise OSError(f'{directory}: the dataset needs {gigabytes(needed)}, but only '
                      f'{gigabytes(free)} are free; make room, or choose another disk or a '
                      'smaller --resolution')
    return free


def gigabytes(count):
    """1234567890 -> '1.23 GB'."""
    for unit, size in (('GB', 1e9), ('MB', 1e6)):
        if count >= size:
            amount = count / size
            return f'{amount:.3g} {unit}' if amount < 999.5 else f'{amount:,.0f} {unit}'
    return f'{count / 1e3:.0f} kB'


def progress(items, total, what):
    """Passes `items` on with a progress bar (rate, time to go) where there is a terminal."""
    return tqdm.tqdm(items, desc=what, total=total, unit='img', disable=None, dynamic_ncols=True,
                     leave=False)


@contextlib.contextmanager
def new_dataset(directory, resolution, num_channels, overwrite=False):
    """Yields the Writer of a dataset `directory`, which appears only when it is whole."""
    name = os.path.basename(os.path.abspath(directory))
    with folders.replacing(directory, overwrite) as temporary:
        with Writer(temporary, name, resolution, num_channels) as writer:
            yield writer
            if writer.num_images == 0:
                raise ValueError(f'{directory}: there are no usable images to write')
    print(f'Written  {directory}, {writer.num_images:,} images')


def write_arrays(directory, images, labels=None, class_names=None, shuffle=True, overwrite=False):
    """Writes images that are arrays already.

    Args:
        images: uint8 [num_images, C, H, W], of numpy or h5py; or an object with `shape` and
            `__getitem__`, which makes them one by one.
        labels: [num_images, label_size] in the order of the images, or None.
    """
    num_images, num_channels, resolution, width = images.shape
    if width != resolution or resolution < 4 or resolution & (resolution - 1):
        raise ValueError(f'{directory}: images must be square, with a side that is a power of '
                         f'two of at least 4, got {width}x{resolution}')
    folders.check(directory, overwrite)
    report_size(directory, num_images, resolution, num_channels,
                0 if labels is None else np.shape(labels)[1])
    order = shuffled(num_images, shuffle)
    with new_dataset(directory, resolution, num_channels, overwrite) as writer:
        for index in progress(order, num_images, 'Writing'):
            writer.add(pyramid(images[index]))
        if labels is not None:
            writer.write_labels(np.asarray(labels)[order], class_names)


def report_size(directory, num_images, resolution, num_channels, label_size=0):
    """Prints how much will be written; OSError if it does not fit."""
    needed = dataset_bytes(num_images, resolution, num_channels) + 4 * num_images * label_size
    free = check_space(directory, needed)
    print(f'Images   {num_images:,} of {resolution}x{resolution}, '
          f'{"gray" if num_channels == 1 else "RGB"}')
    print(f'Size     {gigabytes(needed)}, all resolutions together ({gigabytes(free)} free)')


def write_skipped(writer, skipped):
    """Keeps {name: reason} of what was left out beside the dataset's files."""
    if skipped:
        with open(os.path.join(writer.directory, 'skipped.txt'), 'w', encoding='utf-8') as file:
            file.writelines(f'{line}\n' for line in problem_lines(skipped))


def problem_lines(problems):
    """One line of text for each {name: reason}."""
    return [f'{printable(name)}: {reason}' for name, reason in problems.items()]
