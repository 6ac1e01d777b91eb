"""Reports what a dataset holds, and what may be wrong with it."""

from __future__ import annotations

import os

import numpy as np

from conversion import writing
from conversion.collection import printable, write_names
from conversion.labels import describe
from formats.records import level_path
from training.dataset import TFRecordDataset

SAMPLE = 10000          # images that mean and standard deviation are taken from, at the most
NEAR = 3.0              # root mean square difference, in grey levels, of near-duplicates ...
NEAR_RESOLUTION = 16    # ... at this resolution
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
    """Prints which images are of one colour, and which nearly the same as an earlier one.

    sources: names of the images' files; None = unknown. Returns the sorted indices of both kinds.
    """
    def named(index):
        return f'{index} {printable(sources[index])}' if sources else str(index)

    small = min(NEAR_RESOLUTION, data.resolution)
    plain, thumbnails = [], []
    for part, images in _blocks(data, data.resolution, np.arange(data.num_images), 'Looking'):
        flat = (images.max(axis=(1, 2)) == images.min(axis=(1, 2))).all(axis=1)
        plain += part[flat].tolist()
        thumbnails.append(data.read(small, part).reshape(len(part), -1))
    pairs = near_duplicates(np.concatenate(thumbnails))
    print(f'Plain    {len(plain):,} images of one colour: {_listed(map(named, plain))}')
    print(f'Near     {len(pairs):,} images nearly identical to an earlier one: '
          + _listed(f'{named(index)} (as {named(other)})' for index, other in pairs))
    return sorted({*plain, *(index for index, _ in pairs)})


def near_duplicates(thumbnails):
    """[(index, index of the first image before that is nearly the same)] of uint8 [N, pixels]."""
    vectors = thumbnails.astype(np.float32)
    vectors -= vectors.mean(axis=0)  # smaller numbers, so that less is lost in the subtraction
    squares = (vectors**2).sum(axis=1)
    limit = NEAR**2 * vectors.shape[1]
    pairs = []
    starts = range(0, len(vectors), BLOCK)
    for start in writing.progress(starts, len(starts), 'Comparing'):
        rows, before = slice(start, start + BLOCK), slice(0, start + BLOCK)
        distances = (squares[rows, np.newaxis] + squares[before]
                     - 2 * vectors[rows] @ vectors[before].T)
        near = np.tril(distances <= limit, k=start - 1)
        pairs += [(start + int(row), int(near[row].argmax()))
                  for row in np.flatnonzero(near.any(axis=1))]
    return pairs


def _listed(items):
    return ', '.join(map(str, items)) or 'none'
