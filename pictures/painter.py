"""A network that makes pictures: latents and noise in, uint8 images out, in bounded minibatches."""

from __future__ import annotations

import re

import numpy as np
import tensorflow as tf

from formats import download
from pictures.latents import class_labels, latents_of
from training import images, snapshot
from training.networks import split_lod

MINIBATCH_FLOATS = 2 ** 26  # of the largest layer: 4 images of 1024x1024, which fit into 8 GB
MAX_MINIBATCH = 64


def largest_minibatch(config, level):
    """Images at `level` that a generator or a discriminator can work on at once."""
    largest = max(4 ** r * config.nf(r - 1) for r in range(2, config.resolution_log2 - level + 1))
    return min(max(1, MINIBATCH_FLOATS // largest), MAX_MINIBATCH)


class Painter:
    """Gs at the level of detail that it was trained to.

    Args:
        Gs: generator of StyleGAN or ProGAN.
        lod: of the network file: a network that is still growing has no finer layers yet.
        compiled: make one graph of the network: worth its seconds for films.

    Attributes:
        resolution, num_channels: of the images, before `rows` are cut out.
        is_stylegan, has_noise: what kind of network it is.
        num_layers: style layers in use; 0 for a network without styles.
        rows: (top, bottom) of what is shown of each image; all of it, unless set.
        noise: 'stored' = the network's own maps, 'random' = fresh ones for each image (the same in
            each run), 'none'.
    """

    def __init__(self, Gs, lod=0.0, compiled=False):
        self.Gs, self.config = Gs, Gs.config
        self.level, self.alpha = split_lod(lod, self.config.resolution_log2)
        self.resolution = self.config.resolution >> self.level
        self.num_channels = self.config.num_channels
        self.is_stylegan = hasattr(Gs, 'mapping')
        self.has_noise = self.is_stylegan and self.config.use_noise
        has_styles = self.is_stylegan and self.config.use_styles
        self.num_layers = self.config.num_layers - 2 * self.level if has_styles else 0
        self.rows, self.noise, self._minibatches = (0, self.resolution), 'stored', 0
        self.minibatch = largest_minibatch(self.config, self.level)
        self._images = tf.function(self._paint, reduce_retracing=True) if compiled else self._paint

    @property
    def shape(self):
        """(height, width) of the images as they are shown."""
        return self.rows[1] - self.rows[0], self.resolution

    def dlatents(self, z, labels=None, psi=None):
        """w float32 [N, L, dlatent_size] of z, truncated; what `images` takes.

        psi: of the truncation, which the network's first layers have; 1 = none, None = the
            network's own. ProGAN has no w: what comes back is z with the labels beside it, [N, D].
        """
        if not self.is_stylegan:
            return np.asarray(z if labels is None else np.concatenate([z, labels], axis=1),
                              np.float32)
        psi = self.config.truncation_psi if psi is None else psi
        w = self.Gs.mapping(z, labels)
        return np.asarray(self.Gs.truncated(w, psi, self.config.truncation_cutoff))

    def truncated(self, w, psi):
        """w pulled towards the average in all layers."""
        return np.asarray(self.Gs.truncated(w, psi, None))

    def check_psi(self, psi):
        """ValueError where `--trunc` asks for what the network does not have."""
        if psi not in (None, 1) and not self.is_stylegan:
            raise ValueError(f'--trunc={psi}: this is a ProGAN network, which has no truncation; '
                             'leave it out.')

    def stored_noise(self, layers=None):
        """The network's own noise maps, [1, H, W, 1] each; zeros in all but `layers` if given."""
        if not self.is_stylegan:
            return []
        maps = self.Gs.synthesis.noise_maps(1, self.level, randomize_noise=False)
        if layers is None:
            return maps
        return [noise if i in layers else tf.zeros_like(noise) for i, noise in enumerate(maps)]

    def random_noise(self, count, seed):
        """Noise maps [count, H, W, 1] of the stateless pair `seed`."""
        if not self.is_stylegan:
            return []
        return self.Gs.synthesis.noise_maps(count, self.level, randomize_noise=True, seed=seed)

    def images(self, w, noise=None):
        """uint8 [N, H, W, C] of w [N, L, dlatent_size].

        noise: maps for all images, [1 or N <= minibatch, H, W, 1]; None = as `self.noise` says.
        """
        parts = []
        for i in range(0, len(w), self.minibatch):
            part = w[i:i + self.minibatch]
            maps = self._usual_noise(len(part)) if noise is None else noise
            parts.append(self._images(tf.constant(part), maps).numpy())
        top, bottom = self.rows
        return images.to_uint8(np.concatenate(parts)[:, top:bottom])

    def _usual_noise(self, count):
        if self.noise == 'random':
            self._minibatches += 1
            return self.random_noise(count, [0, self._minibatches])
        return self.stored_noise(None if self.noise == 'stored' else ())

    def _paint(self, w, noise):
        if self.is_stylegan:
            return self.Gs.synthesis.at_level(w, self.level, self.alpha, noise)
        return self.Gs.synthesis.at_level(w, self.level, self.alpha)


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


def cropped_rows(painter, crop):
    """(top, bottom) of what `--crop` leaves of an image: 'full', WIDTHxHEIGHT, or 'auto'."""
    size = painter.resolution
    if crop == 'full':
        return 0, size
    if crop == 'auto':
        config = painter.config
        z = latents_of(range(BAR_SAMPLES), config.latent_size)
        w = painter.dlatents(z, class_labels(config, None, len(z)))
        return rows_between_bars(painter.images(w))
    match = re.fullmatch(r'(\d+)x(\d+)', crop, re.ASCII)
    if not match or int(match[1]) != size or not 0 < int(match[2]) <= size:
        raise ValueError(f'--crop={crop}: must be auto, full or {size}xHEIGHT with at most {size} '
                         'rows, as the images of this network are.')
    top = (size - int(match[2])) // 2
    return top, top + int(match[2])


def open_painter(network, crop, cache_dir=None, compiled=False):
    """The Painter of `--network`, a path, a URL or a short name, and of `--crop`."""
    file = snapshot.load(download.local_path(network, cache_dir))
    painter = Painter(file.Gs, file.lod, compiled)
    painter.rows = cropped_rows(Painter(file.Gs, file.lod), crop)  # a few images: not worth a graph
    if painter.rows != (0, painter.resolution):
        top, bottom = painter.rows
        print(f'Showing rows {top}..{bottom - 1} of {painter.resolution} (--crop=full for all).')
    return painter
