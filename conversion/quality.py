"""Which images of a collection are not good ones, and why: the one code that says so."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from conversion import duplicates

ENOUGH = 20          # images, to tell what is blurred for this set
DEVIATION = 1.4826   # median absolute deviations in a standard deviation


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an image must keep to; 0 turns a check off."""
    min_size: int = 64          # pixels that the shorter side must have
    max_aspect: float = 2.0     # how many times as long as the shorter side the longer one may be
    transparent: float = 0.5    # share of the pixels that may be transparent
    plain: float = 6.0          # gray levels by which pixels must differ from their mean colour
    gray: float = 2.0           # gray levels by which channels must differ, where most images have
    # colour
    blur: float = 4.0           # how much less sharp an image may be than is usual in this set,
    # in standard deviations of the logarithm
    bars: float = 0.07          # share of an image that may be bars at two opposite sides
    near: int = 6               # bits of 64 that differ, at most, in the hashes of images that are
    # nearly the same
    near_levels: float = 12.0   # gray levels that differ, at most, in their thumbnails of 8x8

    def __post_init__(self):
        for name, most in (('min_size', 2 ** 16), ('max_aspect', 1000), ('transparent', 1),
                           ('plain', 128), ('gray', 255), ('blur', 100), ('bars', 1),
                           ('near', duplicates.MOST_BITS), ('near_levels', 255)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f'--{name}={value:g}: must be within 0..{most}; 0 turns the check '
                                 'off')
        if 0 < self.max_aspect < 1:
            raise ValueError(f'--max_aspect={self.max_aspect:g}: must be 1 or more (the longer '
                             'side over the shorter), or 0, which turns the check off')


class Check(NamedTuple):
    """A kind of fault."""
    name: str      # of it, as in a file's name
    words: str     # what an image with it is


CHECKS = (Check('small', 'too small'), Check('aspect', 'too long and narrow'),
          Check('transparent', 'mostly transparent'), Check('plain', 'nearly one colour'),
          Check('gray', 'gray among colour'), Check('blurred', 'blurred'),
          Check('bars', 'letterboxed'), Check('same', 'the same as another'),
          Check('near', 'nearly the same as another'))


class Verdicts(NamedTuple):
    """What is wrong with N images."""
    reasons: dict        # {name of a check: {number of an image: what was measured, in words}}
    kept: np.ndarray     # [N]: of each image, the number of the one that is kept of its duplicates


def judge(measured, limits=Limits()):
    """The Verdicts on a list of measuring.Measured."""
    column = {name: np.array([getattr(one, name) for one in measured]) for name in
              ('width', 'height', 'transparent', 'spread', 'colour', 'sharpness', 'bars')}
    shorter = np.minimum(column['width'], column['height'])
    aspect = np.maximum(column['width'], column['height']) / np.maximum(shorter, 1)
    least = _least_sharpness(column, limits)
    mostly_colour = (column['colour'] >= limits.gray).mean() > 0.5 if len(measured) else False
    plain = column['spread'] < limits.plain
    found = {
        'small': (shorter < limits.min_size, '{:.0f} pixels', shorter),
        'aspect': (_above(aspect, limits.max_aspect), '{:.1f} to 1', aspect),
        'transparent': (_above(column['transparent'], limits.transparent), '{:.0%}',
                        column['transparent']),
        'plain': (plain, 'spread {:.1f}', column['spread']),
        'gray': ((column['colour'] < limits.gray) & mostly_colour, 'colour {:.1f}',
                 column['colour']),
        'blurred': ((column['sharpness'] < least) & ~plain, 'sharpness {:.2f}',
                    column['sharpness']),
        'bars': (_above(column['bars'], limits.bars), 'bars {:.0%}', column['bars'])}
    reasons = {name: {int(number): form.format(values[number]) for number in np.flatnonzero(bad)}
               for name, (bad, form, values) in found.items()}
    kept = _best_of_groups(measured, limits, reasons)
    for kind, is_same in (('same', True), ('near', False)):
        reasons[kind] = {number: '' for number, best in enumerate(kept) if number != best and
                         (measured[number].pixels == measured[best].pixels) == is_same}
    return Verdicts(reasons, kept)


def _above(values, most):
    """Which values are larger than `most`; none where the check is turned off."""
    return (values > most) & (most > 0)


def _least_sharpness(column, limits):
    """Below this, images are blurred, by the sharpness that images of this set have.

    Images of one colour do not count: they are never sharp. Both measures are robust, so that a
    tenth of bad images does not change them much.
    """
    usual = column['sharpness'][column['spread'] >= limits.plain]
    if not limits.blur or len(usual) < ENOUGH:
        return -np.inf
    median = np.median(usual)
    return median - limits.blur * DEVIATION * np.median(np.abs(usual - median))


def _best_of_groups(measured, limits, reasons):
    """int [N]: of each image the best of its group: faultless, then largest, then sharpest."""
    bits = limits.near if limits.near and limits.near_levels else -1
    roots = duplicates.groups(
        [one.pixels for one in measured], [one.looks for one in measured],
        np.array([np.frombuffer(one.thumbnail, np.uint8) for one in measured]), bits,
        limits.near_levels)
    faulty = set().union(*reasons.values())
    best = {}
    for number, root in enumerate(roots):
        one = measured[number]
        key = number not in faulty, one.width * one.height, one.sharpness, -number
        if root not in best or key > best[root][0]:
            best[root] = key, number
    return np.array([best[root][1] for root in roots], int)
