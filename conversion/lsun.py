"""Converts LSUN's LMDB databases of JPEG or WebP images, square or wide."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from conversion import decode, workers, writing
from formats import folders
from formats.records import pyramid


def create(directory, lmdb_dir, resolution=256, width=None, height=None, max_images=None,
           num_workers=None, overwrite=False):
    """Writes the images of an LMDB database, in the order of its keys, as a dataset.

    Those that cannot be used are left out, counted, and listed in the dataset's `skipped.txt`.

    Args:
        resolution: of square images: the middle of each, scaled.
        width, height: of wide images, in the middle of a black width x width canvas; images that
            are smaller are left out. None = square images.
        max_images: write so many at the most; None = all.
    """
    for name, value in (('resolution', resolution), ('width', width or 4)):
        if value < 4 or value & (value - 1):
            raise ValueError(f'--{name} must be a power of two of at least 4, got {value}')
    if width and not 1 <= height <= width:
        raise ValueError(f'--height must be from 1 to the width, {width}, got {height}')
    folders.check(directory, overwrite)
    side = width or resolution
    skipped = {}
    with _Database(lmdb_dir) as database, \
            workers.Workers(workers.count_for(database.num_images, num_workers)) as pool:
        count = min(max_images or database.num_images, database.num_images)
        writing.report_size(directory, count, side, 3)
        with writing.new_dataset(directory, side, 3, overwrite) as writer:
            results = pool.map(functools.partial(_convert, side, width and height),
                               database.items())
            for levels in writing.progress(_usable(results, skipped), count, 'Writing'):
                writer.add(levels)
                if writer.num_images == count:
                    break
            writing.write_skipped(writer, skipped)
    if skipped:
        print(f'Skipped  {len(skipped):,} images, listed with reasons in skipped.txt')


class _Database:
    """The images of an LMDB database, in the order of their keys; a context manager."""

    def __init__(self, path):
        import lmdb  # here: for this one format
        self._error, self._path = lmdb.Error, path
        try:
            self._environment = lmdb.open(path, readonly=True, lock=False, readahead=False,
                                          create=False)
        except lmdb.Error as error:
            raise ValueError(f'{path}: cannot be read as an LMDB directory ({error})') from error
        self.num_images = self._environment.stat()['entries']

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._environment.close()

    def items(self):
        """Yields (key, bytes of the image file)."""
        try:
            with self._environment.begin() as transaction:
                yield from transaction.cursor()
        except self._error as error:
            raise ValueError(f'{self._path}: damaged database ({error})') from error


def _usable(results, skipped):
    """Passes the pyramids on; keeps the reasons of the others in `skipped`."""
    for key, result in results:
        if isinstance(result, str):
            skipped[key.decode('utf-8', 'surrogateescape')] = result
        else:
            yield result


def _convert(side, height, items):
    """(key, levels or reason) for a chunk of (key, image file). Runs in a worker."""
    rules = decode.Rules(side, 3, 'lanczos', 'center')
    results = []
    for key, data in items:
        try:
            pixels = _wide(data, side, height) if height else decode.decode(data, rules)
            results.append((key, pyramid(pixels)))
        except decode.Unusable as error:
            results.append((key, str(error)))
    return results


def _wide(data, width, height):
    """Returns uint8 [3, width, width]: the image between black bars, as the reference makes it.

    It takes as many rows of the unscaled image as the whole would have at `width`, and scales
    them to width x height: images that are not of this size are stretched. The published networks
    were trained and measured on such data.
    """
    image = decode.upright(data, decode.Rules(num_channels=3))
    rows = round(width * image.height / image.width)
    if image.width < width or rows < height:
        raise decode.Unusable(f'is {image.width}x{image.height}, too small or too narrow for '
                              f'{width}x{height}')
    image = image.crop((0, (image.height - rows) // 2, image.width, (image.height + rows) // 2))
    image = image.resize((width, height), Image.Resampling.LANCZOS)
    canvas = np.zeros([3, width, width], np.uint8)
    start = (width - height) // 2
    canvas[:, start:start + height] = decode.pixels(image)
    return canvas
