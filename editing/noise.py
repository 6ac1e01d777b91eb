"""Noise maps that are optimised: they may not carry a signal, and stay noise.

Karras et al. 2019 (StyleGAN 2), arXiv 1912.04958, appendix D.
"""

from __future__ import annotations

import tensorflow as tf

from training.layers import downscale2d

COARSEST = 8      # pixels a side, of the scales at which maps are looked at
EPSILON = 1e-8


def regulariser(maps):
    """[N]: how much neighbours resemble each other in noise maps [N, H, W, 1], 0 in white noise.

    The sum over maps n, and over their versions of half the size (means of 2x2, times 2, which
    keeps the variance of white noise) down to 8x8, of

        (mean n(x, y) n(x - 1, y))^2 + (mean n(x, y) n(x, y - 1))^2,

    where the map goes on at its opposite border.
    """
    total = 0.0
    for n in maps:
        while True:
            for axis in (1, 2):
                product = n * tf.roll(n, 1, axis)
                total += tf.square(tf.reduce_mean(product, axis=[1, 2, 3]))
            if n.shape[1] <= COARSEST:
                break
            n = 2 * downscale2d(n)
    return total


def normalised(noise):
    """A noise map [N, H, W, 1] with mean 0 and variance 1 in each image."""
    mean, variance = tf.nn.moments(noise, axes=[1, 2, 3], keepdims=True)
    return (noise - mean) * tf.math.rsqrt(variance + EPSILON)
