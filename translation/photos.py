"""Images of any size and kind as a translation network takes them: one file, a folder, a zip."""

from __future__ import annotations

import collections
import os
import zipfile
from typing import NamedTuple

import numpy as np

from conversion import decode
from conversion.collection import Collection, find_collection, nearby, printable, read_file
from translation.data import check_usable, in_range, pixels


class Photos(NamedTuple):
    """Some images, checked; each is decoded when it is asked for."""
    collection: Collection
    img_size: int

    @property
    def names(self):
        """Relative paths, with '/'."""
        return self.collection.names

    def read(self, numbers):
        """Images float32 [N, img_size, img_size, 3], [-1, 1]: the middle square of each, scaled.

        Upright, on white where they are transparent; scaled bilinearly with antialiasing, as for
        training.
        """
        square = decode.Rules(num_channels=3, crop='center')
        images = [decode.fit(decode.upright(read_file(self.collection.path, self.names[number]),
                                            square), square) for number in numbers]
        return in_range(np.stack([pixels(image, self.img_size) for image in images]))

    def first(self, count):
        """The first `count` of them."""
        names = self.names[:count]
        return self._replace(collection=Collection(self.collection.path, names, {}))

    def in_parts(self, size):
        """Yields the numbers of all of them, `size` at a time."""
        for start in range(0, len(self.names), size):
            yield range(start, min(start + size, len(self.names)))

    def titles(self):
        """For each a name without folder and extension, to name pictures by; all are different."""
        titles = [os.path.splitext(name)[0].replace('/', '-') for name in self.names]
        count = collections.Counter(titles)
        return [title if count[title] == 1 else f'{title}-{number:05d}'
                for number, title in enumerate(titles)]

    def domains(self, known, flag):
        """For each image the number of the domain among `known` whose folder it is in.

        The innermost folder with the name of a domain counts, the given one included.
        """
        path = os.path.abspath(self.collection.path)
        numbers = []
        for name in self.names:
            folders = [os.path.basename(path), *name.split('/')[:-1]]
            found = [known.index(folder) for folder in folders if folder in known]
            if not found:
                raise ValueError(f'--{flag}: {printable(os.path.join(path, name))} is of no '
                                 f'domain: it lies in no folder {", ".join(known)}; give '
                                 '--domain.')
            numbers.append(found[-1])
        return numbers


def open_photos(path, img_size, flag):
    """The Photos at `path`, an image file or a folder or zip of them; ValueError names a bad one.

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
    return Photos(collection, img_size)
