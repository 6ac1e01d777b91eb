"""Keeps the pixels of checked images until they are written, so that no file is decoded twice."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile

import numpy as np

MEMORY_BYTES = 2**29  # of pixels in memory; the others go to the disk


@dataclasses.dataclass(frozen=True)
class Slots:
    """Where the pixels of images are kept, uint8 [C, side, side]; for all worker processes.

    Image number `index` has a place of its own, so nobody has to wait for anybody.
    """
    files: tuple       # (path, number of places) of each file, in the order of the images
    num_channels: int  # of the images, at most
    side: int          # of the images, pixels

    def put(self, index, pixels):
        """Keeps the pixels of image `index`; False where there is no room for them."""
        path, offset = self._place(index)
        if path is None:
            return False
        try:
            with open(path, 'r+b', buffering=0) as file:
                return os.pwrite(file.fileno(), pixels, offset) == pixels.nbytes
        except OSError:  # the disk has filled up meanwhile
            return False

    def get(self, index, num_channels):
        """The pixels, uint8 [num_channels, side, side], that `put` has kept."""
        path, offset = self._place(index)
        pixels = np.empty([num_channels, self.side, self.side], np.uint8)
        with open(path, 'rb', buffering=0) as file:
            if os.preadv(file.fileno(), [pixels], offset) != pixels.nbytes:
                raise OSError(f'{path}: the pixels of image {index} were kept, and are gone')
        return pixels

    def _place(self, index):
        for path, count in self.files:
            if index < count:
                return path, index * self.num_channels * self.side**2
            index -= count
        return None, 0


@contextlib.contextmanager
def slots(directory, num_images, num_channels, side, disk_bytes):
    """Yields Slots for so many images: in memory first, then on the disk, then none.

    The files have no names: they are gone when this process ends, however it ends.

    Args:
        directory: an existing one on the disk to use.
        disk_bytes: the most that may lie there.
    """
    size = num_channels * side**2
    in_memory = min(num_images, MEMORY_BYTES // size)
    on_disk = min(num_images - in_memory, disk_bytes // size)
    with contextlib.ExitStack() as stack:
        files = []
        if sys.platform == 'linux':  # elsewhere another process could not open such a file
            if in_memory:
                file = stack.enter_context(open(os.memfd_create('pixels'), 'r+b', buffering=0))
                files.append((_path(file), in_memory))
            if on_disk > 0:
                with contextlib.suppress(OSError):  # whoever writes there will say what is wrong
                    file = stack.enter_context(tempfile.TemporaryFile(dir=directory))
                    files.append((_path(file), on_disk))
        yield Slots(tuple(files), num_channels, side)


def _path(file):
    """What another process of this user opens."""
    return f'/proc/{os.getpid()}/fd/{file.fileno()}'
