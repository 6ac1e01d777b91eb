"""Losses return what they computed, whatever stands between the images and D."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from training import config, losses

REALS = tf.random.stateless_normal([4, 8, 8, 1], [1, 2])
FAKES = tf.random.stateless_normal([4, 8, 8, 1], [3, 4])
INPUTS = losses.PenaltyInputs(level=1, mixing=tf.random.stateless_uniform([4, 1, 1, 1], [5, 6]))
PENALIZED = {'D_logistic_simplegp', 'D_wgan_gp', 'D_hinge_gp'}
# What an augmentation or a mixed precision may do to images before D sees them.
BETWEEN = {'nothing': lambda images: images, 'identity': tf.identity,
           'cast': lambda images: tf.cast(tf.cast(images, tf.float64), tf.float32),
           'flip': lambda images: images[:, :, ::-1]}


def D(images):
    weights = tf.random.stateless_normal([64, 1], [7, 8]) * 0.1
    return tf.tanh(tf.matmul(tf.reshape(images, [-1, 64]), weights))


@pytest.mark.parametrize('between', BETWEEN)
@pytest.mark.parametrize('name', losses.D_LOSSES)
def test_statistics_are_of_what_D_saw_whatever_stands_before_it(name, between):
    def seen(images):
        return D(BETWEEN[between](images))

    loss = losses.discriminator_loss(config.LossConfig(D_loss=name))
    values, stats = loss(seen, REALS, FAKES, INPUTS)
    assert values.shape == (4, 1)
    assert set(stats) == {'score_real', 'score_fake'} | (
        {'penalty'} if name in PENALIZED else set())
    np.testing.assert_array_equal(stats['score_real'], seen(REALS))
    np.testing.assert_array_equal(stats['score_fake'], seen(FAKES))
    if name in PENALIZED:
        where = REALS if name == 'D_logistic_simplegp' else (
            REALS + (FAKES - REALS) * INPUTS.mixing)
        _, penalty = losses.scores_and_penalty(seen, where, 1)
        np.testing.assert_array_equal(stats['penalty'], penalty)
        assert np.all(penalty > 0)


@pytest.mark.parametrize('r1_gamma, r2_gamma, where', [
    (10.0, 0.0, REALS), (0.0, 10.0, FAKES), (10.0, 5.0, REALS)])
def test_the_logged_penalty_is_that_on_reals_unless_only_fakes_have_one(r1_gamma, r2_gamma, where):
    _, stats = losses.LogisticSimpleGP(r1_gamma, r2_gamma)(D, REALS, FAKES, INPUTS)
    np.testing.assert_array_equal(stats['penalty'], losses.scores_and_penalty(D, where, 1)[1])


def test_without_weights_there_is_no_penalty():
    loss, stats = losses.LogisticSimpleGP(0.0, 0.0)(D, REALS, FAKES, INPUTS)
    assert 'penalty' not in stats
    np.testing.assert_array_equal(loss, losses.Logistic()(D, REALS, FAKES, INPUTS)[0])


def test_every_loss_that_an_option_may_name_is_in_the_table_and_a_function():
    assert set(losses.D_LOSSES) == set(config.D_LOSSES)
    assert set(losses.G_LOSSES) == set(config.G_LOSSES)
    for name in (*config.D_LOSSES, *config.G_LOSSES):
        assert callable(getattr(losses, name))


@pytest.mark.parametrize('name', losses.D_LOSSES)
def test_weights_of_a_loss_are_options_with_the_same_defaults(name):
    options = config.LossConfig(D_loss=name)
    assert losses.discriminator_loss(options) == losses.D_LOSSES[name]()
    for weight in dataclasses.fields(losses.D_LOSSES[name]):
        changed = losses.discriminator_loss(dataclasses.replace(options, **{weight.name: 7.0}))
        assert getattr(changed, weight.name) == 7.0


@pytest.mark.parametrize('name', sorted(PENALIZED))
def test_a_loss_scale_changes_no_float32_number(name):
    loss = losses.discriminator_loss(config.LossConfig(D_loss=name))
    plain, stats = loss(D, REALS, FAKES, INPUTS)
    scaled, scaled_stats = loss(D, REALS, FAKES, INPUTS._replace(loss_scale=2.0 ** 10))
    np.testing.assert_array_equal(plain, scaled)
    np.testing.assert_array_equal(stats['penalty'], scaled_stats['penalty'])
