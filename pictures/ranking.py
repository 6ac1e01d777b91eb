"""Scores of a network's discriminator for a collection of images, and what is made of them."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from conversion.collection import write_names
from formats import sheets
from formats.tables import write_csv
from pictures.image_sources import read_usable
from training.dataset import process_reals
from training.networks import split_lod
from training.sampler import largest_minibatch

POOL_BYTES = 2 ** 28        # images kept in memory, among which groups are formed
SHOWN, COLUMNS = 24, 8      # images on the contact sheet, the best and as many of the worst
CELL, WORDS = 128, 20       # pixels: images on the sheet, and the lines below them
ADVICE = ('Advice only: a discriminator likes what its generator cannot do yet, and has a taste '
          'for the usual. Look at the images before you leave any out.')


class Scores(NamedTuple):
    """What came of it; unusable images are not among them."""
    indices: np.ndarray   # into the source, the best first
    means: np.ndarray     # of an image's scores in several groups
    spreads: np.ndarray   # standard deviations of these
    unusable: dict        # {name: reason}


def _minibatch(config, level, count):
    """Images at a time: whole groups of minibatch stddev, as many as fit, at most `count`."""
    group = max(1, config.mbstd_group_size)
    return max(1, min(largest_minibatch(config, level), count) // group) * group


def rank(D, lod, source, groups, progress):
    """Scores every image of a Source in `groups` groups of other images each time.

    Minibatch stddev compares the images of a group, so that one score alone is also the others'.

    Args:
        D: discriminator, at the level of detail `lod`.
        progress: callable that passes an iterable on and shows how far it is.
    """
    level, alpha = split_lod(lod, D.config.resolution_log2)
    side = D.config.resolution >> level
    random = np.random.RandomState(0)
    order = random.permutation(len(source.names))
    pools = max(1, len(order) * side ** 2 * D.config.num_channels // POOL_BYTES)

    @tf.function
    def score(images, labels):
        return D.at_level(process_reals(images, lod, False), labels, level, alpha)[:, 0]

    kept, means, spreads, unusable = [], [], [], {}
    for pool in progress(np.array_split(order, pools)):
        usable, images = read_usable(source, pool, unusable)
        minibatch = _minibatch(D.config, level, len(usable))
        if len(usable) < minibatch:
            raise ValueError(f'{len(usable)} images are too few to be compared: the discriminator '
                             f'looks at {minibatch} at once; add images.')
        labels = None if source.labels is None else source.labels[usable]
        found = _scores_in_groups(score, images, labels, minibatch, groups, random)
        kept.append(usable)
        means.append(found.mean(axis=0))
        spreads.append(found.std(axis=0))
    kept, means, spreads = (np.concatenate(parts) for parts in (kept, means, spreads))
    best = np.argsort(-means, kind='stable')
    return Scores(kept[best], means[best], spreads[best], unusable)


def _scores_in_groups(score, images, labels, minibatch, groups, random):
    """float64 [groups, N]: in each row every image is scored in a group of its own."""
    rows = np.empty([groups, len(images)])
    for row in rows:
        places = random.permutation(len(images))
        for i in range(0, len(places), minibatch):
            # The last minibatch is filled up from the first one: with images that it lacks.
            chosen = np.take(places, range(i, i + minibatch), mode='wrap')
            row[chosen] = score(images[chosen], None if labels is None else labels[chosen])
    if not np.isfinite(rows).all():
        raise ValueError('the discriminator gives scores that are not finite; take another '
                         'network.')
    return rows


def number_to_drop(text, count):
    """'5%' or '12' of `count` images -> how many."""
    match = re.fullmatch(r'(\d+(?:\.\d+)?)(%?)', text, re.ASCII)
    number = float(match[1]) if match else -1
    number = round(number * count / 100) if match and match[2] else number
    if number != int(number) or not 0 < number < count:
        raise ValueError(f'--drop_worst={text}: must be a share such as 5%, or a number of images, '
                         f'of which 1..{count - 1} are left out; there are {count}.')
    return int(number)


def write_scores(path, source, scores):
    """CSV, the best first: rank, name, score, spread."""
    write_csv(path, ['rank', 'name', 'score', 'spread'],
              ([place, source.names[i], f'{mean:.4f}', f'{spread:.4f}']
               for place, (i, mean, spread) in enumerate(zip(*scores[:3]), 1)))


def write_worst(path, source, scores, count):
    """The names of the worst images, one a line, the worst first."""
    write_names(path, [source.names[i] for i in scores.indices[::-1][:count]])


def contact_sheet(source, scores):
    """uint8 [H, W, C]: the best images and the worst, each with its rank and score."""
    shown = min(SHOWN, len(scores.indices) // 2)
    total = len(scores.indices)
    parts = []
    for title, places in (('Best', range(shown)),
                          ('Worst', range(total - 1, total - shown - 1, -1))):
        cells = [sheets.caption(sheets.fitted(source.read(scores.indices[i]), CELL),
                                f'{i + 1}: {scores.means[i]:.2f}', WORDS) for i in places]
        cells += [None] * (-len(cells) % COLUMNS)
        block = sheets.arrange([cells[i:i + COLUMNS] for i in range(0, len(cells), COLUMNS)])
        white = np.full([0, *block.shape[1:]], sheets.WHITE, np.uint8)
        parts += [sheets.caption(white, f'{title} {shown} of {total}', 2 * WORDS), block]
    return np.concatenate(parts)
