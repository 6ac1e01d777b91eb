"""Reading a data set: TFRecord files to batches, and what is done to the images of a batch.

How the files look is said in `records.py`.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
import math
import os
import re
import struct
import threading

import numpy as np
import tensorflow as tf

from formats.records import (  # noqa: F401 (offered here beside the reader)
    Writer,
    class_names_path,
    envelopes,
    labels_path,
    level_path,
    masked_crc,
    pyramid,
    sources_path,
)

VERIFIED_WHOLE_BYTES = 2**30  # larger files are only sampled at opening, so that it takes seconds


class _Level:
    """The images of one resolution: a file of records of one length, read in any order.

    A record is: its length (uint64) and that number's checksum (uint32), the Example, and the
    Example's checksum (uint32). Both are compared whenever a record is read. (TensorFlow's own
    reader for random access needs 0.1 ms for each jump; this one needs a few microseconds.)
    """

    def __init__(self, path, resolution):
        self.path = path
        self._lock = threading.Lock()
        self._file = open(path, 'rb')
        self._header = self._file.read(12)
        if len(self._header) < 12:
            raise ValueError(f'{path}: holds no records; convert the images again')
        length, crc = struct.unpack('<QI', self._header)
        if crc != masked_crc(self._header[:8]):
            raise ValueError(f'{path}: is damaged from its first bytes on, or no uncompressed '
                             f'TFRecord file; convert the images again')
        for self.num_channels in (1, 3):
            self._shape = (self.num_channels, resolution, resolution)
            self._envelopes = envelopes(self._shape)
            if length == sum(map(len, self._envelopes[0])) + math.prod(self._shape):
                break
        else:
            raise ValueError(f'{path}: its records ({length} bytes) are no images of '
                             f'{resolution}x{resolution} with 1 or 3 channels; convert them again')
        self._record = np.empty(12 + length + 4, np.uint8)
        self.num_bytes = os.path.getsize(path)
        self.num_images, excess = divmod(self.num_bytes, len(self._record))
        if excess:
            raise ValueError(f'{path}: is truncated: {self.num_bytes} bytes are no whole number '
                             f'of records of {len(self._record)} bytes; convert the images again')

    def read(self, indices):
        """Images [n, H, W, C] of the records `indices`; ValueError where one is damaged."""
        channels, height, width = self._shape
        images = np.empty([len(indices), height, width, channels], np.uint8)
        with self._lock:
            for image, index in zip(images, indices):
                for channel, plane in enumerate(self._pixels(int(index))):
                    image[:, :, channel] = plane  # ten times faster than one transposing copy
        return images

    def verify(self, indices):
        """Reads and compares the records `indices`."""
        with self._lock:
            for index in indices:
                self._pixels(int(index))

    def checksums(self):
        """The stored checksums of all records, uint8 [num_images, 4]; reads nothing else."""
        stride = len(self._record)
        file = np.memmap(self.path, np.uint8, 'r', shape=(self.num_images, stride))
        return np.ascontiguousarray(file[:, -4:])

    def close(self):
        self._file.close()

    def _pixels(self, index):
        """Pixels [C, H, W] of one record, in a buffer that the next call overwrites."""
        record = self._record
        self._file.seek(index * len(record))
        if (self._file.readinto(record) != len(record) or record[:12].tobytes() != self._header
                or record[-4:].view('<u4')[0] != masked_crc(record[12:-4])):
            raise ValueError(f'{self.path}: record {index} of {self.num_images} is damaged (its '
                             f'checksum does not fit); convert the images again, or copy the '
                             f'file again from where it is whole')
        size = math.prod(self._shape)
        for before, after in self._envelopes:
            start = 12 + len(before)
            if record[12:start].tobytes() == before and record[start + size:-4].tobytes() == after:
                return record[start:start + size].reshape(self._shape)
        raise ValueError(f'{self.path}: record {index} of {self.num_images} is no image of '
                         f'[C, H, W] = {list(self._shape)}; convert the images again')


def _files_of(directory):
    """Returns the name and {log2 of the resolution: path} of the one data set in a directory."""
    if not os.path.isdir(directory):
        raise ValueError(f'{directory}: {_what_is_instead(directory)}')
    found = [re.fullmatch(r'(.+)-r(\d\d)\.tfrecords', file) for file in os.listdir(directory)]
    found = [match for match in found if match]
    if not found:
        raise ValueError(f'{directory}: holds no NAME-rXX.tfrecords; {_what_is_inside(directory)}')
    names = sorted({match[1] for match in found})
    if len(names) > 1:
        raise ValueError(f'{directory}: holds the files of several data sets ({", ".join(names)}); '
                         f'give each a directory of its own')
    return names[0], {int(match[2]): os.path.join(directory, match[0]) for match in found}


def _is_dataset(path):
    return os.path.isdir(path) and any(file.endswith('.tfrecords') for file in os.listdir(path))


def _what_is_instead(path):
    """Says what is near a path that is no directory."""
    if os.path.exists(path):
        return ('is a file, not a data set; if it holds images: '
                f'dataset_tool.py create_from_images DIRECTORY {path}')
    parent, wanted = os.path.split(os.path.abspath(path))
    if not os.path.isdir(parent):
        return f'no such directory, and neither is {parent}'
    siblings = sorted(os.listdir(parent))
    near = difflib.get_close_matches(wanted, siblings) or [
        file for file in siblings if _is_dataset(os.path.join(parent, file))][:5]
    return 'no such directory; ' + (f'{parent} has: {", ".join(near)}' if near else
                                    f'nothing in {parent} is a data set or has a similar name')


def _what_is_inside(directory):
    """Says what a directory holds that is no data set."""
    files = sorted(os.listdir(directory))
    inner = [file for file in files if _is_dataset(os.path.join(directory, file))]
    if inner:
        return f'the data sets are one level below: {", ".join(inner[:5])}'
    if not files:
        return 'it is empty'
    images = sum(file.lower().endswith(('.png', '.jpg', '.jpeg', '.webp', '.bmp'))
                 for file in files)
    return (f'it holds {images} images' if images else f'it holds {", ".join(files[:5])}') + (
        f'; to convert images: dataset_tool.py create_from_images NEW_DIRECTORY {directory}')


def _read_names(path, count, each):
    """Returns a list of `count` strings, one for `each`, or None where there is no such file."""
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding='utf-8') as file:
            names = json.load(file)
    except ValueError as error:
        raise ValueError(f'{path}: is no JSON; write {count} names or remove it') from error
    if not isinstance(names, list) or [type(name) for name in names] != [str] * count:
        raise ValueError(f'{path}: must be a list of {count} strings, one for each {each}; '
                         'correct or remove it')
    return names


@functools.lru_cache(maxsize=4)
def _epoch_order(num_images, seed, epoch):
    return np.random.default_rng([seed, epoch]).permutation(num_images)


def _in_hash_order(num_images):
    """All records, int64 [num_images], in an order that looks random and depends on nothing else.

    By a hash of each record's number: images that are appended leave the order of the others.
    """
    x = np.arange(1, num_images + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)
    for shift, factor in ((30, 0xbf58476d1ce4e5b9), (27, 0x94d049bb133111eb)):  # splitmix64
        x = (x ^ x >> np.uint64(shift)) * np.uint64(factor)
    return np.argsort(x ^ x >> np.uint64(31), kind='stable')


class TFRecordDataset:
    """A data set that is open for reading, checked before anything else happens.

    The order of training is a whole random permutation of the images for each epoch, made from
    (seed, epoch) alone, so that the place of each image in the endless stream is a pure function
    of its position: a run that was killed goes on at the very image where it stopped. (The
    reference shuffles within a window of 4096 MB, which for smaller data sets is a permutation
    too; ours starts at once, needs no memory and can be entered anywhere.) It is possible because
    all records of a level have the same length.

    Args:
        directory: holds the files of one data set, whatever its own name.
        resolution: of the largest images to use; None = the largest there are.
        max_label_size: 0 = no labels, N = at most the first N components, 'full' = all there are.
        verify: which records are read and compared with their checksums at opening: True = all,
            False = none, 'auto' = all of each file up to 1 GiB (which also brings the small ones,
            whose reading is a matter of seeks, into memory), 64 of each larger one. Later every
            record is compared when it is read.
        holdout: how many images no batch has; always the same ones.

    Attributes: name, directory, resolution, num_channels, num_images, label_size; labels,
    float32 [num_images, label_size]; class_names, a list of label_size strings or None; held_out
    and trained, the records int64 that no batch has, and the others.
    """

    def __init__(self, directory, resolution=None, max_label_size=0, verify='auto', holdout=0):
        self.directory = os.fspath(directory)
        self.name, paths = _files_of(self.directory)
        self.resolution = self._checked_resolution(resolution, 2**max(paths))
        self._levels = self._open_levels(paths)
        top = self._levels[self.resolution]
        self.num_images, self.num_channels = top.num_images, top.num_channels
        for level in self._levels.values():
            if (level.num_images, level.num_channels) != (self.num_images, self.num_channels):
                raise ValueError(
                    f'{level.path}: holds {level.num_images} images with {level.num_channels} '
                    f'channels, but {os.path.basename(top.path)} {self.num_images} with '
                    f'{self.num_channels}; convert the images again')
        self.labels, self.class_names = self._read_labels(max_label_size)
        self.label_size = self.labels.shape[1]
        if not 0 <= holdout < self.num_images:
            raise ValueError(f'{self.directory}: holdout must be at least 0 and less than the '
                             f'{self.num_images} images; received {holdout}')
        self.held_out, self.trained = (np.sort(part) for part in np.split(
            _in_hash_order(self.num_images), [holdout]))
        for level in self._levels.values():
            if verify is True or verify == 'auto' and level.num_bytes <= VERIFIED_WHOLE_BYTES:
                level.verify(range(self.num_images))
            elif verify == 'auto':
                level.verify(np.linspace(0, self.num_images - 1, 64, dtype=np.int64))

    def read(self, level_resolution, indices):
        """Images uint8 [n, H, W, C] of the records `indices` at one of the resolutions."""
        return self._levels[level_resolution].read(indices)

    def indices_at(self, position, count, seed):
        """Records int64 [count] at `position`, position + 1, ... of the endless stream."""
        length = len(self.trained)
        epochs, places = np.divmod(np.arange(position, position + count), length)
        return self.trained[np.concatenate([
            _epoch_order(length, seed, epoch)[places[epochs == epoch]]
            for epoch in np.unique(epochs)])]

    def batches(self, resolution, minibatch, position, seed, share=(0, 1)):
        """The endless stream from `position` (in images) on, as a prefetching tf.data.Dataset.

        Its elements are images, uint8 [n, resolution, resolution, C], and their labels, float32
        [n, label_size]. Iterate it under `plain_errors()`.

        Args:
            share: (number, count): only that one of `count` equal parts of each minibatch, so
                n = minibatch / count.
        """
        size = minibatch // share[1]

        def load(step):
            first = position + int(step) * minibatch + share[0] * size
            indices = self.indices_at(first, size, seed)
            return self.read(resolution, indices), self.labels[indices]

        def load_in_graph(step):
            images, labels = tf.numpy_function(load, [step], [tf.uint8, tf.float32])
            return (tf.ensure_shape(images, [size, resolution, resolution, self.num_channels]),
                    tf.ensure_shape(labels, [size, self.label_size]))

        batch_bytes = size * resolution**2 * self.num_channels
        ahead = min(max(2**28 // batch_bytes, 2), 32)  # 256 MB, but at least two minibatches
        options = tf.data.Options()
        # Nothing is left to tune, and closing a stream may wait for the tuner's sleep, up to 60 s.
        options.autotune.enabled = False
        steps = tf.data.Dataset.range(2**62 // minibatch)
        return steps.map(load_in_graph).prefetch(ahead).with_options(options)

    def random_labels(self, seed, count):
        """Labels float32 [count, label_size] of images drawn uniformly by `seed`.

        seed: non-negative ints. Held-out images are not drawn.
        """
        drawn = np.random.default_rng(seed).integers(len(self.trained), size=count)
        return self.labels[self.trained[drawn]]

    def source_names(self):
        """Names of the files that the images were made of, a list of str; None = not recorded."""
        return _read_names(sources_path(self.directory, self.name), self.num_images, 'image')

    def fingerprint(self):
        """Hex digits that change with any image at full resolution, or with the labels."""
        return self._fingerprint

    @functools.cached_property
    def _fingerprint(self):
        digest = hashlib.sha256(f'{self.resolution} {self.num_channels}'.encode())
        digest.update(self._levels[self.resolution].checksums())
        digest.update(np.ascontiguousarray(self.labels))
        return digest.hexdigest()

    def close(self):
        for level in self._levels.values():
            level.close()

    def _checked_resolution(self, wanted, largest):
        if wanted is None:
            return largest
        if wanted > largest:
            raise ValueError(f'{self.directory}: its images are {largest}x{largest}, resolution '
                             f'{wanted} is more than there is; ask for {largest} or less')
        if wanted < 4 or wanted & (wanted - 1):
            raise ValueError(f'{self.directory}: resolution must be a power of two from 4 to '
                             f'{largest}, got {wanted}')
        return wanted

    def _open_levels(self, paths):
        levels = range(2, self.resolution.bit_length())
        missing = [level_path('', self.name, log2) for log2 in levels if log2 not in paths]
        if missing:
            raise ValueError(f'{self.directory}: {", ".join(missing)} is missing; there must be '
                             f'all levels from 4x4 up; convert the images again')
        return {2**log2: _Level(paths[log2], 2**log2) for log2 in levels}

    def _read_labels(self, max_size):
        """Returns labels float32 [num_images, label_size] and their names or None."""
        path = labels_path(self.directory, self.name)
        if max_size == 0 or max_size == 'full' and not os.path.exists(path):
            return np.zeros([self.num_images, 0], np.float32), None
        if not os.path.exists(path):
            raise ValueError(f'{path}: no such file, so there are no labels to take the first '
                             f'{max_size} of; convert with labels, or set max_label_size to 0')
        try:
            with open(path, 'rb') as file:
                labels = np.lib.format.read_array(file, allow_pickle=False).astype(np.float32)
        except ValueError as error:
            raise ValueError(f'{path}: is no NumPy stream of numbers, or is truncated; convert '
                             f'the images again') from error
        if labels.ndim != 2 or len(labels) != self.num_images:
            raise ValueError(f'{path}: must be [{self.num_images}, label size], one row for each '
                             f'image, but is {list(labels.shape)}; convert the images again')
        names = _read_names(class_names_path(self.directory, self.name), labels.shape[1],
                            'component of the labels')
        if max_size == 'full':
            return labels, names
        return np.ascontiguousarray(labels[:, :max_size]), names and names[:max_size]


@contextlib.contextmanager
def plain_errors():
    """Turns a reading error inside `batches`, which TensorFlow wraps, back into one line."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        line = re.search(r'ValueError: (.*)', error.message)
        if line is None:
            raise
        raise ValueError(line[1]) from error


def blend_reals(images, alpha, mirror, seed=None):
    """process_reals with alpha (number or scalar tensor in [0, 1]) given instead of lod."""
    x = tf.cast(images, tf.float32) * (2 / 255) - 1
    if mirror:
        shape = [tf.shape(x)[0], 1, 1, 1]
        draw = (tf.random.uniform(shape) if seed is None else
                tf.random.stateless_uniform(shape, seed))
        x = tf.where(draw < 0.5, tf.reverse(x, axis=[2]), x)
    coarse = tf.nn.avg_pool2d(x, ksize=2, strides=2, padding='VALID')
    coarse = tf.repeat(tf.repeat(coarse, 2, axis=1), 2, axis=2)
    return x + (coarse - x) * tf.cast(alpha, tf.float32)  # this form is exact at alpha = 0


def process_reals(images, lod, mirror, seed=None):
    """What D is shown of images from the data set.

    Args:
        images: uint8 [N, H, W, C] of the resolution of floor(lod).
        lod: number or scalar tensor; its fraction is the share of the coarser image.
        mirror: flip each image left to right with probability 1/2.
        seed: stateless pair for the flips; None = the global generator.

    Returns:
        float32 [N, H, W, C] in [-1, 1], at the same resolution.
    """
    lod = tf.cast(lod, tf.float32)
    return blend_reals(images, lod - tf.floor(lod), mirror, seed)
