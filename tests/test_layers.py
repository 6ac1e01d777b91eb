"""Layers against independent computations of the same thing."""

import numpy as np
import pytest
import tensorflow as tf

from training import layers

SIZES = [4, 32, 128]  # below and above the change of summation


@pytest.mark.parametrize('size', SIZES)
def test_instance_norm_is_that_of_addons(size):
    tfa = pytest.importorskip('tensorflow_addons', reason='ended with TensorFlow 2.15')
    x = tf.random.stateless_normal([2, size, size, 5], [1, size]) * 3 + 2
    addons = tfa.layers.InstanceNormalization(axis=-1, epsilon=1e-8, center=False, scale=False)
    np.testing.assert_allclose(layers.instance_norm(x), addons(x), atol=2e-5)


@pytest.mark.parametrize('size', SIZES)
def test_instance_norm_is_keras_group_normalization_with_a_group_for_each_channel(size):
    x = tf.random.stateless_normal([2, size, size, 5], [1, size]) * 3 + 2
    keras = tf.keras.layers.GroupNormalization(groups=-1, epsilon=1e-8, center=False, scale=False)
    np.testing.assert_allclose(layers.instance_norm(x), keras(x), atol=2e-6)


def test_the_up_convolution_is_upscaling_and_a_convolution():
    conv = layers.UpConv2D('up', 3, 4, fused=False)
    turned = layers.UpConv2D('turned', 3, 4, fused=True)
    turned.weight.assign(conv.weight[::-1, ::-1])
    x = tf.random.stateless_normal([2, 6, 6, 3], [1, 2])
    expected = tf.nn.conv2d(layers.upscale2d(x), conv.scaled(tf.float32), 1, 'SAME')
    np.testing.assert_allclose(conv(x), expected, atol=1e-5)
    np.testing.assert_allclose(turned(x), expected, atol=1e-5)


def test_the_down_convolution_is_a_convolution_and_a_mean():
    conv = layers.DownConv2D('down', 3, 4)
    x = tf.random.stateless_normal([2, 8, 8, 3], [1, 2])
    expected = layers.downscale2d(tf.nn.conv2d(x, conv.scaled(tf.float32), 1, 'SAME'))
    np.testing.assert_allclose(conv(x), expected, atol=1e-5)


def gradients_of(activation, x, weights):
    """d/dx of sum(weights * activation(x)), and d/d(weights, x) of the sum of its cubes."""
    with tf.GradientTape() as outer:
        outer.watch([x, weights])
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(weights * activation(x) ** 2)
        gradient = tape.gradient(total, x)
        cubes = tf.reduce_sum(gradient ** 3)
    return [gradient, *outer.gradient(cubes, [weights, x])]


@pytest.mark.parametrize('compiled', [False, True])
def test_the_leaky_relu_has_tensorflows_gradients_of_both_orders(compiled):
    x, weights = (tf.random.stateless_normal([4, 9], [1, seed]) for seed in (2, 3))
    compute = tf.function(gradients_of) if compiled else gradients_of
    for mine, expected in zip(compute(layers.leaky_relu, x, weights),
                              gradients_of(lambda x: tf.nn.leaky_relu(x, 0.2), x, weights)):
        np.testing.assert_allclose(mine, expected, rtol=1e-6)


def test_minibatch_stddev_compares_images_a_group_apart():
    x = np.zeros([4, 2, 2, 3], np.float32)
    x[2] = 2.0                            # groups of two: (0, 2) and (1, 3)
    features = layers.minibatch_stddev(tf.constant(x), group_size=2, num_features=1)[..., 3]
    np.testing.assert_allclose(features[:, 0, 0], [1, 1e-4, 1, 1e-4], rtol=1e-4)


def test_a_minibatch_that_does_not_fit_the_groups_is_told_what_would():
    with pytest.raises(ValueError, match='received 6: 4 or 8 would do'):
        layers.minibatch_stddev(tf.zeros([6, 2, 2, 3]), group_size=4, num_features=1)


def test_equalized_weights_have_the_same_effect_at_any_multiplier():
    for use_wscale in (True, False):
        layer = layers.Dense('x', 400, 300, gain=1, use_wscale=use_wscale, lrmul=0.01)
        used = layer.scaled(tf.float32).numpy()
        assert abs(used.std() * np.sqrt(400) - 1) < 0.02
