"""Draws from a network: z or w in, images out. Nothing else makes minibatches, truncates or rounds.

Two layers. Methods that take and return tensors (`mapped`, `truncated`, `random_noise`, `drawn`)
run in compiled code and have gradients: projection and metrics of latent space build on them.
Methods that return NumPy arrays (`w`, `images`, `images_of`) make minibatches and share them among
devices.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Optional, Union

import numpy as np
import tensorflow as tf

from formats.files import file_sha256
from training.devices import ONE_DEVICE
from training.layers import copy_weights, downscale2d, upscale2d
from training.networks import split_lod

MINIBATCH_FLOATS = 2 ** 26  # of the largest layer: 4 images of 1024x1024, which fit into 8 GB
MAX_MINIBATCH = 64
ALL_LAYERS = 'all'  # a cutoff behind the last layer


def to_float(images):
    """Images as they are, float32 [N, H, W, C], about [-1, 1]."""
    return np.asarray(images, np.float32)


def as_uint8(images):
    """uint8 tensors of images [N, H, W, C], [-1, 1], truncated as `to_uint8` does."""
    images = tf.cast(images, tf.float32)
    return tf.cast(tf.clip_by_value(images * 127.5 + 128, 0, 255), tf.uint8)


def to_uint8(images, shrink=1):
    """Images as the reference's metrics and tools see them: truncated, not rounded.

    Args:
        images: float32 [N, H, W, C], [-1, 1]; converted on the device where they are.
        shrink: factor of an average pool before the conversion; divides H and W.

    Returns:
        uint8 [N, H / shrink, W / shrink, C].
    """
    return as_uint8(downscale2d(tf.cast(images, tf.float32), shrink)).numpy()


def to_png_uint8(images):
    """Images as the reference saves grids of them: rounded. Otherwise as `to_uint8`."""
    images = tf.round(tf.cast(images, tf.float32) * 127.5 + 127.5)
    return tf.cast(tf.clip_by_value(images, 0, 255), tf.uint8).numpy()


def largest_minibatch(config, level):
    """Images at `level` that a generator or a discriminator can work on at once."""
    largest = max(4 ** r * config.nf(r - 1) for r in range(2, config.resolution_log2 - level + 1))
    return min(max(1, MINIBATCH_FLOATS // largest), MAX_MINIBATCH)


@dataclasses.dataclass(frozen=True)
class Truncation:
    """How far w is pulled towards its average (appendix B of the paper); None in its place: not.

    A network without w, such as ProGAN's, has no truncation, whatever this says.
    """
    psi: Optional[float] = None  # 1 = not at all, 0 = down to the average; None = the network's own
    cutoff: Union[int, str, None] = None  # first layers that are truncated, ALL_LAYERS = all: only
    # then is psi 0 the average image; None = the network's own


OWN = Truncation()  # what the network's config says


def _copy_of(Gs):
    """A generator of the same config and weights, its variables where they are made now."""
    copy = type(Gs)(Gs.config)
    copy_weights(Gs, copy)
    return copy


class Sampler:
    """A generator, ready to draw images at the level of detail that it was trained to.

    Args:
        Gs: training.networks.Generator, or ProGAN's. It serves the first device, copies the others.
        lod: of the network file: a network that is still growing has no finer layers yet.
        noise: 'stored' = the network's own maps, 'random' = fresh ones for each image (the same in
            each run), 'fresh' = others in each run, 'none'.
        minibatch: images at a time; None = as many as fit.
        rows: (top, bottom) of what is shown of each image; None = all.
        full_size: images of the network's full resolution also while it is growing.
        compiled: make one graph of the network: worth its seconds for many images.
        devices: Devices that share the minibatches; what comes out is the same.
        network_path: the file that Gs is of, for what must be used with the same file only; None =
            unknown.

    Attributes:
        resolution, num_channels: of the images, before `rows` are cut out.
        has_w, has_noise: what kind of network it is.
        num_layers: style layers in use; 0 for a network without styles.
        copies: a Sampler for each device; the first is this one.
    """

    def __init__(self, Gs, lod=0.0, noise='stored', minibatch=None, rows=None, full_size=False,
                 compiled=False, devices=ONE_DEVICE, network_path=None):
        self.Gs, self.config, self.network_path = Gs, Gs.config, network_path
        self.level, self.alpha = split_lod(lod, self.config.resolution_log2)
        self.enlarged = 2 ** self.level if full_size else 1
        self.resolution = (self.config.resolution >> self.level) * self.enlarged
        self.num_channels = self.config.num_channels
        self.has_w = Gs.has_w
        self.has_noise = self.has_w and self.config.use_noise
        has_styles = self.has_w and self.config.use_styles
        self.num_layers = self.config.num_layers - 2 * self.level if has_styles else 0
        self.noise, self._minibatches = noise, 0
        self.minibatch = minibatch or largest_minibatch(self.config, self.level)
        self.rows = rows or (0, self.resolution)
        wrap = (lambda function: tf.function(function, reduce_retracing=True)) if compiled else (
            lambda function: function)
        self._drawn, self._draw = wrap(self.drawn), wrap(self._images_and_w)
        self.devices = devices
        self.copies = devices.copies(lambda number: self if not number else Sampler(
            _copy_of(Gs), lod, noise, minibatch, rows, full_size, compiled))

    @functools.cached_property
    def network_sha256(self):
        """Of the network file; None where it is unknown."""
        return self.network_path and file_sha256(self.network_path)

    # Tensors in, tensors out: for one device, in compiled code or outside.

    def mapped(self, z, labels=None):
        """w [N, L, dlatent_size] of z [N, latent_size] and labels [N, label_size], not truncated.

        Without a w (ProGAN) it is what the synthesis network takes: z with the labels beside it.
        """
        return self.Gs.mapping(z, labels) if self.has_w else self.Gs.with_labels(z, labels)

    def truncated(self, w, truncation):
        """w pulled towards its average as a Truncation says; None = not at all."""
        if truncation is None or not self.has_w:
            return w
        psi = self.config.truncation_psi if truncation.psi is None else truncation.psi
        cutoff = self.config.truncation_cutoff if truncation.cutoff is None else truncation.cutoff
        return self.Gs.truncated(w, psi, None if cutoff == ALL_LAYERS else cutoff)

    def random_noise(self, count, seed):
        """Noise maps [count, H, W, 1] of the stateless pair `seed`; None = the global generator."""
        if not self.has_w:
            return []
        return self.Gs.synthesis.noise_maps(count, self.level, randomize_noise=True, seed=seed)

    def stored_noise(self, layers=None):
        """The network's own noise maps, [1, H, W, 1] each; zeros in all but `layers` if given."""
        if not self.has_w:
            return []
        maps = self.Gs.synthesis.noise_maps(1, self.level, randomize_noise=False)
        if layers is None:
            return maps
        return [noise if i in layers else tf.zeros_like(noise) for i, noise in enumerate(maps)]

    def drawn(self, w, noise):
        """Images float32 [N, r, r, C], about [-1, 1], of w as from `mapped`, with noise maps."""
        inputs = (noise,) if self.has_w else ()
        images = self.Gs.synthesis.at_level(w, self.level, self.alpha, *inputs)
        return upscale2d(images, self.enlarged)

    def draw(self, z, labels=None, truncation=OWN, noise_seed=None):
        """One minibatch: (images as `drawn`, w), compiled if the sampler is.

        noise_seed: of random noise, a stateless pair; None = the global generator.
        """
        return self._draw(z, labels, truncation, noise_seed)

    def _images_and_w(self, z, labels, truncation, noise_seed):
        w = self.truncated(self.mapped(z, labels), truncation)
        return self.drawn(w, self._usual_noise(tf.shape(w)[0], noise_seed)), w

    def _usual_noise(self, count, seed):
        """Maps as `self.noise` says."""
        if self.noise in ('random', 'fresh'):
            return self.random_noise(count, seed)
        return self.stored_noise(None if self.noise == 'stored' else ())

    # Arrays in, NumPy arrays out, minibatch by minibatch on all devices.

    def map(self, function, items):
        """Yields function(Sampler of a device, item) for each of `items`, in their order."""
        return self.devices.map(function, self.copies, items)

    def w(self, z, labels=None, truncation=OWN):
        """w float32 [N, L, dlatent_size] of z, truncated: what `images` takes."""
        return np.asarray(self.truncated(self.mapped(z, labels), truncation))

    def towards_average(self, w, psi, cutoff=None):
        """w float32 [N, L, dlatent_size] truncated; psi None = not at all.

        cutoff: as Truncation has it, but None = all layers, as in Figure 8.
        """
        cutoff = ALL_LAYERS if cutoff is None else cutoff
        truncation = None if psi is None else Truncation(psi, cutoff)
        return np.asarray(self.truncated(w, truncation))

    def images(self, w, noise=None, convert=to_uint8):
        """Images [N, H, W, C] of w [N, L, dlatent_size]; for the arguments see `batches`."""
        return np.concatenate(list(self.batches(w, noise, convert)))

    def batches(self, w, noise=None, convert=to_uint8):
        """Yields the images of w [N, L, dlatent_size], a minibatch [n, H, W, C] at a time.

        Args:
            noise: maps for all images, [1 or N <= minibatch, H, W, 1]; or a function (number of the
                first image, count) -> maps; None = as the sampler has it.
            convert: `to_uint8`, `to_png_uint8` or `to_float`.
        """
        def draw(sampler, item):
            start, part, seed = item
            if noise is None:
                maps = sampler._usual_noise(len(part), seed)
            else:
                maps = noise(start, len(part)) if callable(noise) else noise
            return self._shown(sampler._drawn(tf.constant(part), maps), convert)

        return self.map(draw, ((start, w[start:start + self.minibatch], self._next_seed())
                               for start in range(0, len(w), self.minibatch)))

    def numbered(self, w, number, noise=None, convert=to_uint8):
        """Images [N, H, W, C] of one minibatch of w, N <= minibatch; tensors with `as_uint8`.

        Random noise is that of the minibatch `number`, from 1 up, of all that a new sampler draws:
        a job can leave some of its minibatches out, and the others stay as they are.

        noise: maps [1 or N, H, W, 1] in its place.
        """
        maps = self._usual_noise(len(w), self._seed(number)) if noise is None else noise
        return self._shown(self._drawn(tf.constant(w), maps), convert)

    def images_of(self, z, labels=None, truncation=OWN, convert=to_uint8):
        """Images [N, H, W, C] of z [N, latent_size] and labels [N, label_size] or None."""
        def draw(sampler, item):
            part, some, seed = item
            return self._shown(sampler.draw(part, some, truncation, seed)[0], convert)

        parts = [slice(start, start + self.minibatch) for start in range(0, len(z), self.minibatch)]
        return np.concatenate(list(self.map(draw, (
            (z[part], None if labels is None else labels[part], self._next_seed())
            for part in parts))))

    def _shown(self, images, convert):
        top, bottom = self.rows
        return convert(images[:, top:bottom])

    def _next_seed(self):
        """Of the random noise of the next minibatch."""
        self._minibatches += 1
        return self._seed(self._minibatches)

    def _seed(self, number):
        """Of the random noise of a minibatch."""
        return np.array([0, number], np.int32) if self.noise == 'random' else None
