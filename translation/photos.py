"""Images of any size and kind as a translation network takes them, and the domains they are of."""

from __future__ import annotations

import functools
import os

from conversion import decode, photos
from conversion.collection import printable
from translation.data import in_range, pixels


def _prepared(img_size, data):
    """float32 [img_size, img_size, 3], [-1, 1]: the middle square of an image (bytes), scaled.

    Upright, on white where it is transparent; scaled bilinearly with antialiasing, as for training.
    """
    square = decode.Rules(num_channels=3, crop='center')
    return in_range(pixels(decode.fit(decode.upright(data, square), square), img_size))


def open_photos(path, img_size, flag):
    """The conversion.photos.Photos at `path`, an image file or a folder or zip of them.

    flag: that names the path, without dashes.
    """
    return photos.open_photos(path, functools.partial(_prepared, img_size), flag)


def domains(images, known, flag):
    """For each of the Photos the number of the domain among `known` whose folder it is in.

    The innermost folder with the name of a domain counts, the given one included.
    """
    numbers = []
    for path, name in images.files:
        path = os.path.abspath(path)
        folders = [os.path.basename(path), *name.split('/')[:-1]]
        found = [known.index(folder) for folder in folders if folder in known]
        if not found:
            raise ValueError(f'--{flag}: {printable(os.path.join(path, name))} is of no '
                             f'domain: it lies in no folder {", ".join(known)}; give --domain.')
        numbers.append(found[-1])
    return numbers
