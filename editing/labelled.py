"""Images whose attributes are known: a labelled data set, a folder with labels, folders of each."""

from __future__ import annotations

import os
import re
from typing import Callable, NamedTuple

import numpy as np

from conversion import labels as image_labels
from conversion.cache import is_dataset
from conversion.collection import find_collection, printable
from editing.targets import open_targets
from training.dataset import TFRecordDataset


class Labelled(NamedTuple):
    """Images to project, and what they have."""
    count: int
    read: Callable     # numbers -> float32 [n, r, r, C], [-1, 1]
    attributes: dict   # {name: bool [count]}

    def some(self, most):
        """So many of them at most, always the same."""
        if most is None or self.count <= most:
            return self
        chosen = np.sort(np.random.RandomState(0).permutation(self.count)[:most])
        return Labelled(most, lambda numbers: self.read(chosen[list(numbers)]),
                        {name: has[chosen] for name, has in self.attributes.items()})


def safe_name(name):
    """A name as directions have it: without what --direction parts it by."""
    return re.sub('[:,=]', '-', printable(str(name)))


def attributes_of(labels, names):
    """{name: bool [N]} of labels [N, K], one for each component; of two classes the second one."""
    columns = labels > 0.5
    if columns.shape[1] == 2 and (columns.sum(axis=1) == 1).all():
        columns, names = columns[:, 1:], names[1:]
    return {safe_name(name): column for name, column in zip(names, columns.T)}


def _of_dataset(path, sampler):
    data = TFRecordDataset(path, sampler.config.resolution, 'full')
    if not data.label_size:
        raise ValueError(f'--data={path}: has no labels; convert the images again with --labels.')
    if data.num_channels != sampler.num_channels:
        raise ValueError(f'--data={path}: its images have {data.num_channels} channels, those of '
                         f'the network {sampler.num_channels}; convert them again with --channels='
                         f'{sampler.num_channels}.')
    return Labelled(data.num_images,
                    lambda numbers: data.read(sampler.resolution, list(numbers)) / 127.5 - 1,
                    attributes_of(data.labels, data.class_names or range(data.label_size)))


def _of_folder(path, sampler, choice):
    collection = find_collection(path)
    found = image_labels.find(collection, choice) or image_labels.find(collection, 'folders')
    targets = open_targets([path], sampler, flag='data')
    numbers = np.array([number for number, name in enumerate(targets.names) if name in found.of])
    if not len(numbers):
        raise ValueError(f'--data={printable(path)}: none of its images has a label in the '
                         f'{found.source}; labels go by the names of images below the folder.')
    names = [targets.names[number] for number in numbers]
    return Labelled(len(names), lambda chosen: targets.read(numbers[list(chosen)]),
                    attributes_of(found.array(names), found.class_names or range(found.size)))


def _of_folders(paths, sampler):
    parts = [open_targets([path], sampler, flag='data') for path in paths]
    files = [(part, number) for part in parts for number in range(len(part.files))]
    labels = np.repeat(np.eye(len(parts)), [len(part.files) for part in parts], axis=0)
    names = [os.path.splitext(os.path.basename(os.path.abspath(path)))[0] for path in paths]

    def read(numbers):
        return np.concatenate([part.read([own]) for part, own in (files[i] for i in numbers)])

    return Labelled(len(files), read, attributes_of(labels, names))


def open_labelled(paths, sampler, choice=None):
    """The Labelled images at `paths`, of a Sampler's size.

    Args:
        paths: one labelled data set, or one folder or zip with labels, or a folder or zip for each
            attribute.
        choice: of the labels of a folder, as conversion.labels.find takes it; None = dataset.json,
            or else its sub-folders.
    """
    if len(paths) > 1:
        return _of_folders(paths, sampler)
    if is_dataset(paths[0]):
        return _of_dataset(paths[0], sampler)
    return _of_folder(paths[0], sampler, choice)
