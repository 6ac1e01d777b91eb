"""How images lie on disk: levels of detail, records, and the writer of a data set's files.

A data set is a directory with `NAME-rXX.tfrecords` for each resolution `2^XX` from the full one
down to 4x4, all with the same images in the same order, and, where there are labels,
`NAME-rxx.labels` (a NumPy stream, float32 `[num_images, label_size]`) with, where the classes
have names, `NAME-rxx.classes.json` (a list of strings). A record is a `tf.train.Example` of
`data` (uint8 pixels in CHW order) and `shape` (`[C, H, W]`).

Nothing here needs TensorFlow: the processes that convert images start without it in an instant.
All records of a file have the same length, so several of them can write one file together.
"""

from __future__ import annotations

import json
import math
import os
import struct

import google_crc32c
import numpy as np


def level_path(directory, name, level_log2):
    """Path of the file that holds the images of resolution 2^level_log2."""
    return os.path.join(directory, f'{name}-r{level_log2:02d}.tfrecords')


def labels_path(directory, name):
    """Path of the labels, a NumPy stream of float32 [num_images, label_size]."""
    return os.path.join(directory, f'{name}-rxx.labels')


def class_names_path(directory, name):
    """Path of the labels' names, a JSON list of strings."""
    return os.path.join(directory, f'{name}-rxx.classes.json')


def sources_path(directory, name):
    """Path of the names of the files that the records were made of, a JSON list of strings."""
    return os.path.join(directory, f'{name}-rxx.sources.json')


def pyramid(image):
    """Returns [image, half of it, ..., 4x4], all uint8 [C, H, W], for a uint8 [C, H, W] image.

    Each level is the mean of the 2x2 blocks of the previous one *before* that was rounded.
    """
    levels, exact = [image], image
    while exact.shape[1] > 4:
        # Two sums are several times faster than `mean`, and as exact; those of bytes need 16 bits.
        rows = np.add(exact[:, 0::2], exact[:, 1::2],
                      dtype=np.uint16 if exact is image else np.float32)
        exact = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
        levels.append(np.rint(exact).astype(np.uint8))  # means of [0, 255] stay there: no clip
    return levels


def masked_crc(data):
    """The checksum of the TFRecord format: CRC-32C, rotated and shifted."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


def envelopes(shape):
    """The bytes (before, after) the pixels in every Example of this shape [C, H, W].

    First those of protobuf's deterministic order (data, shape), which is what is written; then of
    the other, which the reference also wrote. To build or parse an Example for each image would
    cost far more than to write or read it.
    """
    size = math.prod(shape)
    # Each message is tag, length, content; the data entry is written around its missing pixels.
    bytes_list = _tag(1, size)
    feature = _tag(1, len(bytes_list) + size) + bytes_list
    value = b'\n\x04data' + _tag(2, len(feature) + size) + feature
    data_start = _tag(1, len(value) + size) + value
    int64_list = _message(1, b''.join(map(_varint, shape)))
    shape_entry = _message(1, b'\n\x05shape' + _message(2, _message(3, int64_list)))
    head = _tag(1, len(data_start) + size + len(shape_entry))
    return (head + data_start, shape_entry), (head + shape_entry + data_start, b'')


def dataset_bytes(num_images, resolution, num_channels):
    """How many bytes the TFRecord files of a data set have, all levels together."""
    total = 0
    for log2 in range(2, resolution.bit_length()):
        shape = (num_channels, 2**log2, 2**log2)
        total += 16 + sum(map(len, envelopes(shape)[0])) + math.prod(shape)
    return num_images * total


def _varint(number):
    """Protobuf's whole numbers: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes(encoded) + bytes([number])


def _tag(field, length):
    """What stands before `length` bytes of a field of protobuf's wire type 2."""
    return bytes([field << 3 | 2]) + _varint(length)


def _message(field, content):
    return _tag(field, len(content)) + content


class LevelFiles:
    """The TFRecord files of a data set, open to be written at any place; a context manager.

    Args:
        directory: where the files are.
        name: first part of the file names.
        resolution: of the largest images, a power of two, at least 4.
        num_channels: 1 or 3.
    """

    _FLAGS = os.O_WRONLY

    def __init__(self, directory, name, resolution, num_channels):
        if resolution < 4 or resolution & (resolution - 1):
            raise ValueError(f'resolution must be a power of two of at least 4, got {resolution}')
        if num_channels not in (1, 3):
            raise ValueError(f'num_channels must be 1 or 3, got {num_channels}')
        self.directory, self.name = directory, name
        self._shapes, self._envelopes, self._descriptors = [], [], []
        for log2 in range(resolution.bit_length() - 1, 1, -1):
            self._shapes.append((num_channels, 2**log2, 2**log2))
            self._envelopes.append(envelopes(self._shapes[-1])[0])
            path = level_path(directory, name, log2)
            self._descriptors.append(os.open(path, self._FLAGS, 0o666))

    def put(self, index, levels):
        """Writes image number `index`: uint8 [C, H, W] arrays from full resolution to 4x4."""
        if [(level.shape, level.dtype) for level in levels] != \
                [(shape, np.uint8) for shape in self._shapes]:
            raise ValueError(
                f'image {index} of {self.name}: expected uint8 levels of the shapes '
                f'{self._shapes}, got {[(level.dtype.name, level.shape) for level in levels]}')
        for level, (before, after), file in zip(levels, self._envelopes, self._descriptors):
            example = b''.join((before, np.ascontiguousarray(level), after))
            length = struct.pack('<Q', len(example))
            record = b''.join((length, struct.pack('<I', masked_crc(length)),
                               example, struct.pack('<I', masked_crc(example))))
            self._write(file, record, index * len(record))

    def _write(self, file, data, offset):
        try:
            while data:  # a disk that is nearly full takes a part first, and then says so
                written = os.pwrite(file, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise OSError(f'{self.directory}: cannot write the data set {self.name}: '
                          f'{error.strerror}') from error

    def close(self):
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Writer(LevelFiles):
    """Writes the files of one new data set; a context manager.

    Args:
        directory: where the files go; made if it is not there.
        name: first part of the file names (the directory's final name, which is given apart
            because a conversion writes into a temporary directory).
        resolution: of the largest images, a power of two, at least 4.
        num_channels: 1 or 3.

    Attributes: num_images, how many are written; other processes that write some through
    LevelFiles of their own have theirs counted here.
    """

    _FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

    def __init__(self, directory, name, resolution, num_channels):
        os.makedirs(directory, exist_ok=True)
        super().__init__(directory, name, resolution, num_channels)
        self.num_images = 0

    def add(self, levels):
        """Appends one image: uint8 [C, H, W] arrays from full resolution down to 4x4."""
        self.put(self.num_images, levels)
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

    def write_sources(self, names):
        """Saves the names of the files that the images were made of, one for each image added."""
        if len(names) != self.num_images:
            raise ValueError(f'{self.name}: expected {self.num_images} names of sources, one for '
                             f'each image added, got {len(names)}')
        with open(sources_path(self.directory, self.name), 'w', encoding='utf-8') as file:
            json.dump(list(names), file)  # ASCII: names need not be valid text
