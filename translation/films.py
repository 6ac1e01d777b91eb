"""Films of translations: sources on the way from one style to the next."""

from __future__ import annotations

import math

import numpy as np

from formats import sheets
from translation.sampler import EASING, between, to_frame

FPS = 30            # of the file
SHOWN_FPS = 12.5    # different frames a second, as in the published films
HELD = 10           # frames more of the last one
WIDEST = 3840       # pixels of a frame: more does not play everywhere


def ways(y):
    """[(i, i + 1), ...]: neighbours of the same domain, which a film goes between; y: [M]."""
    pairs = [(i, i + 1) for i in range(len(y) - 1) if y[i] == y[i + 1]]
    if not pairs:
        raise ValueError('--film goes from one style to the next of the same domain; give two '
                         'seeds or references of one.')
    return pairs


def num_frames(pairs):
    """Frames of a film of these `ways` in the file."""
    return round((len(pairs) * len(EASING) + HELD) * FPS / SHOWN_FPS)


def frames(translator, sources, styles, y, references=None):
    """Yields the frames of the file, uint8 [H, W, 3]: sources above, translations below.

    Args:
        sources: float32 [N, S, S, 3], [-1, 1].
        styles: float32 [M, style_dim], of domains y [M].
        references: images [M, S, S, 3] that the styles are of: shown in a strip at the left, into
            which the next one slides; None = no strip.
    """
    different = _different_frames(translator, sources, styles, y, references)
    for number, frame in enumerate(different, 1):
        for _ in range(round(number * FPS / SHOWN_FPS) - round((number - 1) * FPS / SHOWN_FPS)):
            yield frame


def _different_frames(translator, sources, styles, y, references):
    above, strips = to_frame(sources), None if references is None else to_frame(references)
    for first, second in ways(y):
        way = translator.combinations(sources, between(styles[first], styles[second]), to_frame)
        for weight, images in zip(EASING, way.swapaxes(0, 1)):
            rows = [[*above], [*images]]
            if strips is not None:
                rows = [[None, *above], [slid(strips[first], strips[second], weight), *images]]
            frame = _frame(rows)
            yield frame
    yield from HELD * [frame]


def slid(image, following, weight):
    """What a strip shows: `following` comes in from below, a gap behind `image`."""
    height, width, channels = image.shape
    gap = np.full([height // 8, width, channels], sheets.WHITE, np.uint8)
    top = round(weight * (height + len(gap)))
    return np.concatenate([image, gap, following])[top:top + height]


def _frame(rows):
    """One frame: small images enlarged and set apart, a wide frame reduced."""
    side, columns = len(rows[1][0]), len(rows[1])
    factor = max(1, sheets.VISIBLE // side)
    while factor > 1 and factor * side * columns > WIDEST:
        factor -= 1
    cells = [[cell if cell is None else sheets.enlarge(cell, factor) for cell in row]
             for row in rows]
    frame = sheets.arrange(cells, sheets.separation(side))
    return sheets.shrink(frame, max(1, math.ceil(frame.shape[1] / WIDEST)))
