"""Opens the network of a command: the generator, a Sampler of it, what `--crop` leaves."""

from __future__ import annotations

import re

import numpy as np

from formats import download
from pictures.latents import class_labels, latents_of
from training import snapshot
from training.sampler import ALL_LAYERS, Sampler

BAR_STEPS = 32   # bars are whole 32nds of the image: dataset_tool.py's 64 of 512 pixels are 4
BLACK = 8        # of 255; a network's black is not quite 0
BAR_SAMPLES = 4


def rows_between_bars(samples):
    """(top, bottom) of what lies between black bars in uint8 images [N, H, W, C].

    Images of 512x384 are trained in the middle of 512x512; the network then makes the bars too.
    Without bars, of equal height in all images, the whole height.
    """
    height = samples.shape[1]
    black = np.percentile(samples, 98, axis=(0, 2, 3)) < BLACK
    if black.all():
        return 0, height
    bar = min(int(np.argmin(black)), int(np.argmin(black[::-1])))
    bar = round(bar * BAR_STEPS / height) * height // BAR_STEPS
    return bar, height - bar


def cropped_rows(sampler, crop):
    """(top, bottom) of what `--crop` leaves of an image: 'full', WIDTHxHEIGHT, or 'auto'."""
    size = sampler.resolution
    if crop == 'full':
        return 0, size
    if crop == 'auto':
        config = sampler.config
        z = latents_of(range(BAR_SAMPLES), config.latent_size)
        w = sampler.w(z, class_labels(config, None, len(z)))
        return rows_between_bars(sampler.images(w))
    match = re.fullmatch(r'(\d+)x(\d+)', crop, re.ASCII)
    if not match or int(match[1]) != size or not 0 < int(match[2]) <= size:
        raise ValueError(f'--crop={crop}: must be auto, full or {size}xHEIGHT with at most {size} '
                         'rows, as the images of this network are.')
    top = (size - int(match[2])) // 2
    return top, top + int(match[2])


def check_truncation(sampler, truncation):
    """ValueError where `--trunc` or `--trunc_cutoff` asks for what the network does not have."""
    psi, cutoff = truncation.psi, truncation.cutoff
    for flag, value, harmless in (('trunc', psi, (None, 1)), ('trunc_cutoff', cutoff, (None,))):
        if value not in harmless and not sampler.has_w:
            raise ValueError(f'--{flag}={value}: this is a ProGAN network, which has no '
                             'truncation; leave it out.')
    if cutoff not in (None, ALL_LAYERS) and cutoff > sampler.config.num_styles:
        raise ValueError(f'--trunc_cutoff={cutoff}: must be all or within '
                         f'0..{sampler.config.num_styles}, the style layers of this network.')


def _checked_lod(lod, finest, config):
    """The level of detail `--lod`, where None = the finest that has been trained."""
    coarsest = config.resolution_log2 - 2
    if lod is None:
        return finest
    if not finest <= lod <= coarsest:
        reason = '; finer layers are not trained yet' if finest else ''
        raise ValueError(f'--lod={lod:g}: must be within {finest:g}..{coarsest} for this network, '
                         f'{config.resolution >> int(finest)}x{config.resolution >> int(finest)} '
                         f'to 4x4 pixels{reason}.')
    return lod


def open_generator(network, cache_dir=None, which=None, lod=None):
    """(G or Gs, its level of detail) of `--network`: a path, a URL or a short name.

    which, lod: as for `chosen_generator`.
    """
    return chosen_generator(snapshot.load(download.local_path(network, cache_dir)), network, which,
                            lod)


def chosen_generator(file, network, which=None, lod=None):
    """(G or Gs, its level of detail) of a Snapshot; network: its file, for errors.

    Args:
        which: 'Gs', the moving average (None = it), or 'G'.
        lod: of the images; None = what the network was trained to.
    """
    generator = file.G if which == 'G' else file.Gs
    if generator is None:
        raise ValueError(f'--which=G: {network} holds Gs only, it was made for generating; leave '
                         '--which out or take a whole network file.')
    return generator, _checked_lod(lod, file.lod, generator.config)


def check_same_network(what, network_sha256, sampler):
    """ValueError where `what` was made with another network file than the sampler's.

    what: in words, for the error. A sampler that knows no file takes what is of any.
    """
    own = sampler.network_sha256
    if own not in (None, network_sha256):
        raise ValueError(f'{what}: was made with another network file (sha256 '
                         f'{network_sha256[:12]}..., here {own[:12]}...); take that network, or '
                         '--allow_other_network if the two are nearly the same.')


def open_sampler(network, crop, cache_dir=None, which=None, lod=None, noise='stored',
                 compiled=False):
    """The Sampler of a generator as `open_generator` has it, and of `--crop`."""
    generator, lod = open_generator(network, cache_dir, which, lod)
    rows = cropped_rows(Sampler(generator, lod), crop)  # a few images: not worth a graph
    sampler = Sampler(generator, lod, noise, rows=rows, compiled=compiled,
                      network_path=download.local_path(network, cache_dir))
    if rows != (0, sampler.resolution):
        print(f'Showing rows {rows[0]}..{rows[1] - 1} of {sampler.resolution} (--crop=full for '
              'all).')
    return sampler
