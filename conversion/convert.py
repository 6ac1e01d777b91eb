"""Writes a dataset: order, free space, progress, and the finished directory in one step."""

from __future__ import annotations

import os
import shutil

import numpy as np
import tqdm

from conversion import files, target

_RECORD_BYTES = 96  # of a record beside its pixels, at most


def shuffled(num_images, shuffle=True):
    """The order in which images are written: the reference's, always the same for one number."""
    order = np.arange(num_images)
    if shuffle:
        np.random.RandomState(123).shuffle(order)
    return order


def dataset_bytes(num_images, resolution, num_channels, label_size=0):
    """How many bytes a dataset takes on disk, all levels together (a little less, in truth)."""
    sides = [2**log2 for log2 in range(2, resolution.bit_length())]
    record = sum(num_channels * side**2 + _RECORD_BYTES for side in sides)
    return num_images * (record + 4 * label_size) + 4096


def check_space(directory, needed):
    """Raises OSError if `needed` bytes do not fit beside `directory`; returns the free bytes."""
    parent = os.path.dirname(os.path.abspath(directory))
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise OSError(f'{directory}: the dataset takes {gigabytes(needed)}, but only '
                      f'{gigabytes(free)} are free there; make room, choose another disk or '
                      'a smaller --resolution')
    return free


def gigabytes(count):
    """1234567890 -> '1.23 GB'."""
    for unit, size in (('GB', 1e9), ('MB', 1e6)):
        if count >= size:
            return f'{count / size:.3g} {unit}' if count < 999.5 * size else f'{count / size:,.0f} {unit}'
    return f'{count / 1e3:.0f} kB'


def progress(items, total, what):
    """Passes `items` on with a progress bar (rate, time to go) where there is a terminal."""
    return tqdm.tqdm(items, desc=what, total=total, unit='img', disable=None, dynamic_ncols=True,
                     leave=False)


def write(directory, pyramids, num_images, resolution, num_channels, labels=None, class_names=None,
          skipped=None, overwrite=False):
    """Writes a dataset directory; it appears only when it is whole.

    Args:
        pyramids: iterable of lists of uint8 [C, H, W] arrays, from full resolution to 4x4.
        num_images: how many there are; None = not known, for sources that leave some out.
        labels: [num_images, label_size] in the order of `pyramids`, or None.
        class_names: names of the label's components, or None.
        skipped: {name: reason}, kept in `skipped.txt`; read at the end, so it may grow meanwhile.
        overwrite: take the place of a dataset that is there already.
    """
    name = os.path.basename(os.path.abspath(directory))
    with target.replacing(directory, overwrite) as temporary:
        from training.dataset import Writer  # here: TensorFlow takes seconds to load, and whatever
                                             # is wrong should be told before
        with Writer(temporary, name, resolution, num_channels) as writer:
            for levels in progress(pyramids, num_images, 'Writing'):
                writer.add(levels)
            if writer.num_images == 0:
                raise ValueError(f'{directory}: there is not one usable image to write')
            if labels is not None:
                writer.write_labels(labels, class_names)
        if skipped:
            with open(os.path.join(temporary, 'skipped.txt'), 'w', encoding='utf-8') as file:
                file.writelines(f'{line}\n' for line in problem_lines(skipped))
    return writer.num_images


def problem_lines(problems):
    """One line of text for each {name: reason}."""
    return [f'{files.printable(name)}: {reason}' for name, reason in problems.items()]
