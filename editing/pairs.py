"""Targets and what was drawn for them, side by side: pictures, frames of a film, numbers."""

from __future__ import annotations

import math

import numpy as np

from formats import sheets
from formats.tables import write_csv
from pictures import films
from training.sampler import to_png_uint8

SHOWN = 16         # pairs in a film, at most
FRAMES, FPS = 150, 30
COLUMNS = ('name', 'distance', 'rmse', 'away', 'far_out')


def pairs(targets, images):
    """uint8 [N, r, 2 r, C] of two times images [N, r, r, C], about [-1, 1]."""
    return np.concatenate([to_png_uint8(targets), to_png_uint8(images)], axis=2)


def visible(shown):
    """Pairs uint8 [..., r, 2 r, C], enlarged by a whole factor where they are small."""
    return sheets.enlarge(shown, max(1, sheets.VISIBLE // shown.shape[-3]))


def is_due(step, steps):
    """Whether a film shows a step of 1 .. steps: the first, the last, FRAMES in all at most."""
    return step == 1 or step * FRAMES // steps > (step - 1) * FRAMES // steps


def sheet(shown, places=SHOWN):
    """The first of some pairs [N, r, 2 r, C] in rows; always of one size for so many places."""
    count = min(places, SHOWN)
    shown = np.asarray(shown[:count])
    return films.screen(visible(shown), math.ceil(math.sqrt(count / 2)),
                        sheets.separation(shown.shape[1]), count)


def frame(targets, images, places):
    """A frame of a film: the first pairs, `places` at most; always of one size."""
    return sheet(pairs(targets[:SHOWN], images[:SHOWN]), places)


def is_far_out(away, statistics):
    """Whether w `away` sigmas from the mean is farther than 999 of 1000 that the network maps."""
    return away > statistics.usual


def sentence(name, number, projection, statistics):
    """What was found for one image, in a line."""
    away = projection.away[number]
    warning = ' - far out: editing will look wrong' if is_far_out(away, statistics) else ''
    return (f'{name}: distance {projection.distances[number]:.4f}, pixels '
            f'{projection.rmse[number]:.1f} of 255 (RMSE), w {away:.2f} sigma from the mean'
            f'{warning}')


def write_table(path, names, projection, statistics):
    """CSV: what was found for each image."""
    write_csv(path, COLUMNS, (
        [name, f'{distance:.5f}', f'{rmse:.3f}', f'{away:.4f}', int(is_far_out(away, statistics))]
        for name, distance, rmse, away in zip(names, projection.distances, projection.rmse,
                                              projection.away)))
