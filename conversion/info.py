"""Reports what a dataset holds, and what may be wrong with it."""

from __future__ import annotations

import os

import numpy as np

from conversion import measuring, writing
from conversion.collection import printable, write_names
from conversion.labels import describe
from conversion.quality import CHECKS, Limits, judge
from formats.png import pillow
from formats.records import level_path
from training.dataset import TFRecordDataset

SAMPLE = 10000          # images that mean and standard deviation are taken from, at the most
ALWAYS = ('plain', 'same', 'near')  # checks that are told of even if they find nothing
BLOCK = 512             # images looked at in one go


def info(directory, verify=False, quality=False, worst=None):
    """Prints what there is to know. Returns how many records are damaged (if `verify`).

    worst: a new file for the names of what `quality` finds, as create_from_images --exclude takes
        it; asks for `quality` too.
    """
    data = TFRecordDataset(directory, max_label_size='full', verify=False)
    kind = 'gray' if data.num_channels == 1 else 'RGB'
    sources = data.source_names() if verify or quality or worst else None
    if worst and os.path.exists(worst):
        raise ValueError(f'--worst={worst}: is there already; remove it or choose another name')
    if worst and sources is None:
        raise ValueError(f'{directory}: does not say which files its images were made of, so '
                         '--worst has no names to write; convert the images again with '
                         'create_from_images')
    print(f'Images   {data.num_images:,} of {data.resolution}x{data.resolution}, {kind}')
    total = 0
    for log2 in range(data.resolution.bit_length() - 1, 1, -1):
        path = level_path(data.directory, data.name, log2)
        total += os.path.getsize(path)
        print(f'Level    {2**log2}x{2**log2}: {os.path.basename(path)}, '
              f'{writing.gigabytes(os.path.getsize(path))}')
    print(f'Size     {writing.gigabytes(total)}')
    print(f'Labels   {describe(data.labels, data.class_names)}')
    damaged = _print_damaged(data, sources) if verify else 0
    if not damaged:
        _print_statistics(data)
        if quality or worst:
            found = _print_quality(data, sources)
            if worst:
                write_names(worst, [sources[index] for index in found])
                print(f'Written  {worst}, {len(found):,} names for create_from_images --exclude')
    return damaged


def _print_damaged(data, sources):
    """Reads every record of every level; prints those whose checksum is wrong; their number.

    sources: names of the images' files; None = unknown.
    """
    count = 0
    for log2 in range(data.resolution.bit_length() - 1, 1, -1):
        for index in writing.progress(range(data.num_images), data.num_images,
                                      f'Verifying {2**log2}x{2**log2}'):
            try:
                data.read(2**log2, [index])
            except ValueError as error:
                print(f'Damaged  {error}'
                      + (f' (made of {printable(sources[index])})' if sources else ''))
                count += 1
    print(f'Verified all records: {count or "none"} damaged')
    return count


def _blocks(data, resolution, indices, what):
    """Yields (indices, uint8 [n, H, W, C]) of all images, block by block."""
    parts = np.array_split(indices, -(-len(indices) // BLOCK))
    for part in writing.progress(parts, len(parts), what):
        yield part, data.read(resolution, part)


def _print_statistics(data):
    """Mean and standard deviation of all channels of full-size images, in grey levels."""
    indices = np.unique(np.linspace(0, data.num_images - 1, SAMPLE).astype(int))
    count, total, squares = 0, 0.0, 0.0
    for _, images in _blocks(data, data.resolution, indices, 'Averaging'):
        flat = images.reshape(-1, data.num_channels)
        for rows in np.array_split(flat, max(1, len(flat) // 2**20)):  # float64: a piece at a time
            rows = rows.astype(np.float64)
            count += len(rows)
            total, squares = total + rows.sum(axis=0), squares + (rows**2).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    of = f' (of {len(indices):,} images)' if len(indices) < data.num_images else ''
    print('Pixels   mean ' + ', '.join(f'{x:.2f}' for x in mean) + '; standard deviation '
          + ', '.join(f'{x:.2f}' for x in deviation) + of)


def _print_quality(data, sources):
    """Prints which images are not good ones, as dataset_tool.py clean does by default.

    sources: names of the images' files; None = unknown. Returns the sorted indices of all of them.
    """
    def named(index):
        return f'{index} {printable(sources[index])}' if sources else str(index)

    measured = []
    for _, images in _blocks(data, data.resolution, np.arange(data.num_images), 'Looking'):
        measured += [measuring.of_image(pillow(image).convert('RGB')) for image in images]
    verdicts = judge(measured, Limits(min_size=0))
    for check in CHECKS:
        bad = verdicts.reasons[check.name]
        items = [named(number) + (f' (as {named(verdicts.kept[number])})'
                                  if verdicts.kept[number] != number else f' ({words})')
                 for number, words in bad.items()]
        if items or check.name in ALWAYS:
            print(f'{check.name.capitalize():9}{len(bad):,} images {check.words}: '
                  f'{", ".join(items) or "none"}')
    return sorted(set().union(*verdicts.reasons.values()))
