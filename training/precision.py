"""Which convolutions this machine computes fast, and ways around the others."""

from __future__ import annotations

import functools

import tensorflow as tf

from training.config import FLOAT32

CPUINFO = '/proc/cpuinfo'


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


def _cpu_flags():
    try:
        with open(CPUINFO, encoding='utf-8') as file:
            lines = [line for line in file if line.startswith('flags')]
    except OSError:  # not Linux
        return set()
    return set(lines[0].split()) if lines else set()
