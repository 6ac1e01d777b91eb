"""What this machine can do at best."""

from __future__ import annotations

import time

import tensorflow as tf

# [N, H, W, C] of images, all 3x3 to as many channels: large enough that arithmetic is all there is.
PEAK_SHAPES = ((8, 32, 32, 512), (8, 64, 64, 256), (32, 16, 16, 512))


def convolution_flops(images):
    """Additions and multiplications of a 3x3 convolution that keeps the shape [N, H, W, C]."""
    batch, height, width, channels = images
    return 2 * batch * height * width * 9 * channels ** 2


class ConvolutionPeak:
    """The best rate of large 3x3 convolutions of a type so far, in operations a second."""

    def __init__(self, dtype='float32'):
        self.best = 0.0
        # A GPU takes calls faster than it computes: many make the wait for the last one negligible.
        self._calls = 20 if tf.config.list_logical_devices('GPU') else 1
        convolution = tf.function(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, 'SAME'))
        self._cases = []
        for shape in PEAK_SHAPES:
            x = tf.random.stateless_normal(shape, [0, 1])
            kernel = tf.random.stateless_normal([3, 3, shape[3], shape[3]], [0, 2])
            x, kernel = tf.cast(x, dtype), tf.cast(kernel, dtype)
            call = convolution.get_concrete_function(x, kernel)
            _wait(call(x, kernel))
            self._cases.append((convolution_flops(shape), call, x, kernel))

    def measure(self, times=3):
        """Tries each shape so many times; returns the best of all calls."""
        for flops, call, x, kernel in self._cases:
            for _ in range(times):
                start = time.perf_counter()
                for _ in range(self._calls):
                    y = call(x, kernel)
                _wait(y)
                rate = self._calls * flops / (time.perf_counter() - start)
                self.best = max(self.best, rate)
        return self.best


def _wait(tensor):
    """Until it is computed: a GPU answers before it has."""
    tensor[0, 0, 0, 0].numpy()
