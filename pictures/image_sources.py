"""Collections of images as a discriminator is to see them: datasets, folders, zip files."""

from __future__ import annotations

import concurrent.futures
import os
from typing import Callable, NamedTuple, Optional

import numpy as np

from conversion import decode
from conversion import labels as image_labels
from conversion.collection import find_collection, read_file
from formats.records import pyramid
from training.config import DiscriminatorConfig
from training.dataset import TFRecordDataset
from training.networks import split_lod


class Source(NamedTuple):
    """A collection of images, as the discriminator is to see them."""
    names: tuple[str, ...]
    labels: Optional[np.ndarray]  # float32 [N, label_size]; None = not needed
    read: Callable                # index -> uint8 [r, r, C]; decode.Unusable where it cannot be


def open_source(path, config, lod, class_idx=None, labels=None):
    """The Source at `path`: a dataset's directory, a folder or a zip file of images.

    Args:
        config: of the discriminator.
        lod: of the network file.
        class_idx: class of all images, where they have no labels.
        labels: of images, as dataset_tool.py has it: 'folders' or a file; None = dataset.json.
    """
    needs_labels = config.label_size and isinstance(config, DiscriminatorConfig)
    level, _ = split_lod(lod, config.resolution_log2)
    if os.path.isdir(path) and any(name.endswith('.tfrecords') for name in os.listdir(path)):
        names, found, read = _dataset(path, config, level)
    else:
        names, found, read = _folder(path, config, level, labels)
    if not needs_labels:
        found = None
    elif class_idx is not None or found is None:
        if class_idx is None or not 0 <= class_idx < config.label_size:
            raise ValueError(f'{path}: the network knows {config.label_size} classes and must be '
                             'told which one an image is of; give --labels, or --class_idx within '
                             f'0..{config.label_size - 1} for all.')
        found = np.tile(np.eye(config.label_size, dtype=np.float32)[class_idx], [len(names), 1])
    elif found.shape[1] != config.label_size:
        raise ValueError(f'{path}: has {found.shape[1]} classes, the network {config.label_size}; '
                         'take the network that was trained on these images, or --class_idx.')
    return Source(names, found, read)


def _dataset(path, config, level):
    data = TFRecordDataset(path, config.resolution, config.label_size)
    if data.num_channels != config.num_channels:
        raise ValueError(f'{path}: its images have {data.num_channels} channels, those of the '
                         f'network {config.num_channels}; convert them again with --channels='
                         f'{config.num_channels}.')
    names = tuple(data.source_names() or
                  (f'img{index:08d}.png' for index in range(data.num_images)))
    labels = data.labels if data.label_size else None
    return names, labels, lambda index: data.read(config.resolution >> level, [index])[0]


def _folder(path, config, level, choice):
    collection = find_collection(path)
    rules = decode.Rules(config.resolution, config.num_channels, crop='center')
    found = image_labels.find(collection, choice)
    names = collection.names if found is None else tuple(
        name for name in collection.names if name in found.of)

    def read(index):
        image = decode.decode(read_file(path, names[index]), rules)
        return pyramid(image)[level].transpose(1, 2, 0)

    return names, None if found is None else found.array(names), read


def read_usable(source, pool, unusable):
    """(indices, images uint8 [n, r, r, C]) of those of a pool of indices that can be read.

    unusable: {name: reason}, to which the others are added.
    """
    def attempt(index):
        try:
            return source.read(index)
        except decode.Unusable as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor() as threads:
        results = list(threads.map(attempt, pool))
    bad = {source.names[i]: result for i, result in zip(pool, results) if isinstance(result, str)}
    unusable.update(bad)
    images = [result for result in results if not isinstance(result, str)]
    usable = np.array([i for i, result in zip(pool, results) if not isinstance(result, str)], int)
    return usable, np.stack(images) if images else np.zeros([0, 4, 4, 1], np.uint8)
