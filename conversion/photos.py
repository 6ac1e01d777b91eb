"""Images of any size and kind for a network: one file, a folder, a zip; decoded when asked for."""

from __future__ import annotations

import collections
import os
import zipfile
from typing import Callable, NamedTuple

import numpy as np

from conversion import decode, scan
from conversion.collection import (
    Collection,
    find_collection,
    nearby,
    printable,
    read_file,
    some_names,
)
from conversion.workers import Workers, count_for


class Photos(NamedTuple):
    """Some images, checked; each is decoded when it is asked for."""
    files: tuple       # of (folder or zip file, name in it with '/')
    prepare: Callable  # the bytes of an image -> array, as the network takes it

    @property
    def names(self):
        """Relative paths, with '/'."""
        return tuple(name for _, name in self.files)

    def read(self, numbers):
        """[N, ...]: what `prepare` makes of the images of these numbers."""
        return np.stack([self.prepare(read_file(*self.files[number])) for number in numbers])

    def first(self, count):
        """The first `count` of them."""
        return self._replace(files=self.files[:count])

    def in_parts(self, size):
        """Yields the numbers of all of them, `size` at a time."""
        for start in range(0, len(self.files), size):
            yield range(start, min(start + size, len(self.files)))

    def titles(self):
        """For each a name without folder and extension, to name pictures by; all are different."""
        titles = [os.path.splitext(name)[0].replace('/', '-') for name in self.names]
        count = collections.Counter(titles)
        return [title if count[title] == 1 else f'{title}-{number:05d}'
                for number, title in enumerate(titles)]


def check_usable(collection):
    """ValueError that names the images that cannot be decoded."""
    with Workers(count_for(len(collection.names))) as workers:
        rules = decode.Rules(resolution=4, crop='center')  # any size and shape will do
        unusable = scan.scan(collection, rules, None, workers, lambda results: results).unusable
    if unusable:
        raise ValueError(f'{printable(collection.path)}: {len(unusable)} images cannot be used: '
                         + some_names([f'{name} {why}' for name, why in unusable.items()])
                         + '; remove or replace them')


def open_photos(path, prepare, flag):
    """The Photos at `path`, an image file or a folder or zip of them; ValueError names a bad one.

    Args:
        prepare: as Photos has it.
        flag: that names the path, without dashes.
    """
    if not os.path.exists(path):
        raise ValueError(f'--{flag}={printable(path)}: there is no such file or folder'
                         f'{nearby(path)}.')
    if os.path.isdir(path) or zipfile.is_zipfile(path):
        collection = find_collection(path)
    else:
        folder, name = os.path.split(path)
        collection = Collection(folder or '.', (name,), {})
    check_usable(collection)
    return Photos(tuple((collection.path, name) for name in collection.names), prepare)
