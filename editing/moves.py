"""Moves along directions: w that are changed, and how that looks on a sheet and in a film."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from editing.directions import Direction
from formats import sheets
from pictures.films import Film
from pictures.style_layers import chosen_layers
from pictures.w_files import SavedW

MAX_STRENGTHS = 99
LARGEST = 512     # pixels, of images on a sheet
WORDS = 40        # pixels, of a line below a row


class Move(NamedTuple):
    """A direction, and the layers in which it is taken."""
    direction: Direction
    layers: tuple

    @property
    def text(self):
        """As --direction has it."""
        own = self.layers == self.direction.layers
        return self.direction.name + ('' if own else ':' + ','.join(map(str, self.layers)))


def parse_move(text, directions, num_layers):
    """The Move that NAME or NAME:LAYERS means.

    Args:
        directions: {name: Direction}.
        num_layers: style layers of the network.
    """
    name, _, layers = text.partition(':')
    if name not in directions:
        known = list(directions)
        shown = ', '.join(known[:10]) + (', ...' if len(known) > 10 else '')
        raise ValueError(f'--direction={text}: must be one of {shown}, which the file has, and '
                         f'layers after a colon if you like, such as {known[0]}:4x4-8x8.')
    direction = directions[name]
    if not layers:
        return Move(direction, direction.layers)
    return Move(direction, tuple(chosen_layers(num_layers, layers, 'direction')))


def parse_strengths(text):
    """'-3:3:7' -> [-3, -2, ..., 3]; '2' -> [2]; '-1,0,4' -> these; finite numbers."""
    match = re.fullmatch(r'([^:]+):([^:]+):(\d{1,3})', text, re.ASCII)
    try:
        values = np.array([float(part) for part in (match.groups()[:2] if match else
                                                    text.split(','))])
    except ValueError:
        values = np.array([np.nan])
    count = int(match[3]) if match else len(values)
    if not np.isfinite(values).all() or count > MAX_STRENGTHS or match and count < 2:
        raise ValueError(f'--strength={text}: must be FROM:TO:COUNT with a COUNT of 2 to '
                         f'{MAX_STRENGTHS}, such as -3:3:7, or numbers separated by commas.')
    return (np.linspace(*values, count) if match else values).astype(np.float32)


def strengths_of(texts, count):
    """[count, K] of the texts of --strength: one for all moves, or one for each.

    A single number is held while the others vary.
    """
    if len(texts) not in (1, count):
        raise ValueError(f'--strength is given {len(texts)} times for {count} directions; give it '
                         'once for all, or once for each in their order.')
    found = [parse_strengths(text) for text in texts] * (count if len(texts) == 1 else 1)
    most = max(map(len, found))
    uneven = [text for text, values in zip(texts, found) if len(values) not in (1, most)]
    if uneven:
        raise ValueError(f'--strength={uneven[0]}: all must be as many numbers, here {most}, or '
                         'one.')
    return np.stack([np.broadcast_to(values, [most]) for values in found])


def moved(w, moves, strengths):
    """w [N, L, D] moved along each Move, so many deviations as its strength [M] says; all at once.

    A step of strength 1 is one standard deviation of the network's w along the direction.
    """
    result = np.array(w, np.float32)
    for move, strength in zip(moves, strengths):
        result[:, list(move.layers)] += strength * move.direction.deviation * move.direction.vector
    return result


def rows_of(saved, moves, strengths, each):
    """Yields (number of the image, words, w [K, L, D]) for each row of a sheet.

    Args:
        saved: pictures.w_files.SavedW.
        strengths: [M, K].
        each: a row for each move; else one for each image, with all moves at once.
    """
    for number in range(len(saved.w)):
        w = saved.w[number:number + 1]
        for part in range(len(moves)) if each else [slice(None)]:
            some, values = np.atleast_1d(np.arange(len(moves))[part]), strengths[part]
            chosen = [moves[i] for i in some]
            values = values.reshape(len(chosen), -1)
            yield number, words_of(chosen, values), np.concatenate(
                [moved(w, chosen, column) for column in values.T])


def words_of(moves, strengths):
    """What a row shows: 'sefa-1: -3 to 3, smiling: 2'."""
    parts = []
    for move, values in zip(moves, strengths):
        ends = f'{values[0]:g}' + (f' to {values[-1]:g}' if values[-1] != values[0] else '')
        parts.append(f'{move.text}: {ends}')
    return ', '.join(parts)


def sheet(sampler, saved, moves, strengths, each=False):
    """uint8 [H, W, C]: a row of images for each image, or for each and each move; words below.

    For the arguments see `rows_of`; images are drawn with their own noise.
    """
    rows = []
    for number, words, w in rows_of(saved, moves, strengths, each):
        images = sampler.images(w, saved.noise_of and saved.noise_of(number, 1))
        images = sheets.shrink(images, max(1, images.shape[1] // LARGEST))
        row = sheets.arrange([list(sheets.visible(images))])
        rows.append(sheets.caption(row, words, WORDS))
    return np.concatenate(rows)


def all_w(saved, moves, strengths, each=False):
    """(w [N, L, D], noise maps or None) of all images on the sheet, row by row."""
    rows = list(rows_of(saved, moves, strengths, each))
    numbers = np.repeat([number for number, *_ in rows], strengths.shape[1])
    noise = saved.noise and [maps[numbers] for maps in saved.noise]
    return np.concatenate([w for *_, w in rows]), noise


def film(saved, moves, strengths, each=False):
    """The Film: from the first strengths to the last and back, a cell for each row of the sheet."""
    if each:
        saved = SavedW(np.repeat(saved.w, len(moves), axis=0), saved.noise and [
            np.repeat(maps, len(moves), axis=0) for maps in saved.noise])
    starts, noise_of = saved.w, saved.noise_of
    first, last = strengths[:, 0], strengths[:, -1]

    def w_at(t):
        now = first + (last - first) * (0.5 - 0.5 * math.cos(2 * math.pi * t))
        if not each:
            return moved(starts, moves, now)
        return np.concatenate([moved(starts[i:i + 1], [moves[i % len(moves)]],
                                     [now[i % len(moves)]]) for i in range(len(starts))])

    return Film(len(starts), w_at, noise_of and (lambda t: noise_of))
