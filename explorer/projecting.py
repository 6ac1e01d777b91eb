"""The tab Project: the w of a photo, with previews on the way there, until somebody says stop."""

from __future__ import annotations

import time
from typing import NamedTuple, Optional

import numpy as np

from conversion.decode import Unusable
from editing import pairs, targets
from editing.projection import Options, Projector
from explorer.picture import Picture
from pictures.w_files import SavedW
from training.sampler import to_png_uint8

NAME = 'projected'
PREVIEW_SECONDS = 0.25   # between previews: more often nobody sees, and each is sent


class Stop:
    """A window's wish that its projection ends with the best so far."""

    def __init__(self):
        self.asked = False


class Preview(NamedTuple):
    """What is seen of a projection."""
    image: np.ndarray            # uint8 [r, r, C]: what the last step drew, at the end the best
    words: str
    picture: Optional[Picture]   # the result, at the end


def target_of(sampler, path):
    """float32 [r, r, C], [-1, 1]: the image file `path` in the size and channels of the network.

    Raises:
        ValueError: it is no image, or too large; says why.
    """
    try:
        with open(path, 'rb') as file:
            return targets.prepared(sampler.resolution, sampler.num_channels, 'center', file.read())
    except Unusable as error:
        raise ValueError(f'This file cannot be used: it {error}.') from error


def shown(target):
    """uint8 [r, r, C] of an image of `target_of`."""
    return to_png_uint8(target)


def previews(studio, target, distance, options: Options, stop):
    """Yields the Previews of a projection of `target`; the last one holds what was found.

    Args:
        distance: one of editing.distances.
        stop: the window's Stop; it is looked at after each step.
    """
    projector = Projector(studio.sampler, target[np.newaxis], studio.statistics, distance, options)
    stop.asked, last = False, 0.0
    for moment in projector.moments():
        if stop.asked:
            break
        if time.monotonic() - last > PREVIEW_SECONDS:
            last = time.monotonic()
            yield Preview(to_png_uint8(moment.images[0]), f'Step {moment.step} of {moment.steps}, '
                          f'distance {moment.best[0]:.4f} ({distance.name})', None)
    found = projector.best()
    picture = studio.picture(NAME, SavedW(found.w, found.noise))
    words = pairs.sentence(f'Stopped at step {moment.step} of {moment.steps}, the best so far'
                           if stop.asked else 'Done', 0, found, studio.statistics)
    yield Preview(picture.image, words, picture)
