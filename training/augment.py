"""Adaptive discriminator augmentation: D sees no image that has not been through the pipe.

Karras et al. 2020 (arXiv 2006.06676), section 3 and appendix B. Draws are constants: gradients go
into images only, to any order. Everything is float32, whatever the networks compute in.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf

from training.pipes import BLIT, COLOR, GEOM, AugmentConfig
from training.replicas import assign
from training.resampling import convolved_rows, mirrored, resampled
from training.seeds import folded_seed, random_normal, random_uniform

# imgfilter: sym2's low-pass, and the expected power of its four bands, the lowest first.
SYM2 = np.array([-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025])
BANDS = 4
BAND_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
# Random numbers an image, drawn at once whatever the pipe: two operations, not thirty.
UNIFORMS, NORMALS = 29, 12


class Parameters(NamedTuple):
    """What happens to each of N images; None = not in the pipe.

    Shifts and the cutout are (x, y) and sizes as shares of the image's size, angles are radians,
    against the clock.
    """
    xflip: Optional[tf.Tensor] = None          # [N], 0 or 1
    rotate90: Optional[tf.Tensor] = None       # [N], quarter turns, 0..3
    xint: Optional[tf.Tensor] = None           # [N, 2], rounded to whole pixels when applied
    scale: Optional[tf.Tensor] = None          # [N]
    rotate_pre: Optional[tf.Tensor] = None     # [N]
    aniso: Optional[tf.Tensor] = None          # [N], above 1 = wider and lower
    rotate_post: Optional[tf.Tensor] = None    # [N]
    xfrac: Optional[tf.Tensor] = None          # [N, 2]
    brightness: Optional[tf.Tensor] = None     # [N], added
    contrast: Optional[tf.Tensor] = None       # [N], a factor
    lumaflip: Optional[tf.Tensor] = None       # [N], 0 or 1
    hue: Optional[tf.Tensor] = None            # [N], an angle
    saturation: Optional[tf.Tensor] = None     # [N], a factor
    imgfilter: Optional[tf.Tensor] = None      # [N, 4], gains of the bands, the lowest first
    noise_sigma: Optional[tf.Tensor] = None    # [N]
    noise: Optional[tf.Tensor] = None          # [N, H, W, C], N(0, 1)
    cutout_size: Optional[tf.Tensor] = None    # [N]
    cutout_center: Optional[tf.Tensor] = None  # [N, 2]


class _Draws:
    """Numbers drawn for N images: each call is the next row of those drawn at the start."""

    def __init__(self, count, p, seed):
        self.p = tf.cast(p, tf.float32)
        self.p_rotate = 1 - tf.sqrt(1 - tf.clip_by_value(self.p, 0, 1))  # P(of two one or both) = p
        self._uniforms = iter(tf.unstack(random_uniform([UNIFORMS, count], folded_seed(seed, 0))))
        self._normals = iter(tf.unstack(random_normal([NORMALS, count], folded_seed(seed, 1))))

    def uniform(self):
        """[N], 0..1."""
        return next(self._uniforms)

    def normal(self):
        """[N], N(0, 1)."""
        return next(self._normals)

    def half_normal(self):
        """[N], |N(0, 1)|."""
        return tf.abs(self.normal())

    def happens(self, value, identity, p=None):
        """`value`, [N] or [N, 2], for each image with probability p, else `identity`."""
        chosen = self.uniform() < (self.p if p is None else p)
        return tf.where(chosen if len(value.shape) == 1 else chosen[:, tf.newaxis], value, identity)

    def rotate_post(self, largest):
        """[N], radians: the second rotation."""
        return self.happens((2 * self.uniform() - 1) * largest, 0.0, self.p_rotate)


class _Percentile:
    """In place of draws the same quantile of each, for all images, whatever p is."""

    p_rotate = None

    def __init__(self, count, q):
        self.q, self.count = tf.cast(q, tf.float32), count

    def uniform(self):
        return tf.fill([self.count], self.q)

    def normal(self):
        return tf.fill([self.count], tf.math.erfinv(2 * self.q - 1))  # of deviation 1 / sqrt(2)

    def half_normal(self):
        return tf.fill([self.count], tf.math.erfinv(self.q))

    def happens(self, value, identity, p=None):
        del identity, p
        return value

    def rotate_post(self, largest):
        del largest
        return tf.zeros([self.count])


def _power_of_2(x):
    return tf.exp(x * math.log(2))


def _parameters(shape, names, config, source, seed):
    """The Parameters of the transformations `names`, of what `source` draws in a fixed order."""
    uniform, normal, happens = source.uniform, source.normal, source.happens
    largest_angle = math.pi * config.rotate_max
    drawn = {
        'xflip': happens(tf.floor(2 * uniform()), 0.0),
        'rotate90': happens(tf.floor(4 * uniform()), 0.0),
        'xint': happens((2 * tf.stack([uniform(), uniform()], 1) - 1) * config.xint_max, 0.0),
        'scale': happens(_power_of_2(normal() * config.scale_std), 1.0),
        'rotate_pre': happens((2 * uniform() - 1) * largest_angle, 0.0, source.p_rotate),
        'aniso': happens(_power_of_2(normal() * config.aniso_std), 1.0),
        'rotate_post': source.rotate_post(largest_angle),
        'xfrac': happens(tf.stack([normal(), normal()], 1) * config.xfrac_std, 0.0),
        'brightness': happens(normal() * config.brightness_std, 0.0),
        'contrast': happens(_power_of_2(normal() * config.contrast_std), 1.0),
        'lumaflip': happens(tf.floor(2 * uniform()), 0.0),
        'hue': happens((2 * uniform() - 1) * (math.pi * config.hue_max), 0.0),
        'saturation': happens(_power_of_2(normal() * config.saturation_std), 1.0),
        'imgfilter': tf.stack([happens(_power_of_2(normal() * config.imgfilter_std), 1.0)
                               for _ in range(BANDS)], 1),
        'noise_sigma': happens(source.half_normal() * config.noise_std, 0.0),
        'cutout_size': happens(tf.fill([shape[0]], config.cutout_size), 0.0),
        'cutout_center': tf.stack([uniform(), uniform()], 1)}
    parts = {'rotate': ('rotate_pre', 'rotate_post'), 'noise': ('noise_sigma',),
             'cutout': ('cutout_size', 'cutout_center')}
    drawn = {part: drawn[part] for name in names for part in parts.get(name, (name,))}
    if 'noise' in names:
        drawn['noise'] = random_normal(shape, folded_seed(seed, 2))
    return Parameters(**drawn)


def draw(shape, p, config: AugmentConfig, seed=None):
    """Parameters of images of the shape (N, H, W, C), each transformation with probability p.

    Args:
        p: a number or a scalar tensor; above 1 is as 1.
        seed: a stateless pair; None = the global generator.
    Raises:
        ValueError: the pipe can't be applied to C channels.
    """
    return _parameters(shape, config.transformations(shape[3]), config, _Draws(shape[0], p, seed),
                       seed)


def at_percentile(shape, q, config: AugmentConfig, seed=None):
    """As `draw`, but all that is drawn, the noise itself apart, is its quantile q, 0..1.

    Those of normal distributions lack the factor sqrt(2), as the release's do.
    """
    return _parameters(shape, config.transformations(shape[3]), config, _Percentile(shape[0], q),
                       seed)


def _matrix(*rows):
    """[N, 3, 3] of nine numbers or [N], float64."""
    entries = [tf.cast(entry, tf.float64) for row in rows for entry in row]
    count = next(tf.shape(entry)[0] for entry in entries if entry.shape.rank)
    return tf.reshape(tf.stack([tf.broadcast_to(entry, [count]) for entry in entries], 1),
                      [-1, 3, 3])


def _scaling(x, y):
    return _matrix((x, 0, 0), (0, y, 0), (0, 0, 1))


def _rotation(angle):
    angle = tf.cast(angle, tf.float64)
    cos, sin = tf.cos(angle), tf.sin(angle)
    return _matrix((cos, -sin, 0), (sin, cos, 0), (0, 0, 1))


def _shift(x, y):
    return _matrix((1, 0, x), (0, 1, y), (0, 0, 1))


def _affine_maps(parameters, height, width):
    """[N, 3, 3] from positions in the output to those in the input (float64 is never TF32)."""
    shifts = {'xint': lambda t: _shift(-tf.round(t[:, 0] * width), -tf.round(t[:, 1] * height)),
              'xfrac': lambda t: _shift(-t[:, 0] * width, -t[:, 1] * height)}
    makers = {'xflip': lambda flip: _scaling(1 - 2 * flip, 1),
              'rotate90': lambda turns: _rotation(tf.cast(turns, tf.float64) * (math.pi / 2)),
              'xint': shifts['xint'],
              'scale': lambda scale: _scaling(1 / scale, 1 / scale),
              'rotate_pre': _rotation,
              'aniso': lambda ratio: _scaling(1 / ratio, ratio),
              'rotate_post': _rotation,
              'xfrac': shifts['xfrac']}
    values = [(make, getattr(parameters, name)) for name, make in makers.items()]
    return functools.reduce(tf.matmul, [make(value) for make, value in values if value is not None])


def _per_image(x):
    return tf.cast(x, tf.float32)[:, tf.newaxis, tf.newaxis, tf.newaxis]


def _recolored(images, parameters):
    """Images in other colors: each [N] of `parameters` in the order of its name.

    In colors' grey part and the plane across it, all five are a factor, a factor and an angle: what
    is added is grey, so that hue and saturation leave it alone.
    """
    one = tf.ones(tf.shape(images)[:1])
    brightness, contrast, lumaflip, hue, saturation = (
        default if getattr(parameters, name) is None else tf.cast(getattr(parameters, name),
                                                                  tf.float32)
        for name, default in zip(COLOR, (0 * one, one, 0 * one, 0 * one, one)))
    grey = contrast * (1 - 2 * lumaflip)
    added = _per_image(grey * brightness)
    if images.shape[3] == 1:
        return _per_image(grey) * images + added
    across, turned = (contrast * saturation * part for part in (tf.cos(hue), tf.sin(hue)))
    # A rotation about the grey axis treats (r, g, b) as it does (g, b, r).
    own, difference, twist = (grey + 2 * across) / 3, (grey - across) / 3, turned / math.sqrt(3)
    red, green, blue = tf.split(images, 3, axis=3)
    following, preceding = tf.concat([green, blue, red], 3), tf.concat([blue, red, green], 3)
    return (_per_image(own) * images + _per_image(difference - twist) * following
            + _per_image(difference + twist) * preceding + added)


@functools.cache
def _filter_bank():
    """[4, 43]: symmetric filters of the bands, the lowest first; their sum is a unit impulse."""
    high = SYM2 * (-1) ** np.arange(len(SYM2))
    low, high = (np.convolve(taps, taps[::-1]) / 2 for taps in (SYM2, high))
    bank = np.eye(BANDS, 1)
    for band in range(1, BANDS):
        spaced = np.zeros([BANDS, 2 * bank.shape[1] - 1])
        spaced[:, ::2] = bank
        bank = np.stack([np.convolve(row, low) for row in spaced])
        middle = bank.shape[1] // 2
        bank[band, middle - 3:middle + 4] += high
    return bank


def _filtered(images, band_gains):
    """Images with their frequency bands amplified by [N, 4], at constant power of a 1/f image."""
    power = tf.constant(BAND_POWER, tf.float32)
    gains = tf.cast(band_gains, tf.float32)[:, :, tf.newaxis]
    # [N, band drawn, band]: one of the four differs from 1.
    gains = tf.where(tf.eye(BANDS, dtype=tf.bool), gains, tf.ones([BANDS, BANDS]))
    # As 1 + ..., so that what is drawn nowhere stays exactly 1.
    mean_power = 1 + tf.reduce_sum(power * (tf.square(gains) - 1), axis=2, keepdims=True)
    gains = tf.reduce_prod(gains * tf.math.rsqrt(mean_power), axis=1)
    bank = _filter_bank()
    margin = bank.shape[1] // 2
    taps = tf.eye(1, bank.shape[1])
    taps = tf.roll(taps, margin, 1) + tf.reduce_sum(
        (gains - 1)[:, :, tf.newaxis] * bank.astype(np.float32), axis=1)       # [N, 43]
    count, (height, width, channels) = tf.shape(images)[0], images.shape[1:]

    def along_first(x, size, other):
        # [N, size, other, C] -> [size, N, other, C]: each image's filter for all its columns.
        x = tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [1, size, -1])
        kernel = tf.repeat(tf.transpose(taps), other * channels, axis=1)
        x = convolved_rows(mirrored(x, margin), kernel)
        return tf.transpose(tf.reshape(x, [size, count, other, channels]), [1, 2, 0, 3])

    return along_first(along_first(images, height, width), width, height)


def _cut_out(images, size, center):
    """Images with a grey square (or what the border leaves of it)."""
    def is_near(pixels, center):
        place = (tf.range(pixels, dtype=tf.float32) + 0.5) / pixels
        return tf.abs(place - center[:, tf.newaxis]) < size[:, tf.newaxis] / 2

    # Not center[:, 0, tf.newaxis]: Grappler, which undoes slices of stacks, loses the new axis.
    columns, rows = is_near(images.shape[2], center[:, 0]), is_near(images.shape[1], center[:, 1])
    inside = rows[:, :, tf.newaxis] & columns[:, tf.newaxis]
    return tf.where(inside[..., tf.newaxis], 0.0, images)


def apply(images, parameters):
    """Augmented images, not clipped, of the type they came in; identity parameters change no bit.

    Args:
        images: [N, H, W, C], [-1, 1], any size from 4 up.
        parameters: of `draw` or `at_percentile`; no gradient goes into them.
    Raises:
        ValueError: there are parameters of color, and the images are neither gray nor RGB.
    """
    given = Parameters(*(None if value is None else tf.stop_gradient(tf.convert_to_tensor(value))
                         for value in parameters))
    images = tf.convert_to_tensor(images)
    x = tf.cast(images, tf.float32)
    if _any_of(given, (*BLIT, *GEOM, 'rotate_pre', 'rotate_post')):
        x = resampled(x, _affine_maps(given, *x.shape[1:3]))
    if _any_of(given, COLOR):
        if x.shape[3] not in (1, 3):
            raise ValueError(f'{", ".join(COLOR)} need images of 1 or 3 channels; received '
                             f'{x.shape[3]}.')
        x = _recolored(x, given)
    if given.imgfilter is not None:
        x = _filtered(x, given.imgfilter)
    if given.noise_sigma is not None:
        x += _per_image(given.noise_sigma) * given.noise
    if given.cutout_size is not None:
        x = _cut_out(x, given.cutout_size, given.cutout_center)
    return tf.cast(x, images.dtype)


def _any_of(parameters, names):
    return any(getattr(parameters, name, None) is not None for name in names)


def augment(images, p, config: AugmentConfig, seed=None, debug_percentile=None):
    """`draw` (or `at_percentile`, where that is given), then `apply`: images -> images."""
    images = tf.convert_to_tensor(images)
    shape = (images.shape[0] or tf.shape(images)[0], *images.shape[1:])
    if debug_percentile is None:
        return apply(images, draw(shape, p, config, seed))
    return apply(images, at_percentile(shape, debug_percentile, config, seed))


def next_p(p, sign_mean, images, config: AugmentConfig):
    """p after an adjustment: up where D overfits more than the target says, down where less.

    Not below 0; above 1 it may go, where nothing more happens to the images.

    Args:
        p: at present; numbers or scalar tensors, as the next two.
        sign_mean: r_t, the mean sign of D's scores of augmented reals since the last adjustment.
        images: how many reals that were, over all replicas.
    """
    if config.target is None:
        return p
    step = tf.cast(images, tf.float32) / (config.adapt_kimg * 1000)
    return tf.maximum(p + tf.sign(sign_mean - config.target) * step, 0.0)


class AdaptiveP(tf.Module):
    """p of a run, and the signs of D's scores since it last moved: all of it is in checkpoints.

    Made in the scope of a strategy and told the same numbers on every replica, all copies of p are
    alike. It is there without augmentation too (config None), so that a run may take it up later.
    """

    def __init__(self, config: Optional[AugmentConfig]):
        super().__init__()
        self.config = config
        self.p = tf.Variable(config.p if config else 0.0, trainable=False, dtype=tf.float32)
        # Of the minibatches since the last adjustment, and since the last tick.
        self.sign_sum, self.images, self.tick_sign_sum, self.tick_images = (
            tf.Variable(0.0, trainable=False) for _ in range(4))
        self.minibatches = tf.Variable(0, trainable=False, dtype=tf.int64)

    def probability(self):
        """p now, a scalar tensor or number; a fixed one is always the config's."""
        return self.config.p if self.config.target is None else self.p.read_value()

    def draw(self, shape, seed):
        """`draw` with p as it is now; None without augmentation."""
        return None if self.config is None else draw(shape, self.probability(), self.config, seed)

    def stats(self):
        """{'augment': p, 'r_t': mean sign since the last call}; {} without augmentation."""
        if self.config is None:
            return {}
        r_t = float(self.tick_sign_sum.numpy()) / max(float(self.tick_images.numpy()), 1)
        for variable in (self.tick_sign_sum, self.tick_images):
            variable.assign(0)
        return {'augment': float(tf.convert_to_tensor(self.probability())), 'r_t': r_t}

    def add(self, sign_mean, images):
        """Counts a minibatch; after every `interval`, adjusts p. Called on each replica.

        Args:
            sign_mean: mean sign of D's scores of augmented reals, over all replicas; one that is
                not finite, of a step that is skipped, does not count.
            images: how many, over all replicas.
        """
        if self.config is None:
            return
        counts = tf.math.is_finite(sign_mean)
        images = tf.where(counts, tf.cast(images, tf.float32), 0.0)
        signs = tf.where(counts, sign_mean, 0.0) * images
        total, sign_sum = self.images + images, self.sign_sum + signs
        minibatches = self.minibatches + 1
        is_due = minibatches >= self.config.interval
        moved = next_p(self.p, sign_sum / tf.maximum(total, 1.0), total, self.config)
        assign(self.p, tf.where(is_due, moved, self.p))
        for variable, value in ((self.sign_sum, sign_sum), (self.images, total),
                                (self.minibatches, minibatches)):
            assign(variable, tf.where(is_due, tf.zeros_like(value), value))
        assign(self.tick_sign_sum, self.tick_sign_sum + signs)
        assign(self.tick_images, self.tick_images + images)
