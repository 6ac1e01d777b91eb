"""Every operation of a compiled training iteration can run on a GPU, in each precision.

By TensorFlow's own registry, which the CPU's wheel has too: an operation without a kernel for its
types there would be placed on the CPU, and each iteration would wait for it.
"""

import pytest
import tensorflow as tf
from small_data import SMALL_OPTIONS
from tensorflow.python.framework import kernels

from training.config import Precision
from training.iterations import compiled_iteration
from training.pipes import AugmentConfig
from training.presets import run_config
from training.replicas import Replicas
from training.state import TrainingState

ON_A_GPU = 'GPU', 'DEFAULT'   # DEFAULT: kernels that are the same on all devices


def fits(kernel, node):
    """Whether a registered kernel is for the types of a node."""
    return all(node.attr[constraint.name].type in constraint.allowed_values.list.type
               for constraint in kernel.constraint if constraint.allowed_values.list.type)


def without_gpu_kernel(function):
    """{(operation, its types)} of a concrete function, and of all that it calls."""
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for called in definition.library.function
                                 for node in called.node_def)]
    defined = {called.signature.name for called in definition.library.function}
    missing = set()
    for node in nodes:
        if node.op in defined:
            continue
        registered = kernels.get_registered_kernels_for_op(node.op).kernel
        if not any(kernel.device_type in ON_A_GPU and fits(kernel, node)
                   for kernel in registered):
            types = tuple(sorted({tf.dtypes.as_dtype(attr.type).name
                                  for attr in node.attr.values() if attr.type}))
            missing.add((node.op, types))
    return missing


def traced(precision, augment):
    """The compiled iteration while 16x16 fades in: R1, style mixing, noise, minibatch stddev."""
    config = run_config('digits', 'data', 16, 3, 0, SMALL_OPTIONS)
    state = TrainingState(config.G, config.D, Precision(precision), augment=augment)
    iterate = compiled_iteration(state, config, Replicas(), 0, 8)
    images = tf.zeros([8, 16, 16, config.G.num_channels], tf.uint8)
    labels = tf.zeros([8, config.G.label_size])
    place = tf.constant(0, tf.int64), tf.constant(0, tf.int64)
    scalars = [tf.constant(value) for value in (0.5, 0.001, 0.001, 0.999)]
    return iterate.get_concrete_function(*place, [(images, labels)], labels, *scalars)


@pytest.mark.parametrize('precision', ['float32', 'mixed_bfloat16', 'mixed_float16'])
def test_an_iteration_needs_nothing_that_a_gpu_has_not(precision):
    assert without_gpu_kernel(traced(precision, AugmentConfig(pipe='bgcfnc', p=0.5))) == set()


def test_an_operation_for_cpus_only_is_found():
    @tf.function
    def f(x):
        return tf.strings.as_string(x), tf.linalg.matmul(x, x)

    assert {op for op, _ in without_gpu_kernel(f.get_concrete_function(tf.zeros([2, 2])))} == {
        'AsString'}
