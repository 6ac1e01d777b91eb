"""Sliced Wasserstein distance between two sets of images: ProGAN's, which needs no network.

Karras, Aila, Laine and Lehtinen, 2018, arXiv 1710.10196, section 5: each image's Laplacian
pyramid from its resolution down to 16x16, 128 patches of 7x7 pixels from each level, every
channel of a level normalised over the whole set, 4 x 128 random directions. Published values are
times 1e3, and so are these.

For scale, of scikit-learn's 1,797 digits at 32x32 one random half is 6.4 to 9.6 from the other,
and 1,797 images of the network that the reference trained on them 15.2 to 17.2 from them all.
Sets of fewer images are further apart: compare values of equally many only.
"""

from __future__ import annotations

import concurrent.futures
import functools
import os

import numpy as np
import tensorflow as tf

MIN_RESOLUTION = 16
PATCH = 7                        # pixels a side
PATCHES = 128                    # of an image, at each level
DIRECTIONS = 4 * 128
FILTER = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
UNITS = 128                      # in a grey level: patches are kept as int16, half the memory of
                                 # float32; the rounding is 1/100 of an 8-bit image's own
BINS = 2 ** 14                   # that projections are counted in: 3e-5 relative off sorting
ROUNDING = 0.05                  # of a deviation, in units: a channel with less is constant
BATCH_PIXELS = 2 ** 22           # of images whose pyramids are computed at a time
DIRECTIONS_AT_A_TIME = 64
PATCHES_AT_A_TIME = 2 ** 16      # with their projections 55 MB


def levels_of(resolution):
    """Resolutions of the pyramid, from `resolution` down to 16."""
    if resolution < MIN_RESOLUTION or resolution & (resolution - 1):
        raise ValueError('sliced Wasserstein distance: the resolution must be a power of two, '
                         f'{MIN_RESOLUTION} or more; received {resolution}. Leave the metric out.')
    return [resolution >> i for i in range((resolution // MIN_RESOLUTION).bit_length())]


def bytes_per_image(resolution, num_channels):
    """Memory that `Patches` takes for each image."""
    return len(levels_of(resolution)) * num_channels * PATCHES * PATCH * PATCH * 2


def _along(axis, start, stop, stride=1):
    """Index of a slice along `axis` of [N, H, W, C]."""
    return tuple(slice(start, stop, stride) if i == axis else slice(None) for i in range(axis + 1))


def _halved(images):
    """[N, H, W, C] -> [N, H/2, W/2, C]: smoothed with FILTER, every second pixel kept.

    The borders are mirrored; the outermost pixel is not repeated.
    """
    for axis in (1, 2):
        size = images.shape[axis]
        padded = tf.pad(images, [[2, 2] if i == axis else [0, 0] for i in range(4)], 'REFLECT')
        images = tf.add_n([weight * padded[_along(axis, i, i + size - 1, 2)]
                           for i, weight in enumerate(FILTER)])
    return images


def _doubled(images):
    """[N, H, W, C] -> [N, 2H, 2W, C]: a zero put after each pixel, smoothed with 2 x FILTER.

    Pixels come out as 1/8, 6/8, 1/8 of three neighbours and 1/2, 1/2 of two, by turns. Mirroring
    after the zeros went in makes the first border the second pixel and the last one itself.
    """
    for axis in (1, 2):
        size = images.shape[axis]
        padded = tf.concat([images[_along(axis, 1, 2)], images,
                            images[_along(axis, size - 1, size)]], axis)
        before, here, after = (padded[_along(axis, i, i + size)] for i in range(3))
        pairs = tf.stack([before / 8 + here * (6 / 8) + after / 8, (here + after) / 2], axis + 1)
        shape = [2 * size if i == axis else images.shape[i] for i in (1, 2, 3)]
        images = tf.reshape(pairs, [-1, *shape])
    return images


def laplacian_pyramid(images, num_levels):
    """float32 [N, H, W, C] -> `num_levels` of them: what halving loses, then what remains."""
    levels = []
    for _ in range(num_levels - 1):
        smaller = _halved(images)
        levels.append(images - _doubled(smaller))
        images = smaller
    return levels + [images]


@functools.lru_cache(maxsize=4)
def _cutter(image_shape):
    """A compiled function: images and places of patches -> those patches of each level.

    It takes uint8 [N, *image_shape] and, for each level, int32 [patches, PATCH^2], indices of
    pixels of all N images. It returns for each level int16 [patches, PATCH^2, C], in UNITS, and
    float64 [2, C], sums of these and of their squares.
    """
    num_levels = len(levels_of(image_shape[0]))

    def cut(images, places):
        result = []
        for level, where in zip(laplacian_pyramid(tf.cast(images, tf.float32), num_levels), places):
            patches = tf.gather(tf.reshape(level, [-1, image_shape[2]]), where)
            patches = tf.round(UNITS * patches)
            wide = tf.cast(patches, tf.float64)
            result.append((tf.cast(patches, tf.int16),
                           tf.reduce_sum([wide, tf.square(wide)], axis=[1, 2])))
        return result

    return tf.function(cut, input_signature=[
        tf.TensorSpec([None, *image_shape], tf.uint8),
        [tf.TensorSpec([None, PATCH * PATCH], tf.int32)] * num_levels], autograph=False)


def _places(num_images, size, random):
    """Where patches lie in flattened [N, size, size]: int32 [N * PATCHES, PATCH^2]."""
    y, x = np.moveaxis(random.integers(size - PATCH + 1, size=[num_images, PATCHES, 2]), 2, 0)
    corners = (np.arange(num_images)[:, np.newaxis] * size + y) * size + x
    steps = np.arange(PATCH)
    inside = (steps[:, np.newaxis] * size + steps).ravel()
    return (corners.reshape(-1, 1) + inside).astype(np.int32)


class Patches:
    """Random patches of a stream of images: a set's side of the distance.

    Takes much memory (`bytes_per_image`): 1.7 GiB for 16,384 RGB images of 64x64.
    """

    def __init__(self, num_images, resolution, num_channels, seed):
        """Args: seed: an int or sequence of ints that the places of the patches come from."""
        self.resolutions = levels_of(resolution)
        self.image_shape = (resolution, resolution, num_channels)
        self.count = 0  # images taken so far
        # One generator a level, so that the places do not depend on how images come in batches.
        self._random = [np.random.default_rng(child)
                        for child in np.random.SeedSequence(seed).spawn(len(self.resolutions))]
        self._levels = [np.empty([num_images * PATCHES, PATCH * PATCH, num_channels], np.int16)
                        for _ in self.resolutions]
        self._sums = np.zeros([len(self.resolutions), 2, num_channels])  # of x and x^2

    def add(self, images):
        """Takes uint8 [N, H, W, C]."""
        if images.shape[1:] != self.image_shape:
            raise ValueError(f'sliced Wasserstein distance: images must be {self.image_shape}, '
                             f'as the first ones; received {images.shape[1:]}.')
        cut = _cutter(self.image_shape)
        at_a_time = max(BATCH_PIXELS // images[0].size, 1)
        for start in range(0, len(images), at_a_time):
            batch = images[start:start + at_a_time]
            places = [_places(len(batch), size, random)
                      for size, random in zip(self.resolutions, self._random)]
            rows = slice(self.count * PATCHES, (self.count + len(batch)) * PATCHES)
            for level, totals, (patches, sums) in zip(self._levels, self._sums,
                                                      cut(batch, places)):
                level[rows] = patches.numpy()
                totals += sums.numpy()
            self.count += len(batch)

    def normalised(self, level):
        """Yields the patches of a level, float32 [N, PATCH^2 * C], some at a time."""
        patches = self._levels[level][:self.count * PATCHES]
        mean, square = self._sums[level] / (len(patches) * PATCH * PATCH)
        deviation = np.sqrt(np.maximum(square - mean * mean, 0))
        scale = np.where(deviation > ROUNDING, 1 / np.maximum(deviation, ROUNDING), 0)
        # Of whole patches: NumPy is five times as fast with long rows as with pixels of C numbers.
        mean, scale = (np.tile(x, PATCH * PATCH).astype(np.float32) for x in (mean, scale))
        rows = patches.reshape(len(patches), -1)
        for start in range(0, len(rows), PATCHES_AT_A_TIME):
            some = rows[start:start + PATCHES_AT_A_TIME] - mean
            some *= scale
            yield some

    def largest_norm(self, level):
        """Of the normalised patches of a level: no projection of them is longer."""
        return max(np.sqrt(np.einsum('nd,nd->n', some, some).max())
                   for some in self.normalised(level))

    def cdfs(self, level, directions, bound, pool):
        """CDFs of the projections of a level along unit vectors [K, PATCH^2 * C]: [K, BINS].

        Args:
            bound: more than their absolute value; the bins lie within -bound..bound.
            pool: an executor.
        """
        counts = np.zeros([len(directions), BINS], np.int64)

        def count(row, projections):
            row += np.bincount(_bins(projections, bound), minlength=BINS)

        for some in self.normalised(level):
            list(pool.map(count, counts, directions @ some.T))
        return np.cumsum(counts, axis=1) / (self.count * PATCHES)


def _bins(values, bound):
    """The bin of each value, int32; counting in bins is 20 times as fast as sorting."""
    return ((values + bound) * (BINS / (2 * bound))).astype(np.int32)


def _area_between(cdfs, others, bound):
    """1-D Wasserstein-1 distances, [K], of distributions given by their CDFs, [K, BINS]."""
    return np.abs(cdfs - others).sum(axis=1) * (2 * bound / BINS)


def distance(reals, fakes, seed, progress=lambda done, total: None):
    """The distance of two `Patches`: {resolution: value, ..., 'mean': value}.

    Args:
        seed: an int that the directions come from.
        progress: told how many directions are done, of how many.
    """
    if reals.image_shape != fakes.image_shape:
        raise ValueError('sliced Wasserstein distance: reals and fakes must be of one shape; '
                         f'received {reals.image_shape} and {fakes.image_shape}.')
    random = np.random.default_rng([seed, DIRECTIONS])
    result = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for level, resolution in enumerate(reals.resolutions):
            directions = random.standard_normal(
                [DIRECTIONS, PATCH * PATCH * reals.image_shape[2]], np.float32)
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            bound = 1.01 * max(side.largest_norm(level) for side in (reals, fakes)) + 1e-6
            distances = []
            for start in range(0, DIRECTIONS, DIRECTIONS_AT_A_TIME):
                some = directions[start:start + DIRECTIONS_AT_A_TIME]
                cdfs = [side.cdfs(level, some, bound, pool) for side in (reals, fakes)]
                distances.append(_area_between(*cdfs, bound))
                progress(level * DIRECTIONS + start + len(some),
                         len(reals.resolutions) * DIRECTIONS)
            result[resolution] = 1e3 * float(np.mean(np.concatenate(distances)))
    result['mean'] = float(np.mean(list(result.values())))
    return result


def swd(reals, fakes, seed=0):
    """The distance of two arrays of images, uint8 [N, H, W, C]; see `distance`."""
    sides = []
    for side, images in enumerate((reals, fakes)):
        patches = Patches(len(images), images.shape[1], images.shape[3], [seed, side])
        patches.add(images)
        sides.append(patches)
    return distance(*sides, seed)


def patches_of(batches, count, seed):
    """The Patches of batches of `count` images, uint8 [N, H, W, C]; seed: see `Patches`."""
    batches = iter(batches)
    first = next(batches)
    patches = Patches(count, first.shape[1], first.shape[3], seed)
    patches.add(first)
    for batch in batches:
        patches.add(batch)
    return patches


def measure(task, count):
    """The distance of a Task's fakes to as many reals: {'': mean, '_<resolution>': value}."""
    count = task.num_reals(task.num_fakes(count))
    patches = [patches_of(images, count, [task.seed, side])
               for side, images in enumerate((task.real_images(count), task.fake_images(count)))]
    result = distance(*patches, task.seed, task.statistics_progress())
    mean = result.pop('mean')
    return {'': mean, **{f'_{resolution}': value for resolution, value in result.items()}}
