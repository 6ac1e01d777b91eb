"""Which latents a picture is of: numbers on the command line -> z, labels, ways between them."""

from __future__ import annotations

import re

import numpy as np

MAX_NUMBERS = 10 ** 6      # a range is written out; a slip of the keyboard must not fill the memory
MAX_SEED = 2 ** 32 - 1     # NumPy's


def parse_numbers(text, flag):
    """'0-3,7' -> [0, 1, 2, 3, 7]: integers from 0 up and ranges with both ends, in their order.

    flag: name of the flag that `text` comes from (without dashes), for the error.
    """
    rule = (f'--{flag}={text}: must be integers and ranges separated by commas, such as '
            f'--{flag}=0-35,99')
    numbers = []
    for part in str(text).split(','):
        match = re.fullmatch(r'\s*(\d+)\s*(?:-\s*(\d+)\s*)?', part, re.ASCII)
        if not match:
            raise ValueError(f'{rule}; {part.strip()!r} is neither.')
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f'{rule}; {part.strip()!r} runs backwards.')
        if len(numbers) + last - first >= MAX_NUMBERS:
            raise ValueError(f'{rule}; these are more than {MAX_NUMBERS:,} numbers.')
        numbers.extend(range(first, last + 1))
    return numbers


def parse_floats(text, flag):
    """'1,0.7,-1' -> [1.0, 0.7, -1.0], finite numbers."""
    try:
        values = [float(part) for part in text.split(',')]
    except ValueError:
        values = [np.nan]
    if not np.isfinite(values).all():
        raise ValueError(f'--{flag}={text}: must be numbers separated by commas, such as '
                         f'--{flag}=1,0.7,0,-1.')
    return values


def check_seeds(seeds):
    """ValueError where one of the seeds is none."""
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f'seed {seed}: must be within 0..{MAX_SEED}; choose another.')


def latents_of(seeds, latent_size):
    """z, float32 [N, latent_size]: row i is RandomState(seeds[i]).randn(1, latent_size)."""
    check_seeds(seeds)
    rows = [np.random.RandomState(seed).randn(1, latent_size) for seed in seeds]
    return np.concatenate(rows or [np.zeros([0, latent_size])]).astype(np.float32)


def class_labels(config, class_idx, count, start=0):
    """Labels, float32 [count, label_size], one-hot rows; None for an unconditional network.

    config: of the generator, with its label_size.
    class_idx: the class of all of them; None = each class in turn, beginning with `start`.
    """
    size = config.label_size
    if class_idx is not None and not size:
        raise ValueError(f'--class_idx={class_idx}: the network has no classes; leave it out.')
    if class_idx is not None and not 0 <= class_idx < size:
        raise ValueError(f'--class_idx={class_idx}: must be within 0..{size - 1}, the classes of '
                         'this network.')
    if not size:
        return None
    in_turn = np.arange(start, start + count) % size
    classes = in_turn if class_idx is None else np.full(count, class_idx)
    return np.eye(size, dtype=np.float32)[classes]


def lerp(a, b, t):
    """a + (b - a) * t."""
    return a + (b - a) * t


def slerp(a, b, t):
    """From a (t = 0) to b (t = 1) along the great circle; its length changes evenly.

    Random latents lie near a sphere: a straight line would leave it (White 2016).

    a, b: [..., D]; t: number or [..., 1].
    """
    length_a, length_b = (np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    unit_a, unit_b = a / np.maximum(length_a, 1e-12), b / np.maximum(length_b, 1e-12)
    angle = np.arccos(np.clip(np.sum(unit_a * unit_b, axis=-1, keepdims=True), -1, 1))
    sine = np.sin(angle)
    straight = sine < 1e-4  # the same direction (or opposite ones: no great circle is the one)
    safe = np.where(straight, 1, sine)
    direction = np.where(straight, lerp(unit_a, unit_b, t),
                         (np.sin((1 - t) * angle) * unit_a + np.sin(t * angle) * unit_b) / safe)
    return (direction * lerp(length_a, length_b, t)).astype(np.float32)


def spline(keys, position, loop):
    """The smooth curve through keys [K, ...] (Catmull-Rom) at `position`; key i lies at i.

    position: 0..K - 1 or, with `loop`, 0..K, where K is key 0 again.
    """
    count, first = len(keys), int(np.floor(position))
    t = position - first
    numbers = np.arange(first - 1, first + 3)
    p0, p1, p2, p3 = keys[numbers % count if loop else np.clip(numbers, 0, count - 1)]
    return p1 + t / 2 * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3
                                        + t * (3 * (p1 - p2) + p3 - p0)))


class Walk:
    """A smooth random walk: N(0, 1) draws a step apart, under a Gaussian of half a step's width.

    Every point of it is distributed as its draws are, N(0, 1); points a step apart have the
    correlation exp(-1). Each draw is made when it is needed, from (seed, number), so that a walk of
    a day takes as much memory as one of a second.

    Args:
        shape: of a point, such as [N, latent_size].
        seed: integer from 0 up.
        steps: a walk that returns to its beginning after so many steps, 3 or more; None = never.
    """
    WIDTH = 0.5  # steps, standard deviation
    REACH = 3    # steps; what is farther away weighs less than 1e-7

    def __init__(self, shape, seed, steps=None):
        self.shape, self.seed, self.steps = tuple(shape), seed, steps
        self._draws = {}  # those of the last point: the next one needs nearly the same

    def at(self, position):
        """The point float32 `shape` at `position` (in steps, from 0 up)."""
        first = int(np.floor(position)) - self.REACH + 1
        numbers = np.arange(first, first + 2 * self.REACH)
        weights = np.exp(-0.5 * ((numbers - position) / self.WIDTH) ** 2)
        wrapped = numbers % self.steps if self.steps else numbers + self.REACH
        distinct, places = np.unique(wrapped, return_inverse=True)
        weights = np.bincount(places, weights)
        self._draws = {n: self._draws[n] if n in self._draws else self._draw(n) for n in distinct}
        point = sum(weight * self._draws[n] for weight, n in zip(weights, distinct))
        return (point / np.sqrt(np.sum(weights ** 2))).astype(np.float32)

    def _draw(self, number):
        return np.random.default_rng([self.seed, int(number)]).standard_normal(self.shape,
                                                                               np.float32)
