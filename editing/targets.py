"""The images that are projected: of any size and kind, brought to a network's shape."""

from __future__ import annotations

import functools

import numpy as np

from conversion import decode, photos

CROPS = ('center', 'pad')


def prepared(resolution, num_channels, crop, data):
    """The image in `data` (bytes) as float32 [r, r, C], [-1, 1], as dataset_tool.py converts it.

    Upright and scaled; on white where it is transparent.

    Args:
        crop: 'center' = its middle square; 'pad' = all of it, between black bars.
    Raises:
        conversion.decode.Unusable: it is no image, or too large.
    """
    background = 'black' if crop == 'pad' else 'white'
    rules = decode.Rules(resolution, num_channels, crop=crop, background=background)
    return decode.decode(data, rules).transpose(1, 2, 0).astype(np.float32) / 127.5 - 1


def open_targets(paths, sampler, crop='center', flag='target'):
    """The conversion.photos.Photos of all `paths`: image files, folders, zips.

    Args:
        sampler: training.sampler.Sampler whose size they get.
        crop: one of CROPS; for the others see `prepared`.
        flag: that names the paths, for errors.
    """
    prepare = functools.partial(prepared, sampler.resolution, sampler.num_channels, crop)
    opened = [photos.open_photos(path, prepare, flag) for path in paths]
    return photos.Photos(tuple(file for one in opened for file in one.files), prepare)
