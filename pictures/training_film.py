"""The film of a training: its fakes000000.png, fakes000120.png, ... one after the other."""

from __future__ import annotations

import os
import re

import numpy as np
import PIL.Image

LARGEST_SIZE = (3840, 2160)  # of a frame: more does not play everywhere
SMALLEST_SIDE = 512          # pixels; smaller pictures are enlarged by whole factors


def pictures_of(run_dir):
    """Paths of fakes*.png in the order of their kimg."""
    found = {}
    for name in os.listdir(run_dir):
        match = re.fullmatch(r'fakes(\d+)\.png', name)
        if match:
            found[int(match[1])] = os.path.join(run_dir, name)
    if not found:
        raise ValueError(f'--run={run_dir}: there is no fakes*.png in it; training writes one at '
                         'each image_snapshot_ticks.')
    return [path for _, path in sorted(found.items())]


def frame_size(paths):
    """(width, height) that all pictures fit into; reads only what stands at their beginnings."""
    sizes = []
    for path in paths:
        try:
            with PIL.Image.open(path) as picture:
                sizes.append(picture.size)
        except OSError as error:
            raise ValueError(f'{path}: is not a PNG file ({error}); remove it.') from error
    width, height = (max(sides) for sides in zip(*sizes))
    factor = max(1, SMALLEST_SIDE // max(width, height))
    shrink = min(1, *(most / side for most, side in zip(LARGEST_SIZE, (width, height))))
    return tuple(max(2, round(side * factor * shrink)) for side in (width, height))


def fitted(picture, size):
    """The picture as large as fits into `size`, on black: whole pixels, if it comes out even."""
    factor = min(most / side for most, side in zip(size, picture.size))
    filter = PIL.Image.NEAREST if factor == int(factor) else PIL.Image.LANCZOS
    picture = picture.resize([max(1, round(side * factor)) for side in picture.size], filter)
    frame = PIL.Image.new('RGB', size)
    frame.paste(picture, [(most - side) // 2 for most, side in zip(size, picture.size)])
    return np.asarray(frame)


def frames(paths, size, num_frames):
    """Yields uint8 [H, W, 3]: the pictures evenly over `num_frames`."""
    shown = frame = None
    for i in range(num_frames):
        path = paths[i * len(paths) // num_frames]
        if path != shown:
            try:
                with PIL.Image.open(path) as picture:
                    shown, frame = path, fitted(picture.convert('RGB'), size)
            except OSError as error:
                raise ValueError(f'{path}: is not a whole PNG file ({error}); remove it.'
                                 ) from error
        yield frame
