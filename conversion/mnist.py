"""Reads MNIST's idx files, 28x28, as 32x32 images; combines three digits into one RGB image."""

from __future__ import annotations

import gzip
import os
import zlib

import numpy as np

from conversion.collection import nearby


def read(directory):
    """Returns the training images, uint8 [N, 1, 32, 32], and labels, float32 [N, 10]."""
    images = _read_idx(directory, 'train-images-idx3-ubyte', dimensions=3)
    classes = _read_idx(directory, 'train-labels-idx1-ubyte', dimensions=1)
    if images.shape[1:] != (28, 28) or len(classes) != len(images) or classes.max() > 9:
        raise ValueError(f'{directory}: expected 28x28 images and as many labels from 0 to 9, got '
                         f'images {list(images.shape)}, labels {list(classes.shape)} up to '
                         f'{classes.max()}')
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2)])
    return padded[:, np.newaxis], np.eye(10, dtype=np.float32)[classes]


class RandomTriples:
    """Images [num_images, 3, 32, 32] of three digits each, drawn at random as R, G and B."""

    def __init__(self, digits, num_images, random_seed):
        self.shape = (num_images, 3, 32, 32)
        self._digits = digits
        # One call draws what a call for each image in order would.
        self._choice = np.random.RandomState(random_seed).randint(len(digits), size=[num_images, 3])

    def __getitem__(self, index):
        return self._digits[self._choice[index], 0]


def _read_idx(directory, name, dimensions):
    """Returns the uint8 array of an idx file, packed (.gz) or not."""
    path = os.path.join(directory, name + '.gz')
    if not os.path.exists(path) and os.path.exists(path[:-3]):
        path = path[:-3]
    try:
        with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
            data = file.read()
    except FileNotFoundError as error:
        raise ValueError(f'{path}: no such file{nearby(path)}') from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f'{path}: damaged ({error}); download it again') from error
    header = 4 * (1 + dimensions)
    magic, *shape = np.frombuffer(data[:header].ljust(header, b'\0'), '>u4')
    pixels = np.frombuffer(data[header:], np.uint8)
    if magic != 0x800 + dimensions or pixels.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f'{path}: expected a complete idx file of {dimensions}-dimensional '
                         f'bytes, got {len(data):,} bytes beginning with {data[:4].hex()}')
    return pixels.reshape(shape)
