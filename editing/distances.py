"""How far a drawn image is from its target, with gradients: LPIPS, or pixels at several scales."""

from __future__ import annotations

import tensorflow as tf

from metrics.features import rgb, shrunk
from metrics.vgg16 import MIN_RESOLUTION
from training.layers import downscale2d

COARSEST = 4      # pixels a side, of the scales
SMOOTHING = 1e-10  # keeps the gradient of the root finite where images are equal
CHOICES = ('auto', 'lpips', 'pixels')


class PixelPyramid:
    """Root of the mean over scales of the mean squared difference, of images in [-1, 1].

    Images are averaged to half the size, again and again down to 4 pixels: what is coarse counts as
    much as what is fine, and small shifts are forgiven. The root, unlike the square, goes on
    pulling with the same force when little is left to do.
    """
    name = 'pixels at several scales'

    def embedded(self, images):
        """The scales of images float32 [N, r, r, C], [-1, 1], the finest first."""
        scales = [images]
        while scales[-1].shape[1] > COARSEST:
            scales.append(downscale2d(scales[-1]))
        return scales

    def between(self, a, b):
        """[N]: distance of pairs of what `embedded` gave."""
        squares = [tf.reduce_mean(tf.square(x - y), axis=[1, 2, 3]) for x, y in zip(a, b)]
        return tf.sqrt(tf.add_n(squares) / len(squares) + SMOOTHING)


class Perceptual:
    """LPIPS of images averaged down to at most 256 pixels a side, as people see them.

    lpips: metrics.vgg16.LPIPS.
    """
    name = 'LPIPS (VGG16)'

    def __init__(self, lpips):
        self.lpips = lpips

    def embedded(self, images):
        """What VGG16 sees in images float32 [N, r, r, C], [-1, 1], r = 16 or more."""
        return self.lpips.embedded(shrunk(rgb(images)) * 127.5 + 127.5)

    def between(self, a, b):
        """[N]: distance of pairs of what `embedded` gave."""
        return self.lpips.between(a, b)


def choose(choice, resolution, networks):
    """A distance for images of this resolution.

    Args:
        choice: 'pixels', 'lpips' (whose files are downloaded if need be) or 'auto' = LPIPS where
            its files are there and the images are large enough.
        networks: metrics.features.FeatureNetworks.
    """
    if choice == 'lpips' and resolution < MIN_RESOLUTION:
        raise ValueError(f'--distance=lpips: images must have {MIN_RESOLUTION} pixels a side or '
                         f'more, those of this network have {resolution}; take --distance=pixels.')
    if choice == 'pixels' or choice == 'auto' and (
            resolution < MIN_RESOLUTION or networks.missing('lpips')):
        return PixelPyramid()
    return Perceptual(networks.lpips[0])
