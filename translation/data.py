"""Images of several domains: finding and reading them, and the balanced streams of training.

What stands at a place of the endless stream - images, crops, flips, latents - is a pure function of
(seed, position): a run that was killed goes on at the very image where it stopped.
"""

from __future__ import annotations

import dataclasses
import math
import os
import zlib
from typing import Callable

import numpy as np
import tensorflow as tf
from PIL import Image

from conversion import decode
from conversion.cache import is_dataset
from conversion.collection import find_collection, printable, read_file, some_names
from conversion.photos import check_usable
from conversion.workers import available
from formats.png import pillow
from training.dataset import TFRecordDataset
from translation.steps import Batch

CHOICES, SOURCE, REFERENCE, REFERENCE2 = range(4)   # what draws of a position are for
CROP_AREA, CROP_RATIO = (0.8, 1.0), (0.9, 1.1)      # of the image's area; width / height
CROP_TRIES = 10
SPLITS = {'train', 'val', 'test'}


@dataclasses.dataclass(frozen=True)
class DomainImages:
    """Images that can be read one by one, by domain."""
    path: str              # where they lie
    domains: tuple         # names; domain k is number k of networks and batches
    members: tuple         # for each domain, a tuple of its images as `read` takes them
    read: Callable         # one of those -> an RGB image of Pillow, upright

    @property
    def count(self):
        """Images of all domains."""
        return sum(map(len, self.members))


def open_images(path, check=True):
    """The DomainImages of a folder or zip of domain folders, or of a labelled TFRecord data set.

    Args:
        check: decode each image of a folder, or verify the records, now, rather than find a
            damaged one after days.
    Raises:
        ValueError: fewer than two domains, one without images, images of no domain, unusable ones.
    """
    path = os.fspath(path)
    images = (_of_records if is_dataset(path) else _of_folders)(path, check)
    if len(images.domains) < 2:
        raise ValueError(f'{printable(path)}: has images of one domain only '
                         f'({printable(images.domains[0])}); translation needs two or more, each '
                         f'in a folder of its own below it')
    return images


def _check_folders(collection, found):
    """ValueError where `found`, {folder, None outside of any: its images}, are not the domains."""
    path, shown = collection.path, printable(collection.path)
    if None in found:
        raise ValueError(f'{shown}: holds images outside of the domain folders '
                         f'({some_names(found[None])}); move each into the folder of its domain')
    only = min(found)
    below = sorted({name.split('/')[1] for name in found[only] if name.count('/') > 1})
    if len(found) == 1 and len(below) > 1:   # of a zip, mostly: of the folder, not what is in it
        remedy = ('make a zip of what is in that folder' if collection.is_zip else
                  f'give {printable(os.path.join(path, only))}')
        raise ValueError(f'{shown}: holds the one folder {printable(only)}, with '
                         f'{some_names(below)} in it; if these are the domains, {remedy}')
    if set(found) <= SPLITS:
        raise ValueError(f'{shown}: holds {", ".join(sorted(found))}, no domains; give the folder '
                         'train itself, and the folder val as the one to validate with')
    folders = set() if collection.is_zip else {
        entry.name for entry in os.scandir(path) if entry.is_dir() and entry.name[0] != '.'}
    empty = sorted(folders - set(found))
    if empty:
        raise ValueError(f'{printable(os.path.join(path, empty[0]))}: a domain without images; put '
                         f'some into it, or remove the folder')


def _of_folders(path, check):
    collection = find_collection(path)
    found = {}
    for name in collection.names:
        found.setdefault(name.split('/')[0] if '/' in name else None, []).append(name)
    _check_folders(collection, found)
    if check:
        check_usable(collection)

    def read(name):
        try:
            return decode.upright(read_file(path, name), decode.Rules(num_channels=3))
        except decode.Unusable as error:
            raise ValueError(f'{printable(os.path.join(path, name))}: {error}; remove or replace '
                             f'it') from error

    domains = tuple(sorted(found))
    return DomainImages(path, domains, tuple(tuple(found[domain]) for domain in domains), read)


def _of_records(path, check):
    dataset = TFRecordDataset(path, max_label_size='full', verify='auto' if check else False)
    labels = dataset.labels
    if not labels.shape[1] or not np.array_equal(np.sort(labels)[:, -2:].sum(axis=1),
                                                 np.ones(len(labels))):
        raise ValueError(f'{path}: has no class for each image; convert the images again with '
                         f'--labels=folders, a folder for each domain')
    domains = tuple(dataset.class_names or map(str, range(labels.shape[1])))
    numbers = labels.argmax(axis=1)
    members = tuple(tuple(np.flatnonzero(numbers == k).tolist()) for k in range(len(domains)))
    for domain, own in zip(domains, members):
        if not own:
            raise ValueError(f'{path}: has no images of the class {domain}; convert the images '
                             f'again without it')

    def read(index):
        return pillow(dataset.read(dataset.resolution, [index])[0]).convert('RGB')

    return DomainImages(path, domains, members, read)


def check_validation(train, val):
    """ValueError where the two DomainImages have not the same domains."""
    for images, other, remedy in (
            (val, train, 'remove it, or train with images of it'),
            (train, val, 'add images of it there, or take --holdout instead of --val')):
        lacking = sorted(set(images.domains) - set(other.domains))
        if lacking:
            raise ValueError(f'{printable(images.path)} has the domain {printable(lacking[0])}, '
                             f'which {printable(other.path)} lacks; {remedy}')


def held_out(images, share):
    """(to train with, to validate with): at least one image of each domain in both.

    An image's part depends on its name alone, so that the others stay where they are when some are
    added.

    Args:
        share: of each domain's images to validate with, above 0 and below 1.
    """
    if not 0 < share < 1:
        raise ValueError(f'--holdout must be above 0 and below 1; received {share}')
    parts = [], []
    for domain, members in zip(images.domains, images.members):
        if len(members) < 2:
            raise ValueError(f'{printable(images.path)}: {printable(domain)} has one image, '
                             f'--holdout needs two or more')
        order = sorted(members, key=lambda member: zlib.crc32(str(member).encode(
            errors='surrogateescape')))
        count = min(max(round(len(order) * share), 1), len(order) - 1)
        for part, own in zip(parts, (order[count:], order[:count])):
            part.append(tuple(sorted(own)))
    return tuple(dataclasses.replace(images, members=tuple(part)) for part in parts)


def crop_box(size, rng):
    """(left, top, right, bottom) of a random crop of an image of this (width, height)."""
    width, height = size
    for _ in range(CROP_TRIES):
        area = width * height * rng.uniform(*CROP_AREA)
        ratio = math.exp(rng.uniform(*map(math.log, CROP_RATIO)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.integers(width - w + 1), rng.integers(height - h + 1)
            return left, top, left + w, top + h
    least, most = CROP_RATIO
    w, h = min(width, round(height * most)), min(height, round(width / least))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def pixels(image, size):
    """An image of Pillow at size x size, its aspect not kept: uint8 [size, size, 3]."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def in_range(images):
    """uint8, an array or a tensor -> float32, [-1, 1], as networks take images."""
    return (tf.cast(images, tf.float32) if tf.is_tensor(images) else np.float32(images)) / 127.5 - 1


def augmented(image, size, randcrop_prob, rng):
    """`pixels` of the image, cropped with that probability and flipped with 1/2."""
    if rng.random() < randcrop_prob:
        image = image.crop(crop_box(image.size, rng))
    array = pixels(image, size)
    return array[:, ::-1] if rng.random() < 0.5 else array


class TranslationStream:
    """The endless stream of rows of a batch, any of which can be had by its position.

    Source and reference are independent: each draws a domain, all alike, and then one of its
    images. The second reference is drawn afresh from the first one's domain. (The original pairs
    references once, for the whole run.)

    Args:
        img_size, latent_dim: of the config.
        randcrop_prob: of each image.
        seed: of all draws, a non-negative int.
    """

    def __init__(self, images: DomainImages, img_size, latent_dim, randcrop_prob, seed):
        self.images, self.img_size, self.latent_dim = images, img_size, latent_dim
        self.randcrop_prob, self.seed = randcrop_prob, seed

    def _rng(self, position, purpose):
        return np.random.default_rng([self.seed, position, purpose])

    def choices(self, position):
        """(domain, image) of the source, the reference and the second one, and the two latents."""
        rng, members = self._rng(position, CHOICES), self.images.members
        y_org, y_trg = rng.integers(len(members), size=2).tolist()
        chosen = [(y, members[y][rng.integers(len(members[y]))]) for y in (y_org, y_trg, y_trg)]
        return chosen, rng.standard_normal([2, self.latent_dim], np.float32)

    def row(self, position):
        """What stands at `position`: a Batch without its first dimension, images in uint8."""
        chosen, (z, z2) = self.choices(position)
        x_real, x_ref, x_ref2 = (
            augmented(self.images.read(member), self.img_size, self.randcrop_prob,
                      self._rng(position, purpose))
            for (_, member), purpose in zip(chosen, (SOURCE, REFERENCE, REFERENCE2)))
        return Batch(x_real=x_real, y_org=np.int32(chosen[0][0]), y_trg=np.int32(chosen[1][0]),
                     x_ref=x_ref, x_ref2=x_ref2, z_trg=z, z_trg2=z2)

    def batches(self, batch_size, position, share=(0, 1)):
        """Batches from `position` (in rows) on, as a prefetching tf.data.Dataset.

        Images are float32 in [-1, 1]. Iterate it under `training.dataset.plain_errors()`.

        Args:
            share: (number, count): only that one of `count` equal parts of each batch.
        """
        size = batch_size // share[1]
        first = position + share[0] * size
        shapes = self._row_shapes()
        types = [tf.uint8 if len(shape) == 3 else tf.float32 if shape else tf.int32
                 for shape in shapes]

        def row_in_graph(number):
            place = first + number // size * batch_size + number % size
            columns = tf.numpy_function(lambda place: list(self.row(int(place))), [place], types)
            return Batch(*map(tf.ensure_shape, columns, shapes))

        options = tf.data.Options()
        options.autotune.enabled = False   # closing a stream would wait for the tuner's sleep
        rows = tf.data.Dataset.range(2**62 // batch_size * size)
        rows = rows.map(row_in_graph, num_parallel_calls=available())  # Pillow lets threads run
        batches = rows.batch(size, drop_remainder=True).map(
            lambda batch: Batch(*map(self._shown, batch)))
        return batches.prefetch(2).with_options(options)

    def _row_shapes(self):
        image, latent = [self.img_size, self.img_size, 3], [self.latent_dim]
        return Batch(x_real=image, y_org=[], y_trg=[], x_ref=image, x_ref2=image, z_trg=latent,
                     z_trg2=latent)

    @staticmethod
    def _shown(column):
        return in_range(column) if column.dtype == tf.uint8 else column
