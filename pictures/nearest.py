"""The nearest images of a collection beside generated ones: does a network copy what it has seen?

Images are compared by their pixels at several scales, which forgives small shifts: averaged down to
at most 64 pixels a side, then to half, and so on to 4. The distance is the root of the mean over
the scales of the mean squared difference, in grey levels of 255. Where LPIPS' files are there, it
orders the nearest by these, as people see them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from formats import sheets
from formats.tables import write_csv
from metrics.features import rgb, shrunk
from pictures.image_sources import read_usable
from pictures.latents import class_labels, latents_of

FINEST, COARSEST = 64, 4    # pixels a side, of the scales
DRAWN = 256                 # images that are generated, and reals that are compared with the others
CANDIDATES = 24             # nearest by pixels, among which LPIPS chooses
NEIGHBOURS = 4              # shown beside each
ROWS, COLUMNS = 4, 2        # generated images in each part of the sheet
POOL_BYTES = 2 ** 27        # of the collection's pixels, as float32, in memory at a time
CELL, WORDS = 128, 20       # pixels: images on the sheet, and the lines below them


class Nearest(NamedTuple):
    """What lies nearest to each of Q images."""
    indices: np.ndarray       # [Q, K], into the source, the nearest first
    distances: np.ndarray     # [Q, K], in grey levels


class Comparison(NamedTuple):
    """Generated images and what lies nearest to them."""
    fakes: np.ndarray         # uint8 [N, r, r, C], of the seeds 0 .. N - 1
    of_fakes: Nearest
    of_reals: np.ndarray      # [M]: distances of reals from their nearest other real
    unusable: dict            # {name: reason}


def scales(images):
    """uint8 [N, r, r, C] -> float32 [N, F], whose Euclidean distances are those of the images."""
    images, parts = np.asarray(images, np.float32) - 127.5, []
    size = images.shape[1]
    while size >= COARSEST:
        if size <= FINEST:
            parts.append(images.reshape(len(images), -1) / np.sqrt(images[0].size))
        size //= 2
        images = images.reshape(len(images), size, 2, size, 2, -1).mean(axis=(2, 4))
    return np.concatenate(parts, axis=1) / np.sqrt(len(parts))


def _squares(queries, others):
    """Squared distances [Q, N] of float32 [Q, F] and [N, F]."""
    product = queries @ others.T
    return np.maximum(np.sum(queries ** 2, 1)[:, np.newaxis] + np.sum(others ** 2, 1)
                      - 2 * product, 0)


def search(source, queries, own, at_a_time, progress):
    """(Nearest of all queries, {name: reason} of images that cannot be read).

    Args:
        source: image_sources.Source, read once, a pool at a time.
        queries: float32 [Q, F] from `scales`.
        own: int [Q], the index of a query in the source, which is not its own neighbour; -1 = none.
        at_a_time: images of the source in memory.
        progress: callable that passes an iterable on and shows how far it is.
    """
    keep, unusable = min(CANDIDATES, len(source.names)), {}
    indices = np.full([len(queries), keep], -1)
    squares = np.full([len(queries), keep], np.inf, np.float32)
    pools = -(-len(source.names) // at_a_time)
    for pool in progress(np.array_split(np.arange(len(source.names)), pools)):
        usable, images = read_usable(source, pool, unusable)
        if not len(usable):
            continue
        found = _squares(queries, scales(images))
        found[own[:, np.newaxis] == usable] = np.inf
        squares = np.concatenate([squares, found], axis=1)
        indices = np.concatenate([indices, np.tile(usable, [len(queries), 1])], axis=1)
        best = np.argsort(squares, axis=1, kind='stable')[:, :keep]
        squares, indices = (np.take_along_axis(x, best, 1) for x in (squares, indices))
    return Nearest(indices, np.sqrt(squares)), unusable


def drawn(sampler, class_idx=None, count=DRAWN):
    """Images uint8 [N, r, r, C] of the seeds 0 .. N - 1, not truncated; classes in turn."""
    config = sampler.config
    return sampler.images_of(latents_of(range(count), config.latent_size),
                             class_labels(config, class_idx, count), truncation=None)


def compare(fakes, source, progress):
    """The Comparison of generated images with a Source of their size."""
    sample = np.random.RandomState(0).permutation(len(source.names))[:DRAWN]
    usable, reals = read_usable(source, sample, {})
    if len(usable) < 2:
        raise ValueError(f'{len(usable)} images are too few to be compared; add images.')
    own = np.concatenate([np.full(len(fakes), -1), usable])
    found, unusable = search(source, scales(np.concatenate([fakes, reals])), own,
                             max(1, POOL_BYTES // (4 * fakes[0].size)), progress)
    return Comparison(fakes, Nearest(*(x[:len(fakes)] for x in found)),
                      found.distances[len(fakes):, 0], unusable)


def _by_lpips(comparison, source, chosen, lpips):
    """Nearest of the `chosen` fakes in the order of LPIPS, with its distances; [len(chosen), K].

    lpips: metrics.vgg16.LPIPS.
    """
    def prepared(images):
        return shrunk(rgb(tf.cast(images, tf.float32)))

    order, distances = [], []
    for number in chosen:
        near = np.isfinite(comparison.of_fakes.distances[number])
        candidates = comparison.of_fakes.indices[number][near]
        reals = np.stack([source.read(index) for index in candidates])
        fake = np.repeat(comparison.fakes[number:number + 1], len(reals), axis=0)
        found = lpips.distances(prepared(fake), prepared(reals)).numpy()
        best = np.argsort(found, kind='stable')
        order.append(candidates[best])
        distances.append(found[best])
    return Nearest(np.stack(order), np.stack(distances))


def _parts(comparison):
    """{title: numbers of fakes}: those that are nearest to a real, and the first ones."""
    total, shown = len(comparison.fakes), min(ROWS * COLUMNS, len(comparison.fakes))
    nearest = np.argsort(comparison.of_fakes.distances[:, 0], kind='stable')[:shown]
    return {f'The {shown} of {total} nearest to an image of the collection': nearest,
            f'The first {shown} of {total}': np.arange(shown)}


def _row(fake, number, indices, distances, source, form):
    """One generated image and, apart from it, its nearest neighbours."""
    own = sheets.caption(sheets.fitted(fake, CELL), f'seed {number}', WORDS)
    cells = [sheets.caption(sheets.fitted(source.read(index), CELL), form.format(distance), WORDS)
             for index, distance in zip(indices[:NEIGHBOURS], distances) if np.isfinite(distance)]
    cells += [None] * (NEIGHBOURS - len(cells))
    return sheets.beside([own, sheets.arrange([cells])], WORDS)


def contact_sheet(comparison, source, lpips=None):
    """uint8 [H, W, C]: generated images, each with its nearest neighbours and how far they are.

    lpips: metrics.vgg16.LPIPS, which orders the neighbours; None = by pixels.
    """
    parts = []
    for title, numbers in _parts(comparison).items():
        nearest, form = Nearest(*(x[numbers] for x in comparison.of_fakes)), '{:.0f}'
        if lpips is not None:
            nearest, form = _by_lpips(comparison, source, numbers, lpips), '{:.2f}'
        rows = [_row(comparison.fakes[number], number, indices, distances, source, form)
                for number, indices, distances in zip(numbers, *nearest)]
        block = sheets.beside([sheets.arrange([[row] for row in rows[start::COLUMNS]])
                               for start in range(min(COLUMNS, len(rows)))], 3 * WORDS)
        white = np.full([0, *block.shape[1:]], sheets.WHITE, np.uint8)
        parts += [sheets.caption(white, title, 2 * WORDS), block]
    return np.concatenate(parts)


def write_table(path, comparison, source):
    """CSV: seed, rank, name, distance by pixels of what is nearest to each generated image."""
    write_csv(path, ['seed', 'rank', 'name', 'distance'],
              ([seed, place, source.names[index], f'{distance:.3f}']
               for seed, row in enumerate(zip(*comparison.of_fakes))
               for place, (index, distance) in enumerate(list(zip(*row))[:NEIGHBOURS], 1)
               if np.isfinite(distance)))


def summary(comparison):
    """Whether it copies, in two lines."""
    fakes, reals = comparison.of_fakes.distances[:, 0], comparison.of_reals
    return (f'Generated images are {np.median(fakes):.1f} grey levels from the nearest of the '
            f'collection (median), the nearest 5% at most {np.percentile(fakes, 5):.1f};\n'
            f'images of the collection {np.median(reals):.1f} and {np.percentile(reals, 5):.1f} '
            'from the nearest other. A network that copies is much nearer than they are.')
