"""Finds where two datasets differ."""

from __future__ import annotations

import numpy as np

from conversion import writing
from training.dataset import TFRecordDataset

BATCH = 64


def compare(directory_a, directory_b, ignore_labels=False):
    """Prints every difference, by index. Returns how many there are.

    Images are compared at full resolution; the lower ones are made from it.
    """
    a, b = (TFRecordDataset(directory, max_label_size='full', verify=False)
            for directory in (directory_a, directory_b))
    differences = _header_differences(a, b, ignore_labels)
    if not differences or a.num_images != b.num_images and len(differences) == 1:
        differences += _image_differences(a, b)
        if not ignore_labels and a.label_size == b.label_size:
            differences += _label_differences(a, b)
    for line in differences:
        print(line)
    print(f'{len(differences)} differences' if differences else
          f'Identical: {a.num_images:,} images'
          + (f', labels of size {a.label_size}' if a.label_size and not ignore_labels else ''))
    return len(differences)


def _header_differences(a, b, ignore_labels):
    """One line for each property of the whole datasets that is not the same."""
    names = ['num_images', 'resolution', 'num_channels']
    if not ignore_labels:
        names += ['label_size', 'class_names']
    return [f'{name}: {getattr(a, name)} and {getattr(b, name)}' for name in names
            if getattr(a, name) != getattr(b, name)]


def _image_differences(a, b):
    count = min(a.num_images, b.num_images)
    lines = []
    for start in writing.progress(range(0, count, BATCH), -(-count // BATCH), 'Comparing'):
        indices = range(start, min(start + BATCH, count))
        pixels_a, pixels_b = (data.read(data.resolution, indices) for data in (a, b))
        for index, one, other in zip(indices, pixels_a, pixels_b):
            if not np.array_equal(one, other):
                distance = np.abs(one.astype(int) - other)
                lines.append(f'image {index}: {np.count_nonzero(distance.any(axis=2)):,} pixels '
                             f'differ, by at most {distance.max()}, on average '
                             f'{distance.mean():.3g}')
    return lines


def _label_differences(a, b):
    count = min(a.num_images, b.num_images)
    changed = (a.labels[:count] != b.labels[:count]).any(axis=1)
    return [f'label {index}: {_short(a.labels[index])} and {_short(b.labels[index])}'
            for index in np.flatnonzero(changed)]


def _short(label):
    """A one-hot label as its class, another as its numbers."""
    return f'class {label.argmax()}' if label.sum() == label.max() == 1 else label.tolist()
