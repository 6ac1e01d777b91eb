"""Multi-scale structural similarity of pairs of images: of generated pairs, a lack of diversity.

Wang, Simoncelli and Bovik, 2003; as a measure of diversity Odena et al., 2017, arXiv 1610.09585:
the lower, the more different the images of a set. To be compared with the value of the reals: a
generator whose value is higher repeats itself.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest first
WINDOW = 11          # pixels a side; smaller where the image is
DEVIATION = 1.5      # of the Gaussian in the window; narrower with it
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


@functools.cache
def _gaussian(size):
    """Weights of the window along one side, float32 [size]."""
    places = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * np.square(places * WINDOW / (size * DEVIATION)))
    return (weights / weights.sum()).astype(np.float32)


def _windowed(images):
    """Weighted means of all windows that lie within the images."""
    channels = images.shape[3]
    window = _gaussian(min(WINDOW, *images.shape[1:3]))
    for shape in ([-1, 1, 1, 1], [1, -1, 1, 1]):
        kernel = tf.tile(tf.reshape(window, shape), [1, 1, channels, 1])
        images = tf.nn.depthwise_conv2d(images, kernel, [1, 1, 1, 1], 'VALID')
    return images


def _similarity(a, b):
    """(SSIM, its contrast and structure part alone), means over the windows, each [N, C]."""
    mean_a, mean_b = _windowed(a), _windowed(b)
    squares = _windowed(a * a + b * b) - mean_a * mean_a - mean_b * mean_b
    product = _windowed(a * b) - mean_a * mean_b
    structure = (2 * product + C2) / (squares + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1)
    return tf.reduce_mean(luminance * structure, [1, 2]), tf.reduce_mean(structure, [1, 2])


@functools.lru_cache(maxsize=4)
def _compiled(image_shape):
    """A compiled function: float32 pairs [N, *image_shape], [0, 255] -> their similarity, [N]."""
    def similarity(a, b):
        result = 1.0
        for scale, weight in enumerate(SCALE_WEIGHTS):
            if scale:
                a, b = (tf.nn.avg_pool2d(side, 2, 2, 'SAME') for side in (a, b))
            whole, structure = _similarity(a, b)
            factor = whole if scale == len(SCALE_WEIGHTS) - 1 else structure
            result *= tf.maximum(factor, 0) ** weight  # a root of a negative number is none
        return tf.reduce_mean(result, axis=1)

    return tf.function(similarity, input_signature=[tf.TensorSpec([None, *image_shape])] * 2)


def ms_ssim(a, b):
    """Similarity of pairs of images, uint8 [N, H, W, C], H and W 16 or more: [N], 1 = the same."""
    if min(a.shape[1:3]) < 2 ** (len(SCALE_WEIGHTS) - 1):
        raise ValueError('MS-SSIM: images must be 16 pixels wide and high, or more; received '
                         f'{a.shape[1]}x{a.shape[2]}. Leave the metric out.')
    similarity = _compiled(a.shape[1:])
    return similarity(a.astype(np.float32), b.astype(np.float32)).numpy()


class Diversity:
    """Mean similarity of images 0 and 1, 2 and 3, ... of a stream."""

    def __init__(self):
        self._values = []
        self._odd = None  # an image that waits for its partner

    def add(self, images):
        """Takes uint8 [N, H, W, C]."""
        if self._odd is not None:
            images = np.concatenate([self._odd, images])
        pairs = len(images) // 2
        self._odd = images[2 * pairs:] if len(images) % 2 else None
        if pairs:
            self._values.append(ms_ssim(images[:2 * pairs:2], images[1:2 * pairs:2]))

    @property
    def value(self):
        """In [0, 1]: 0 = nothing in common, 1 = all the same."""
        if not self._values:
            raise ValueError('MS-SSIM: must have two images or more to compare.')
        return float(np.mean(np.concatenate(self._values), dtype=np.float64))


def _diversity(images):
    """`Diversity.value` of batches of images."""
    found = Diversity()
    for batch in images:
        found.add(batch)
    return found.value


def measure(task, count):
    """Diversity of a Task's fakes and, for comparison, of its reals: {'': .., '_reals': ..}."""
    of_reals, of_fakes = task.both_sides('ms_ssim', count, _diversity)
    return {'': of_fakes, '_reals': of_reals}
