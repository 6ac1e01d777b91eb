"""Which convolutions this machine computes fast, and ways around the others."""

from __future__ import annotations

import functools
import time

import tensorflow as tf

from training.config import FLOAT32

CPUINFO = '/proc/cpuinfo'
TRIED = 8, 64, 64, 256      # images of the convolution that shows what TF32 would gain
TRIES = 20                  # of it, in each mode


def worthwhile(precision):
    """The Precision to train in: float32 where bfloat16 is asked for but would be slower.

    bfloat16 is asked for to save time and memory. Where convolutions are computed in float32
    anyway, rounding before and after each would only take time. float16 stays, so that what a GPU
    will compute can be tried without one.
    """
    return FLOAT32 if precision.name == 'mixed_bfloat16' and not is_fast('bfloat16') else precision


def convolved(convolution, x, kernel):
    """convolution(x, kernel) of two tensors of one type.

    Where the machine has no arithmetic for their type, it is computed in float32 and rounded to it:
    the same numbers, while TensorFlow's own kernels would take up to two hundred times as long.
    """
    if x.dtype == tf.float32 or is_fast(x.dtype.name):
        return convolution(x, kernel)
    result = convolution(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32))
    return tf.cast(result, x.dtype)


@functools.cache
def is_fast(dtype_name):
    """Whether convolutions of 'bfloat16' or 'float16' have hardware here."""
    gpus = tf.config.list_physical_devices('GPU')
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return details.get('compute_capability', (0, 0)) >= (
            (8, 0) if dtype_name == 'bfloat16' else (7, 0))
    return dtype_name == 'bfloat16' and bool({'avx512_bf16', 'amx_bf16'} & _cpu_flags())


def allow_tf32(allowed):
    """Whether a GPU may compute what is float32 with inputs rounded to TF32, in this process."""
    tf.config.experimental.enable_tensor_float_32_execution(allowed)


def has_tf32():
    """Whether there is a GPU that has TF32 (Ampere and later)."""
    return any(tf.config.experimental.get_device_details(gpu).get('compute_capability', (0, 0))
               >= (8, 0) for gpu in tf.config.list_physical_devices('GPU'))


def gain_of_tf32():
    """How many times as fast a large convolution is with TF32; it is off afterwards."""
    x = tf.random.stateless_normal(TRIED, [0, 1])
    kernel = tf.random.stateless_normal([3, 3, TRIED[3], TRIED[3]], [0, 2])
    seconds = []
    for allowed in (False, True):
        allow_tf32(allowed)
        for _ in range(2):  # the first time, the library chooses an algorithm
            start = time.perf_counter()
            for _ in range(TRIES):
                y = tf.nn.conv2d(x, kernel, 1, 'SAME')
            y[0, 0, 0, 0].numpy()
            taken = time.perf_counter() - start
        seconds.append(taken)
    allow_tf32(False)
    return seconds[0] / seconds[1]


def _cpu_flags():
    try:
        with open(CPUINFO, encoding='utf-8') as file:
            lines = [line for line in file if line.startswith('flags')]
    except OSError:  # not Linux
        return set()
    return set(lines[0].split()) if lines else set()
