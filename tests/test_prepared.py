"""Weights prepared once for several calls are the same weights, within one tape and no longer."""

import numpy as np
import tensorflow as tf

from training import layers
from training.prepared import prepared, weights_prepared_once


class Counted:
    """A weight that counts how often it is prepared."""

    def __init__(self):
        self.calls = 0

    def prepare(self):
        self.calls += 1
        return tf.fill([2], 1.0 + 2.0 ** -10)


def test_a_weight_is_prepared_once_for_all_calls_within_and_kept_in_float32():
    counted = Counted()
    with weights_prepared_once():
        low = prepared(counted.prepare, tf.bfloat16)
        whole = prepared(counted.prepare, tf.float32)
    assert counted.calls == 1
    assert low.dtype == tf.bfloat16 and float(whole[0]) == 1 + 2 ** -10


def test_what_was_prepared_is_forgotten_at_the_end():
    counted = Counted()
    for calls in (1, 2):
        with weights_prepared_once():
            prepared(counted.prepare, tf.float32)
        assert counted.calls == calls
    prepared(counted.prepare, tf.float32)
    prepared(counted.prepare, tf.float32)
    assert counted.calls == 4


def test_two_layers_never_share_what_is_prepared():
    with weights_prepared_once():
        first, second = (layers.Dense(name, 3, 4).scaled(tf.float32) for name in 'ab')
    assert np.any(first != second)


def test_weights_prepared_once_have_the_gradients_of_weights_prepared_at_each_call():
    conv = layers.UpConv2D('up', 3, 4, fused=False)
    x = tf.random.stateless_normal([2, 2, 4, 4, 3], [1, 2])

    def gradient():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(conv(x[0]) ** 2) + tf.reduce_sum(conv(x[1]) ** 3)
        return tape.gradient(total, conv.weight)

    expected = gradient()
    with weights_prepared_once():
        np.testing.assert_allclose(gradient(), expected, rtol=1e-4, atol=1e-4)
