"""Reads images from an HDF5 file: the largest HDF5 dataset whose name begins with `data`."""

from __future__ import annotations

import contextlib
import os

import numpy as np


class _Images:
    """Rows of an HDF5 dataset; errors name the file."""

    def __init__(self, path, rows):
        self.shape, self._path, self._rows = rows.shape, path, rows

    def __getitem__(self, index):
        try:
            return self._rows[index]
        except OSError as error:
            raise ValueError(f'{self._path}: image {index} cannot be read ({error})') from error


@contextlib.contextmanager
def opened(path):
    """Yields the images, uint8 [N, C, H, W] (read when indexed), and their labels or None."""
    import h5py  # here: for this one format
    with open(path, 'rb'):  # the system's own words for a file that is not there
        pass
    try:
        file = h5py.File(path, 'r')
    except OSError as error:
        raise ValueError(f'{path}: cannot be read as HDF5 ({error})') from error
    with file:
        found = [item for name, item in file.items()
                 if name.startswith('data') and isinstance(item, h5py.Dataset) and item.ndim == 4]
        if not found:
            raise ValueError(f'{path}: has no 4-dimensional HDF5 dataset whose name begins '
                             f'with "data", only: {", ".join(file) or "nothing"}')
        images = max(found, key=lambda item: item.shape[3])
        if images.dtype != np.uint8 or images.shape[1] not in (1, 3):
            raise ValueError(f'{path}: {images.name} must be uint8 [N, 1 or 3, H, W], '
                             f'got {images.dtype} {list(images.shape)}')
        labels_path = os.path.splitext(path)[0] + '-labels.npy'
        yield _Images(path, images), _read_labels(labels_path, len(images))


def _read_labels(path, num_images):
    """Returns the labels [num_images, label_size] in the file; None if there is no such file."""
    if not os.path.exists(path):
        return None
    try:
        labels = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f'{path}: cannot be read as a NumPy array of numbers ({error})') from error
    if labels.ndim != 2 or len(labels) != num_images or labels.dtype.kind not in 'fiub':
        raise ValueError(f'{path}: expected numbers [{num_images}, label size], one row for each '
                         f'image, got {labels.dtype} {list(labels.shape)}')
    return labels
