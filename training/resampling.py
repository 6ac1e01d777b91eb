"""Images under an affine map, each its own: doubled, sampled bilinearly, halved.

Karras et al. 2020 (ADA), appendix B: mirrored borders, and the sym6 wavelet's low-pass, in float32
whatever the network computes in. All of it is linear in the images and made of operations whose
transposes are at hand, so that derivatives of every order are exact. (TensorFlow's own
ImageProjectiveTransformV3 has the inverse map for a gradient.)

Along an axis of n pixels the image is mirrored by n - 1 pixels on either side, and grey (0) ends
that: 3n - 2 pixels, 6n - 4 samples after doubling. The mirrored image repeats itself after 2n - 2
pixels, so that no more than one period is computed, and the ends, where grey comes in: 4n samples
of 6n, 16n^2 of 36n^2 in two dimensions. `_rows` has them, `_place` says where.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

# sym6, low-pass; its sum before division is sqrt(2).
_SYM6 = np.array([
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148])
LOW_PASS = _SYM6 / _SYM6.sum()
MARGIN = 5                 # pixels that halving uses up on either side
REACH = 3                  # pixels on either side that a sample looks at
ZEROS = 2                  # samples of grey before the first one and after the last: all beyond
FOLDED_FROM = 14           # pixels, from which on a period and two ends are less than the whole
PRODUCT_UP_TO = 64         # pixels; beyond, convolutions are less work
# Doubling: sample 2m is the pixels m - 3..m + 2 times the odd taps, 2m + 1 is m - 2..m + 3 times
# the even ones.
EVEN_KERNEL = 2 * np.append(LOW_PASS[::-2], 0)
ODD_KERNEL = 2 * np.append(0, LOW_PASS[-2::-2])


def _has_gpu():
    return bool(tf.config.list_physical_devices('GPU'))


def convolved_rows(x, kernel, stride=1):
    """[N, L, K] and taps [T, K or 1] -> [N, (L - T) // stride + 1, K]: along L, no borders.

    Depthwise: fast, as the K innermost numbers are its channels, and never rounded to TF32.
    """
    kernel = tf.cast(kernel, tf.float32)
    kernel = tf.broadcast_to(kernel, [kernel.shape[0], tf.shape(x)[2]])
    y = tf.nn.depthwise_conv2d(x[:, :, tf.newaxis], kernel[:, tf.newaxis, :, tf.newaxis],
                               [1, stride, stride, 1], 'VALID')
    return y[:, :, 0]


def mirrored(x, margin):
    """[N, n, K] -> [N, n + 2 margin, K], without repeating the edge; again and again if need be."""
    while margin:
        width = min(margin, x.shape[1] - 1)
        x = tf.pad(x, [[0, 0], [width, width], [0, 0]], 'REFLECT')
        margin -= width
    return x


def _is_folded(size):
    return size >= FOLDED_FROM


def _convolved_to_rows(x):
    size = x.shape[1]
    x = tf.pad(mirrored(x, size - 1), [[0, 0], [REACH, REACH], [0, 0]])
    if _is_folded(size):  # what lies between follows a period earlier; the joint is junk
        x = tf.concat([x[:, :2 * size + 8], x[:, 3 * size - 5:]], axis=1)
    even, odd = (convolved_rows(x, kernel[:, np.newaxis]) for kernel in (EVEN_KERNEL, ODD_KERNEL))
    rows = tf.reshape(tf.stack([even, odd], axis=2), [-1, 2 * even.shape[1], tf.shape(x)[2]])
    return tf.pad(rows, [[0, 0], [ZEROS, ZEROS], [0, 0]])


@functools.cache
def _rows_matrix(size):
    """[about 4n, n], what `_convolved_to_rows` does."""
    with tf.init_scope():  # now, not in the graph that is being traced
        return _convolved_to_rows(tf.eye(size)[tf.newaxis])[0].numpy()


def _rows(x):
    """The distinct samples of the mirrored and doubled rows: [N, n, K] -> [N, about 4n, K].

    A CPU's product of matrices takes a quarter of the time; a GPU's would be rounded to TF32.
    """
    if x.shape[1] <= PRODUCT_UP_TO and not _has_gpu():
        return tf.matmul(_rows_matrix(x.shape[1]), x)
    return _convolved_to_rows(x)


def _place(sample, size):
    """Which of `_rows` a sample is, -2..6n - 4; the next one follows it there. Whole float32s."""
    if not _is_folded(size):
        return sample + ZEROS
    period = 4 * size - 4
    back = tf.where(sample < period + 6, 0.0,
                    tf.where(sample < 6 * size - 10, float(period), float(2 * size - 26)))
    return sample + ZEROS - back


def _positions(halves, size):
    """Half-pixels from the middle -> (place of the sample before, share of the one after it)."""
    before = tf.floor(halves)
    share = halves - before
    sample = before + (3 * size - 3)
    return _place(tf.clip_by_value(sample, -ZEROS, 6 * size - 4), size), share


@tf.autograph.experimental.do_not_convert  # it would take the functions without their gradients
def _sampling(places, weights, num_rows):
    """The linear map [rows, C] -> [samples, C]: the rows at `places` [4, samples] by `weights`.

    Its gradient is the transposed map, whose gradient is the map: any number of derivatives.
    """
    gather, scatter = (_gathers if _has_gpu() else _sparse_products)(places, weights, num_rows)

    @tf.custom_gradient
    def sample(rows):
        return gather(rows), spread

    @tf.custom_gradient
    def spread(samples):
        return scatter(samples), sample

    return sample


def _gathers(places, weights, num_rows):
    """(rows -> samples, its transpose). For GPUs: little memory, and deterministic if asked."""
    weights = weights[:, :, tf.newaxis]

    def scatter(samples):
        shares = tf.reshape(weights * samples, [-1, samples.shape[1]])
        return tf.math.unsorted_segment_sum(shares, tf.reshape(places, [-1]), num_rows)

    return lambda rows: tf.reduce_sum(tf.gather(rows, places) * weights, axis=0), scatter


def _sparse_products(places, weights, num_rows):
    """The same as products of a sparse matrix: on a CPU, twice as fast with three channels."""
    count = tf.shape(places)[1]
    indices = tf.stack([tf.tile(tf.range(count), [4]), tf.reshape(places, [-1])])
    # Transposed, as stacking along the last axis takes twice the time.
    matrix = {'a_indices': tf.cast(tf.transpose(indices), tf.int64),
              'a_values': tf.reshape(weights, [-1]),
              'a_shape': tf.cast(tf.stack([count, num_rows]), tf.int64)}
    product = tf.raw_ops.SparseTensorDenseMatMul
    return (lambda rows: product(b=rows, **matrix),
            lambda samples: product(b=samples, adjoint_a=True, **matrix))


def _sampled(rows, matrices, height, width):
    """Doubled images [N, rows of x, rows of y, C] read at 2(W + 5) x 2(H + 5) places, x first."""
    count, (across, down, channels) = tf.shape(rows)[0], rows.shape[1:]
    x, y = (tf.range(2.0 * (size + MARGIN)) - (size + MARGIN - 1) for size in (width, height))
    a, b, c, d, e, f = (matrices[:, i, j, tf.newaxis, tf.newaxis] for i in (0, 1) for j in range(3))
    # Half-pixels: twice the shifts.
    x_place, x_share = _positions(a * x[:, tf.newaxis] + (b * y + 2 * c), width)
    y_place, y_share = _positions(d * x[:, tf.newaxis] + (e * y + 2 * f), height)
    place = tf.cast(x_place, tf.int32) * down + tf.cast(y_place, tf.int32)
    place += tf.range(count)[:, tf.newaxis, tf.newaxis] * (across * down)
    places = tf.stack([place, place + 1, place + down, place + down + 1])
    both = x_share * y_share
    weights = tf.stack([1 - x_share - y_share + both, y_share - both, x_share - both, both])
    sample = _sampling(tf.reshape(places, [4, -1]), tf.reshape(weights, [4, -1]),
                       count * across * down)
    samples = sample(tf.reshape(rows, [-1, channels]))
    return tf.reshape(samples, [-1, *x.shape, *y.shape, channels])


def _along_both_axes(function, x):
    """function: [N, n, K] -> [N, m, K], on both axes of [N, A, B, C] -> [N, new B, new A, C]."""
    def along_first(x):
        first, second, channels = x.shape[1:]
        x = function(tf.reshape(x, [-1, first, second * channels]))
        return tf.reshape(x, [-1, x.shape[1], second, channels])
    return along_first(tf.transpose(along_first(x), [0, 2, 1, 3]))


def resampled(images, matrices):
    """Each image under its own affine map; bit for bit itself where that is the identity.

    Args:
        images: [N, H, W, C], float32.
        matrices: [N, 3, 3], from positions (x, y, 1) in the output to those in the input, in pixels
            from the middle of the image, y downwards. No gradient goes into them.
    """
    height, width = images.shape[1:3]
    matrices = tf.stop_gradient(matrices)
    changed = tf.reduce_any(matrices != tf.eye(3, dtype=matrices.dtype), axis=[1, 2])
    rows = _along_both_axes(_rows, images)                                     # [N, x, y, C]
    samples = _sampled(rows, tf.cast(matrices, tf.float32), height, width)     # [N, x, y, C]
    halved = _along_both_axes(lambda x: convolved_rows(x, LOW_PASS[:, np.newaxis], 2),
                              samples)                                         # [N, y, x, C]
    return tf.where(changed[:, tf.newaxis, tf.newaxis, tf.newaxis], halved, images)
