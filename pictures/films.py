"""Films of a network: what is seen in each frame, and the frames one after the other.

A film is a function of time: t runs from 0 to 1, and in a loop 1 is 0 again.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Callable, NamedTuple, Optional

import numpy as np

from formats import sheets
from pictures import stills
from pictures.latents import Walk, class_labels, spline
from training.sampler import OWN

LARGEST_WIDTH, LARGEST_HEIGHT = 3840, 2160  # of a frame: more does not play everywhere


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long a film is, and whether its end is its beginning."""
    seconds: float
    fps: float
    loop: bool

    def __post_init__(self):
        for name, most in (('seconds', 24 * 3600), ('fps', 240)):
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f'--{name}={getattr(self, name):g}: must be above 0 and at most '
                                 f'{most}.')

    @property
    def num_frames(self):
        return max(1, round(self.seconds * self.fps))

    def time(self, frame):
        """t of a frame, 0..1."""
        return frame / (self.num_frames if self.loop else max(1, self.num_frames - 1))


class Film(NamedTuple):
    """What is seen at time t."""
    cells: int                     # images in a frame
    w_at: Callable                 # t -> w [cells, L, dlatent_size]
    noise_at: Optional[Callable] = None  # t -> noise as Sampler.images takes it;
                                          # None = the sampler's


def check(sampler, kind):
    """ValueError where the network lacks what a film of this kind changes."""
    lacks = {'coarse': sampler.num_layers < 3 and 'three style layers',
             'fine': sampler.num_layers < 3 and 'three style layers',
             'styles': sampler.num_layers < 2 and 'style layers',
             'noise': not sampler.has_noise and 'noise inputs',
             'truncation': not sampler.has_w and 'truncation (it is a ProGAN)'}.get(kind)
    if lacks:
        raise ValueError(f'--kind={kind}: the network has no {lacks}; take another network or '
                         'kind.')


def _walk(cells, sampler, timing, seed, pace):
    """t -> z [cells, latent_size], a smooth random walk that changes within `pace` seconds."""
    steps = timing.seconds / pace
    if timing.loop:
        steps = max(3, round(steps))
    walk = Walk([cells, sampler.config.latent_size], seed, steps if timing.loop else None)
    return lambda t: walk.at(t * steps)


def random_walks(sampler, cells, timing, seed, pace, truncation=OWN, class_idx=None):
    """Each cell wanders on its own."""
    z_at = _walk(cells, sampler, timing, seed, pace)
    labels = class_labels(sampler.config, class_idx, cells)
    return Film(cells, lambda t: sampler.w(z_at(t), labels, truncation))


def style_walk(sampler, w, layers, timing, seed, pace, truncation=OWN, class_idx=None):
    """The style layers `layers` of fixed images w wander, the same way in all."""
    z_at = _walk(1, sampler, timing, seed, pace)
    labels = class_labels(sampler.config, class_idx, 1)

    def w_at(t):
        styles = sampler.w(z_at(t), labels, truncation)
        return stills.mixed(w, np.repeat(styles, len(w), axis=0), layers)

    return Film(len(w), w_at)


def noise_loop(sampler, w, seed):
    """Fixed images w under noise that goes round in a circle: N(0, 1) at each moment."""
    here, there = (sampler.random_noise(1, [seed, i]) for i in (0, 1))

    def noise_at(t):
        return [math.cos(2 * math.pi * t) * a + math.sin(2 * math.pi * t) * b
                for a, b in zip(here, there)]

    return Film(len(w), lambda t: w, noise_at)


def truncation_sweep(sampler, w, loop, cutoff=None):
    """From the images w themselves over the average to their opposites, and in a loop back.

    cutoff: layers that are truncated, None = all: else each image has an average of its own.
    """
    def w_at(t):
        return sampler.towards_average(w, math.cos(2 * math.pi * t) if loop else 1 - 2 * t, cutoff)

    return Film(len(w), w_at)


def key_frames(w, loop):
    """One smooth way through the images w, [K, L, dlatent_size]; in a loop back to the first."""
    if len(w) < 2:
        raise ValueError('--kind=keys: goes from one image to the next; give two seeds or more.')
    return Film(1, lambda t: spline(w, t * (len(w) - (not loop)), loop)[np.newaxis])


def screen(cells, columns, between, places=None):
    """A frame uint8 [H, W, C] of images [N, h, w, C] in rows of `columns`.

    Small images are enlarged, as on the sheets; what is too large for players is shrunk.

    Args:
        between: pixels of white between neighbours.
        places: of the screen, where it has more of them than there are images.
    """
    cells = list(sheets.visible(cells))
    cells += [None] * ((places or len(cells)) - len(cells))
    cells += [None] * (-len(cells) % columns)
    frame = sheets.arrange([cells[i:i + columns] for i in range(0, len(cells), columns)], between)
    return sheets.shrink(frame, max(1, math.ceil(frame.shape[1] / LARGEST_WIDTH),
                                    math.ceil(frame.shape[0] / LARGEST_HEIGHT)))


def frames(sampler, film, timing, columns):
    """Yields uint8 [H, W, C]; as many at a time are in memory as fit into a minibatch."""
    at_once = 1 if film.noise_at else max(1, sampler.minibatch // film.cells)
    for start in range(0, timing.num_frames, at_once):
        times = [timing.time(i) for i in range(start, min(start + at_once, timing.num_frames))]
        w = np.concatenate([film.w_at(t) for t in times])
        images = sampler.images(w, film.noise_at(times[0]) if film.noise_at else None)
        for cells in np.split(images, len(times)):
            yield screen(cells, columns, sheets.separation(sampler.resolution))
