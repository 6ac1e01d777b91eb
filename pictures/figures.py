"""The figures of the StyleGAN paper (Karras et al. 2018) from any network, whatever its size.

The paper's numbers are for 1024 pixels and 18 style layers; here they are shares of what the
network has.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, NamedTuple, Optional

import numpy as np

from formats import sheets
from pictures import stills
from pictures.latents import class_labels, latents_of
from pictures.opening import check_truncation
from pictures.style_layers import style_ranges
from training.sampler import OWN, Truncation

PAPER_PIXELS = 1024
DETAIL_LEFT, DETAIL_TOP, DETAIL_SIDE = 650, 180, 256  # of 1024 pixels: Figure 4's crop
DETAIL_GAIN = 4                                     # makes Figure 4's deviations visible
NOISE_DRAWS = 100
PSIS = (1, 0.7, 0.5, 0, -0.5, -1)


@dataclasses.dataclass(frozen=True)
class Options:
    """What may be changed of the paper's figures; None = as in the paper."""
    truncation: Truncation = OWN                  # of all figures but 8
    seeds: Optional[tuple[int, ...]] = None       # of the images of figures 4, 5 and 8
    row_seeds: Optional[tuple[int, ...]] = None   # Figure 3: destinations
    col_seeds: Optional[tuple[int, ...]] = None   # Figure 3: sources
    grid_seed: Optional[int] = None               # figures 2, 10, 11 and 12
    class_idx: Optional[int] = None               # None = each class in turn


class Grid(NamedTuple):
    """An uncurated figure: columns of rows * 2^lod images, shrunk by 2^lod."""
    seed: int
    rows: int
    lods: tuple[int, ...]


def detail_box(height, width):
    """(left, top, right, bottom) of the crop of Figure 4."""
    side = max(1, min(height, width) * DETAIL_SIDE // PAPER_PIXELS)
    left = round(width * DETAIL_LEFT / PAPER_PIXELS)
    top = round(height * DETAIL_TOP / PAPER_PIXELS)
    return left, top, left + side, top + side


def rows_of_each_range(count):
    """How many of Figure 3's rows are coarse, middle and fine: 3, 2, 1 of 6."""
    fine = max(count // 6, int(count >= 3))
    coarse = (count - fine + 1) // 2
    return coarse, count - fine - coarse, fine


def uncurated(paper: Grid, sampler, options: Options):
    """Figures 2, 10, 11 and 12: images as they come, most of them small."""
    seed = paper.seed if options.grid_seed is None else options.grid_seed
    counts = [paper.rows << lod for lod in paper.lods]
    config = sampler.config
    z = np.random.RandomState(seed).randn(sum(counts), config.latent_size).astype(np.float32)
    w = sampler.w(z, class_labels(config, options.class_idx, len(z)), options.truncation)
    white = sheets.separation(sampler.resolution)
    columns = []
    for lod, count in zip(paper.lods, counts):
        column, w = w[:count], w[count:]
        cells = [[image] for images in sampler.batches(column)
                 for image in sheets.shrink(sheets.visible(images), 1 << lod)]
        columns.append(sheets.arrange(cells, between=white >> lod))
    return sheets.beside(columns, white)


def _dlatents(sampler, seeds, options):
    """w of seeds for the figures that the paper shows without truncation."""
    labels = class_labels(sampler.config, options.class_idx, len(seeds))
    truncation = options.truncation
    if truncation.psi is None:
        truncation = dataclasses.replace(truncation, psi=1.0)
    return sampler.w(latents_of(seeds, sampler.config.latent_size), labels, truncation)


def style_mixing(sampler, options: Options):
    """Figure 3: coarse, middle and fine styles of the images on top, put into those at the left."""
    ranges = style_ranges(sampler.num_layers)
    columns = options.col_seeds or (639, 701, 687, 615, 2268)
    rows = options.row_seeds or (888, 829, 1898, 1733, 1614, 845)
    layers = [list(layers) for layers, count in zip(ranges, rows_of_each_range(len(rows)))
              for _ in range(count)]
    w = _dlatents(sampler, (*rows, *columns), options)
    return stills.mixing(sampler, w[:len(rows)], w[len(rows):], layers)


def noise_detail(sampler, options: Options):
    """Figure 4: an image, a detail of it with four noises, and how much each pixel varies."""
    rows, seeds = [], options.seeds or (1157, 1012)
    for seed, w in zip(seeds, _dlatents(sampler, seeds, options)):
        firsts, deviation = _noise_draws(sampler, w, seed)
        left, top, right, bottom = detail_box(*firsts.shape[1:3])
        image = sheets.visible(firsts[0])
        details = firsts[:, top:bottom, left:right]
        details = sheets.enlarge(details, max(1, image.shape[0] // 2 // details.shape[1]))
        details = sheets.arrange([details[:2], details[2:]], between=0)
        white = sheets.gap(image.shape[1])
        sheets.draw_cross(details, white // 2)
        deviation = np.clip(np.rint(deviation * DETAIL_GAIN), 0, 255).astype(np.uint8)
        deviation = np.repeat(deviation[..., np.newaxis], sampler.num_channels, axis=2)
        rows.append([sheets.beside([image, details, sheets.visible(deviation)], white)])
    return sheets.arrange(rows, white)


def _noise_draws(sampler, w, seed):
    """The first 4 images uint8 of w with fresh noises, and the standard deviation [H, W] of all.

    The deviation is of the mean over the channels, on the scale 0..255.
    """
    firsts, total, squares = [], 0.0, 0.0
    same = np.repeat(w[np.newaxis], NOISE_DRAWS, axis=0)
    for images in sampler.batches(same, lambda start, count: sampler.random_noise(
            count, [seed % 2 ** 31, start])):
        firsts.extend(images[:max(0, 4 - len(firsts))])
        gray = images.astype(np.float64).mean(axis=3)
        total, squares = total + gray.sum(axis=0), squares + np.square(gray).sum(axis=0)
    mean = total / NOISE_DRAWS
    return np.stack(firsts), np.sqrt(np.maximum(squares / NOISE_DRAWS - mean ** 2, 0))


def noise_components(sampler, options: Options):
    """Figure 5: noise in all layers, in none, in the fine ones only, in the coarse ones only.

    A sheet of four quarters, each with all images. The paper's second face is mirrored.
    """
    w = _dlatents(sampler, options.seeds or (1967, 1555), options)
    layers = sampler.config.num_layers - 2 * sampler.level
    fine_from = style_ranges(layers)[1].stop
    quarters = []
    for layers_with_noise in (range(layers), (), range(fine_from, layers), range(fine_from)):
        images = sheets.visible(sampler.images(w, sampler.stored_noise(layers_with_noise)))
        if not options.seeds:
            images[1] = images[1, :, ::-1]
        quarters.append(sheets.arrange([images]))
    return sheets.arrange([quarters[:2], quarters[2:]], 2 * sheets.gap(images.shape[2]))


def truncation(sampler, options: Options):
    """Figure 8: from the image itself over the average to the image's opposite."""
    w = _dlatents(sampler, options.seeds or (91, 388), dataclasses.replace(options, truncation=OWN))
    return stills.sweep(sampler, w, PSIS)


class Figure(NamedTuple):
    """One of the paper's figures."""
    file_name: str
    network: str      # short name of the published one that the paper shows
    draw: Callable    # (sampler, options) -> uint8 [H, W, C]
    needs: str        # what the network must have: a key of LACKS


def _uncurated(seed, rows, lods):
    return functools.partial(uncurated, Grid(seed, rows, lods))


FACES_AND_CARS, ROOMS_AND_CATS = (0, 1, 2, 2, 3, 3), (0, 0, 1, 1, 2, 2, 2)
FIGURES = {
    2: Figure('figure02-uncurated.png', 'ffhq', _uncurated(5, 3, FACES_AND_CARS), 'nothing'),
    3: Figure('figure03-style-mixing.png', 'ffhq', style_mixing, 'styles'),
    4: Figure('figure04-noise-detail.png', 'ffhq', noise_detail, 'noise'),
    5: Figure('figure05-noise-components.png', 'ffhq', noise_components, 'noise'),
    8: Figure('figure08-truncation.png', 'ffhq', truncation, 'w'),
    10: Figure('figure10-uncurated.png', 'bedrooms', _uncurated(0, 5, ROOMS_AND_CATS), 'nothing'),
    11: Figure('figure11-uncurated.png', 'cars', _uncurated(2, 4, FACES_AND_CARS), 'nothing'),
    12: Figure('figure12-uncurated.png', 'cats', _uncurated(1, 5, ROOMS_AND_CATS), 'nothing'),
}
LACKS = {  # what a figure needs -> (whether a sampler lacks it, in words)
    'nothing': (lambda sampler: False, ''),
    'styles': (lambda sampler: sampler.num_layers < 3, 'no three style layers'),
    'noise': (lambda sampler: not sampler.has_noise, 'no noise inputs'),
    'w': (lambda sampler: not sampler.has_w, 'no truncation (it is a ProGAN)'),
}


def why_not(number, sampler):
    """Why a figure cannot be drawn with this network, in words; None = it can."""
    is_lacking, words = LACKS[FIGURES[number].needs]
    return f'the network has {words}' if is_lacking(sampler) else None


def check(sampler, options: Options):
    """ValueError where seeds or class do not fit the network, before anything is drawn."""
    class_labels(sampler.config, options.class_idx, 1)
    for seeds in (options.seeds, options.row_seeds, options.col_seeds):
        latents_of(seeds or (), 1)
    if options.grid_seed is not None:
        latents_of([options.grid_seed], 1)
    check_truncation(sampler, options.truncation)
