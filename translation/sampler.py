"""Draws from a translation network: images and styles in, images out.

Nothing else makes minibatches, takes averages of styles, interpolates or rounds.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from training.sampler import MAX_MINIBATCH, MINIBATCH_FLOATS, to_float

AVERAGED_LATENTS = 10000   # of each domain, for the average of its styles
AVERAGE_SEED = 0
STYLE_MINIBATCH = 1000     # latents at a time

# Weights of the next style on the way from one to the next, frame by frame: the published film's.
EASING = (0.0, *(1 / (1 + np.exp(-np.arange(-5, 5, 0.5)))).tolist(), *10 * [1.0])


def _to_uint8(images, rounding):
    unit = tf.clip_by_value((tf.cast(images, tf.float32) + 1) / 2, 0, 1)
    return tf.cast(unit * 255 + rounding, tf.uint8).numpy()


def to_still(images):
    """Images [N, H, W, C], [-1, 1], as StarGAN v2 saves pictures: uint8, rounded."""
    return _to_uint8(images, 0.5)


def to_frame(images):
    """Images [N, H, W, C], [-1, 1], as StarGAN v2 makes frames of films: uint8, truncated."""
    return _to_uint8(images, 0)


def between(style, following, weights=EASING):
    """The way from one style to another: [style_dim] each -> float32 [len(weights), style_dim]."""
    weights = np.asarray(weights, np.float32)[:, np.newaxis]
    return (1 - weights) * style + weights * following


class Translator:
    """The averaged networks, ready to translate images.

    What is computed is always from the present weights: one Translator serves a whole training.

    Args:
        networks: what has .config, .Gs, .Fs and .Es: a Snapshot or a TranslationState.
        mask_fn: images [N, S, S, 3] -> pair of masks, for a network with a high-pass; None = the
            details of images are not passed on.
        minibatch: images at a time; None = as many as fit.
        compiled: make graphs of the networks: worth their seconds for many images.
    """

    def __init__(self, networks, mask_fn=None, minibatch=None, compiled=True):
        self.config = config = networks.config
        self.Gs, self.Fs, self.Es = networks.Gs, networks.Fs, networks.Es
        self.mask_fn = mask_fn if config.w_hpf else None
        largest = config.img_size ** 2 * config.widths[0]
        self.minibatch = minibatch or min(max(1, MINIBATCH_FLOATS // largest), MAX_MINIBATCH)
        images, styles, latents = (tf.TensorSpec([None, *shape], tf.float32) for shape in (
            [config.img_size, config.img_size, 3], [config.style_dim], [config.latent_dim]))
        domains = tf.TensorSpec([None], tf.int32)
        wrap = (functools.partial(tf.function, autograph=False) if compiled else
                lambda function, _: function)
        self._translate = wrap(self._translated, [images, styles])
        self._style_of_image = wrap(lambda x, y: self.Es(x, y), [images, domains])
        self._style_of_latent = wrap(lambda z, y: self.Fs(z, y), [latents, domains])
        self._sums_of_styles = wrap(lambda z: tf.reduce_sum(self.Fs.of_all_domains(z), axis=1),
                                    [latents])

    def _translated(self, x, s):
        return self.Gs(x, s, None if self.mask_fn is None else self.mask_fn(x))

    def averages(self):
        """s_avg float32 [K, style_dim]: means over 10,000 latents, the same ones always."""
        z = np.random.RandomState(AVERAGE_SEED).randn(AVERAGED_LATENTS, self.config.latent_dim)
        sums = [self._sums_of_styles(z[start:start + STYLE_MINIBATCH].astype(np.float32)).numpy()
                for start in range(0, len(z), STYLE_MINIBATCH)]
        return (np.sum(sums, axis=0, dtype=np.float64) / len(z)).astype(np.float32)

    def styles_of_latents(self, z, y, psi=1.0, averages=None):
        """s float32 [N, style_dim] of z [N, latent_dim] and domains y [N].

        Args:
            psi: how far from the average of its domain a style goes: 1 = as F makes it.
            averages: of `averages()`, if these are at hand; None = computed where psi asks.
        """
        y = np.broadcast_to(np.asarray(y, np.int32), [len(z)])
        s = self._in_minibatches(self._style_of_latent, STYLE_MINIBATCH, np.float32(z), y)
        if psi == 1:
            return s
        average = (self.averages() if averages is None else averages)[y]
        return average + np.float32(psi) * (s - average)

    def styles_of_images(self, images, y):
        """s float32 [N, style_dim] of references [N, S, S, 3], [-1, 1], of domains y [N]."""
        y = np.broadcast_to(np.asarray(y, np.int32), [len(images)])
        return self._in_minibatches(self._style_of_image, self.minibatch, images, y)

    def images(self, sources, styles, convert=to_float):
        """Source i in style i, [N, S, S, 3]; for the arguments see `batches`."""
        return np.concatenate(list(self.batches(sources, styles, convert)))

    def combinations(self, sources, styles, convert=to_still):
        """Each of M sources in each of N styles: [M, N, S, S, 3]."""
        if len(sources) < len(styles):
            return np.stack([self.images(source[np.newaxis], styles, convert)
                             for source in sources])
        return np.stack([self.images(sources, style[np.newaxis], convert)
                         for style in styles], axis=1)

    def batches(self, sources, styles, convert=to_float):
        """Yields the translations of sources, a minibatch [n, S, S, 3] at a time.

        Args:
            sources: float32 [N, S, S, 3], [-1, 1]; with N = 1 for all styles.
            styles: float32 [N, style_dim]; with N = 1 for all sources.
            convert: `training.sampler.to_float`, `to_still` or `to_frame`.
        """
        count = max(len(sources), len(styles))
        sources, styles = (np.broadcast_to(array, [count, *np.shape(array)[1:]])
                           for array in (sources, styles))
        for start in range(0, count, self.minibatch):
            part = slice(start, start + self.minibatch)
            yield convert(self._translate(np.float32(sources[part]), np.float32(styles[part])))

    @staticmethod
    def _in_minibatches(function, size, *columns):
        return np.concatenate([
            function(*(column[start:start + size] for column in columns)).numpy()
            for start in range(0, len(columns[0]), size)])
