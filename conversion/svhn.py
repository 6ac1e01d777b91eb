"""Reads SVHN's cropped digits: MATLAB files as published, or the older pickles."""

from __future__ import annotations

import os

import numpy as np

from conversion import cifar
from conversion.collection import nearby


def read(directory):
    """Returns the training images, uint8 [N, 3, 32, 32], and labels, float32 [N, 10]."""
    matlab = os.path.join(directory, 'train_32x32.mat')
    pickles = [os.path.join(directory, f'train_{number}.pkl') for number in (1, 2, 3)]
    if os.path.exists(matlab):
        images, classes = _read_matlab(matlab)
    elif os.path.exists(pickles[0]):
        images, classes = (np.concatenate(parts) for parts in zip(*map(_read_pickle, pickles)))
    else:
        raise ValueError(f'{directory}: holds neither train_32x32.mat nor train_1.pkl'
                         f'{nearby(matlab)}')
    return images, np.eye(10, dtype=np.float32)[classes]


def _read_matlab(path):
    import scipy.io  # here: for this one format
    try:
        content = scipy.io.loadmat(path, variable_names=('X', 'y'))
        pixels, classes = content['X'], content['y']
    except Exception as error:  # loadmat raises nearly anything on a damaged file
        raise ValueError(f'{path}: cannot be read as the published MATLAB file with X and y '
                         f'({" ".join(str(error).split())})') from error
    if pixels.ndim != 4 or pixels.shape[:3] != (32, 32, 3):
        raise ValueError(f'{path}: expected X of [32, 32, 3, N], got {list(pixels.shape)}')
    if classes.dtype.kind == 'f':
        classes = classes.astype(np.int64)
    return cifar.as_images(path, pixels.transpose(3, 2, 0, 1), classes % 10, 10)  # 10 means 0


def _read_pickle(path):
    content = cifar.load_pickle(path)
    if not isinstance(content, (tuple, list)) or len(content) < 2:
        raise ValueError(f'{path}: expected a pair of images and class numbers')
    return cifar.as_images(path, content[0], content[1], 10)
