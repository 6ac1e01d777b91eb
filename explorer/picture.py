"""What the page shows, with all that it takes to have it again: pixels, w, the command line."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from typing import NamedTuple

import numpy as np

from formats.png import encoded
from pictures.w_files import SavedW, save_w

COMMAND_FILE = 'command.txt'


class Picture(NamedTuple):
    """One picture, or a sheet of several."""
    name: str            # of its files, without ending
    image: np.ndarray    # uint8 [H, W, C]
    saved: SavedW        # w [N, L, dlatent_size] and noise maps of all images on it
    command: str         # draws it again, in the folder of its files
    others: tuple = ()   # (name, SavedW) of further files of w that the command reads


def archive(picture, network_sha256):
    """The bytes of a zip: the PNG, its w (NAME.npz), the command and the files that this reads."""
    data = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(data, 'w') as file:
        file.writestr(f'{picture.name}.png', encoded(picture.image, '.png'))
        for name, saved in ((picture.name, picture.saved), *picture.others):
            path = os.path.join(folder, f'{name}.npz')
            save_w(path, saved.w, saved.noise, network_sha256)
            file.write(path, f'{name}.npz')
        file.writestr(COMMAND_FILE, f'{picture.command}\n')
    return data.getvalue()


def together(pictures, sampler):
    """The SavedW of all images of several pictures, one after the other.

    Where one has noise maps of its own, those that have none get the network's.
    """
    w = np.concatenate([picture.saved.w for picture in pictures])
    if all(picture.saved.noise is None for picture in pictures):
        return SavedW(w, noise=None)
    stored = [np.asarray(maps) for maps in sampler.stored_noise()]
    maps_of = [picture.saved.noise or [np.repeat(maps, len(picture.saved.w), axis=0)
                                       for maps in stored] for picture in pictures]
    return SavedW(w, [np.concatenate(maps) for maps in zip(*maps_of)])
