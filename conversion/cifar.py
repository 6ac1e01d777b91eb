"""Reads CIFAR-10 and CIFAR-100, the "Python version": pickles, without executing any of it."""

from __future__ import annotations

import os

import numpy as np

from conversion.collection import nearby
from formats import inert_pickle


def read_cifar10(directory):
    """Returns images uint8 [N, 3, 32, 32], labels float32 [N, 10] and class names (or None)."""
    return _read(directory, [f'data_batch_{number}' for number in range(1, 6)], 'labels', 10,
                 'batches.meta', 'label_names')


def read_cifar100(directory):
    """Returns images uint8 [N, 3, 32, 32], labels float32 [N, 100] and class names (or None)."""
    return _read(directory, ['train'], 'fine_labels', 100, 'meta', 'fine_label_names')


def load_pickle(path):
    """Returns what a pickle of plain values and arrays describes."""
    try:
        with open(path, 'rb') as file:
            return inert_pickle.loads(file.read())
    except FileNotFoundError as error:
        raise ValueError(f'{path}: no such file{nearby(path)}') from error
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def as_images(path, pixels, classes, num_classes):
    """Checks one batch: returns images uint8 [N, 3, 32, 32] and class numbers int64 [N]."""
    try:
        pixels, classes = np.atleast_1d(pixels), np.atleast_1d(classes)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path}: images or class numbers are not arrays ({error})') from error
    if pixels.dtype != np.uint8 or pixels.size != len(pixels) * 3072 or not len(pixels) or \
            classes.size != len(pixels) or classes.dtype.kind not in 'iu' or \
            classes.min() < 0 or classes.max() >= num_classes:
        raise ValueError(f'{path}: expected uint8 images of 3x32x32 and as many class numbers from '
                         f'0 to {num_classes - 1}, got {pixels.dtype} {list(pixels.shape)} and '
                         f'{classes.dtype} {list(classes.shape)}')
    return pixels.reshape(-1, 3, 32, 32), classes.reshape(-1).astype(np.int64)


def _read(directory, names, label_key, num_classes, meta_name, names_key):
    batches = []
    for name in names:
        path = os.path.join(directory, name)
        content = load_pickle(path)
        if not isinstance(content, dict) or not {'data', label_key} <= content.keys():
            raise ValueError(f"{path}: expected a dictionary with 'data' and '{label_key}'")
        batches.append(as_images(path, content['data'], content[label_key], num_classes))
    images, classes = (np.concatenate(parts) for parts in zip(*batches))
    meta_path = os.path.join(directory, meta_name)
    class_names = load_pickle(meta_path).get(names_key) if os.path.exists(meta_path) else None
    return images, np.eye(num_classes, dtype=np.float32)[classes], class_names
