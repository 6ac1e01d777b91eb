"""The data set on disk, written and read: a pyramid of TFRecord files, one a resolution.

A data set is a directory with `NAME-rXX.tfrecords` for each resolution `2^XX` from the full one
down to 4x4, all with the same images in the same order, and, where there are labels,
`NAME-rxx.labels` (a NumPy stream, float32 `[num_images, label_size]`) with, where the classes
have names, `NAME-rxx.classes.json` (a list of strings). A record is a `tf.train.Example` of
`data` (uint8 pixels in CHW order) and `shape` (`[C, H, W]`).
"""

from __future__ import annotations

import json
import os

import numpy as np
import tensorflow as tf

from training.pyramid import pyramid  # noqa: F401 (offered here, with the writer it is for)


def level_path(directory, name, level_log2):
    """Path of the file that holds the images of resolution 2^level_log2."""
    return os.path.join(directory, f'{name}-r{level_log2:02d}.tfrecords')


def labels_path(directory, name):
    return os.path.join(directory, f'{name}-rxx.labels')


def class_names_path(directory, name):
    return os.path.join(directory, f'{name}-rxx.classes.json')


def _envelope(shape):
    """The bytes that stand before and after the pixels in every record of this shape [C, H, W].

    Taken from one real Example in protobuf's deterministic order, because building an Example for
    each image would cost far more than writing it.
    """
    pixels = b'\xa5' * int(np.prod(shape))  # 0xa5: cannot end a protobuf length, so it is found
    features = tf.train.Features(feature={
        'shape': tf.train.Feature(int64_list=tf.train.Int64List(value=shape)),
        'data': tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels]))})
    record = tf.train.Example(features=features).SerializeToString(deterministic=True)
    start = record.index(pixels)
    return record[:start], record[start + len(pixels):]


class Writer:
    """Writes the files of one data set; a context manager.

    Args:
        directory: where the files go; made if it is not there.
        name: first part of the file names (the directory's final name, which is given apart
            because a conversion writes into a temporary directory).
        resolution: of the largest images, a power of two, at least 4.
        num_channels: 1 or 3.
    """

    def __init__(self, directory, name, resolution, num_channels):
        if resolution < 4 or resolution & (resolution - 1):
            raise ValueError(f'resolution must be a power of two of at least 4, got {resolution}')
        if num_channels not in (1, 3):
            raise ValueError(f'num_channels must be 1 or 3, got {num_channels}')
        self.directory, self.name, self.num_images = directory, name, 0
        os.makedirs(directory, exist_ok=True)
        self._shapes, self._envelopes, self._files = [], [], []
        for log2 in range(resolution.bit_length() - 1, 1, -1):
            self._shapes.append((num_channels, 2**log2, 2**log2))
            self._envelopes.append(_envelope(self._shapes[-1]))
            self._files.append(tf.io.TFRecordWriter(level_path(directory, name, log2)))

    def add(self, levels):
        """Appends one image: uint8 [C, H, W] arrays from full resolution down to 4x4."""
        if [(level.shape, level.dtype) for level in levels] != \
                [(shape, np.uint8) for shape in self._shapes]:
            raise ValueError(
                f'image {self.num_images} of {self.name}: expected uint8 levels of the shapes '
                f'{self._shapes}, got {[(level.dtype.name, level.shape) for level in levels]}')
        for level, (before, after), file in zip(levels, self._envelopes, self._files):
            self._checked(file.write, before + level.tobytes() + after)
        self.num_images += 1

    def write_labels(self, labels, class_names=None):
        """Saves labels, any numbers [num_images, label_size], one row for each image added.

        Args:
            labels: saved as float32.
            class_names: what the components stand for, a list of str; None = they have no names.
        """
        labels = np.asarray(labels, np.float32)
        if labels.ndim != 2 or len(labels) != self.num_images:
            raise ValueError(f'{self.name}: expected labels of shape [{self.num_images}, label '
                             f'size], one row for each image added, got {list(labels.shape)}')
        with open(labels_path(self.directory, self.name), 'wb') as file:
            np.save(file, labels)
        if class_names is not None:
            with open(class_names_path(self.directory, self.name), 'w', encoding='utf-8') as file:
                json.dump(list(class_names), file, ensure_ascii=False)

    def close(self):
        for file in self._files:
            self._checked(file.close)

    def _checked(self, operation, *args):
        """TensorFlow's errors are no OSErrors, so a full disk would end in a traceback."""
        try:
            operation(*args)
        except tf.errors.OpError as error:
            raise OSError(f'{self.directory}: cannot write the data set {self.name}: '
                          f'{error.message}') from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
