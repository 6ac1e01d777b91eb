"""A training iteration moves every variable as the reference's does."""

import numpy as np
import pytest
import tensorflow as tf
from parity_data import arrays, at_level, config

from training.build import build_network
from training.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    LossConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.layers import named_variables
from training.losses import scores_and_penalty
from training.networks import reached
from training.reference import assign
from training.state import TrainingState
from training.steps import train_iteration


def recorded_state(case):
    options = config(case)
    shape = {name: options[name] for name in ('resolution', 'num_channels', 'label_size')}
    fmaps = {name: options['kwargs'][name] for name in ('fmap_base', 'fmap_max')}
    state = TrainingState(GeneratorConfig(**shape, **options['kwargs']),
                          DiscriminatorConfig(**shape, **fmaps))
    weights = arrays(f'{case}/weights.npz')
    for network, prefix in ((state.G, 'G/'), (state.Gs, 'G/'), (state.D, 'D/')):
        assign(network, weights.part(prefix))
    return state


@pytest.mark.parametrize('case', ['rgb32', 'gray64cond'])
@pytest.mark.parametrize('compiled', [False, True])
def test_trajectory(case, compiled):
    state, recorded = recorded_state(case), arrays(f'{case}/trajectory.npz')
    lod = round(float(recorded['lod']), 6)
    level = int(lod)
    labels = recorded.get('labels')

    def iterate(reals, z_d, z_g):
        return train_iteration(state, reals, labels, z_d, z_g, level=level, alpha=lod - level,
                               G_lrate=0.003, D_lrate=0.003, ema_beta=float(recorded['ema_beta']))

    iterate = tf.function(iterate) if compiled else iterate
    for i in range(4):
        d_loss, g_loss = iterate(tf.constant(at_level(recorded[f'reals{i}'], level)),
                                 tf.constant(recorded[f'z_d{i}']), tf.constant(recorded[f'z_g{i}']))
        tolerance = 5e-5 if i < 2 else 2e-2
        assert abs(d_loss - recorded[f'dloss{i}']) <= tolerance, i
        assert abs(g_loss - recorded[f'gloss{i}']) <= tolerance, i
        if i == 0:
            assert_state_close(state, recorded)


def assert_state_close(state, recorded):
    for name, network in (('G', state.G), ('D', state.D), ('Gs', state.Gs)):
        expected = recorded.part(f'after1/{name}/')
        for variable, tensor in named_variables(network).items():
            difference = np.abs(tensor.numpy() - expected[variable])
            if variable == 'dlatent_avg':
                assert difference.max() <= 1e-6, name
            elif not variable.endswith('4x4/Const/bias') or name == 'D':
                assert np.mean(difference <= 1e-4) >= 0.99, f'{name}/{variable}'


def small_state(**options):
    shape = {'resolution': 16, 'num_channels': 1, 'fmap_base': 64, 'fmap_max': 8}
    return TrainingState(GeneratorConfig(**shape, latent_size=8, dlatent_size=8, mapping_fmaps=8,
                                         mapping_layers=2, **options), DiscriminatorConfig(**shape))


def iterate(state, reals=None, level=1, alpha=0.3, lrate=0.002, **options):
    size = 16 >> level
    reals = tf.random.stateless_normal([4, size, size, 1], [1, 2]) if reals is None else reals
    z = tf.random.stateless_normal([2, 4, 8], [3, 4])
    return train_iteration(state, reals, None, z[0], z[1], level=level, alpha=alpha, G_lrate=lrate,
                           D_lrate=lrate, ema_beta=0.9, **options)


@pytest.mark.parametrize('level, alpha', [(0, 0.0), (1, 0.5), (2, 0.0)])
def test_exactly_the_layers_of_coarser_and_current_levels_are_trained(level, alpha):
    state = small_state()
    before = {name: v.numpy() for network in (state.G, state.D)
              for name, v in named_variables(network).items() if v.trainable}
    for _ in range(2):
        iterate(state, level=level, alpha=alpha, randomize_noise=True, seed=[1, 2])
    moved = {name for network in (state.G, state.D) for name, v in named_variables(network).items()
             if v.trainable and not np.array_equal(v, before[name])}
    for name in before:
        if 'RGB_lod' in name:
            lod = int(name.split('RGB_lod')[1].split('/')[0])
            reached = lod == level or (alpha > 0 and lod == level + 1)
        else:
            sizes = [int(part.split('x')[0]) for part in name.split('/') if part[0].isdigit()]
            reached = not sizes or sizes[0] <= 16 >> level
        # A shift before instance norm does nothing where a channel's sign is the same everywhere.
        assert (name in moved) == reached or name.endswith('4x4/Const/bias'), name


@pytest.mark.parametrize('compiled', [False, True])
def test_a_non_finite_gradient_skips_the_whole_update(compiled):
    state = small_state()
    before = [v.numpy() for v in state.D.variables]
    step = tf.function(iterate) if compiled else iterate
    step(state, reals=tf.fill([4, 8, 8, 1], np.float32(np.nan)))
    for old, new in zip(before, state.D.variables):
        np.testing.assert_array_equal(old, new)
    assert int(state.D_opt.iterations) == 0
    assert state.take_stats()['skipped_D'] == 1


def test_the_same_seed_gives_the_same_iteration_and_another_seed_another():
    losses = [iterate(small_state_with_fixed_weights(), randomize_noise=True, style_mixing=True,
                      seed=seed, losses=LossConfig(D_loss='D_wgan_gp'))
              for seed in ([1, 2], [1, 2], [1, 3])]
    assert [float(x) for x in losses[0]] == [float(x) for x in losses[1]]
    assert [float(x) for x in losses[0]] != [float(x) for x in losses[2]]


def small_state_with_fixed_weights():
    state = small_state()
    for network in (state.G, state.D, state.Gs):
        for i, variable in enumerate(network.variables):
            variable.assign(tf.random.stateless_normal(variable.shape, [5, i]))
    return state


@pytest.mark.parametrize('between', [tf.identity, lambda images: tf.cast(
    tf.cast(images, tf.float64), tf.float32), lambda images: images[:, :, ::-1]])
def test_an_augmentation_before_D_leaves_the_logged_statistics_right(between, monkeypatch):
    """Those of what D saw: a new tensor, a cast or other pixels do not make them 0."""
    state = small_state_with_fixed_weights()
    reals = tf.random.stateless_normal([4, 8, 8, 1], [1, 2])
    z = tf.random.stateless_normal([2, 4, 8], [3, 4])[0]
    fakes, _ = state.G.training_images(z, None, 1, 0.3, state.G.training_draws(4, 1, False, False))
    at_level, training_images = state.D.at_level, state.G.training_images
    expected = {'score_real': at_level(between(reals), None, 1, 0.3),
                'score_fake': at_level(between(fakes), None, 1, 0.3)}
    _, expected['penalty'] = scores_and_penalty(
        lambda images: at_level(between(images), None, 1, 0.3), reals, 1)
    monkeypatch.setattr(state.D, 'at_level', lambda images, *rest: at_level(between(images), *rest))

    def new_tensors(*arguments):
        images, mean_w = training_images(*arguments)
        return tf.identity(images), mean_w

    monkeypatch.setattr(state.G, 'training_images', new_tensors)
    iterate(state, reals)
    stats = state.take_stats()
    for name, values in expected.items():
        np.testing.assert_allclose(stats[name], tf.reduce_mean(values), rtol=1e-5, atol=1e-6)
        assert stats[name] != 0, name


def test_the_moving_average_sees_G_of_before_its_step():
    state = small_state_with_fixed_weights()
    G_before = {n: v.numpy() for n, v in named_variables(state.G).items()}
    Gs_before = {n: v.numpy() for n, v in named_variables(state.Gs).items()}
    iterate(state)
    for name, variable in named_variables(state.Gs).items():
        if variable.trainable:
            expected = G_before[name] + (Gs_before[name] - G_before[name]) * np.float32(0.9)
            np.testing.assert_allclose(variable, expected, rtol=1e-6, atol=1e-7)


def test_resetting_the_optimizers_leaves_the_learning_rate():
    state = small_state()
    iterate(state)
    state.reset_optimizers()
    assert all(not np.any(v) for v in state.G_opt.variables)
    assert float(state.G_opt.learning_rate) == np.float32(0.002)


@pytest.mark.parametrize('fused_scale', [True, False])
def test_what_a_level_of_progan_reaches_is_what_has_gradients(fused_scale):
    shape = {'resolution': 16, 'num_channels': 1, 'fmap_max': 4, 'fused_scale': fused_scale}
    G = build_network(ProganGeneratorConfig(**shape, latent_size=4))
    D = build_network(ProganDiscriminatorConfig(**shape))
    for level in range(3):
        with tf.GradientTape() as tape:
            images = G.at_level(tf.ones([4, 4]), tf.zeros([4, 0]), level, 0.5)
            scores = D.at_level(images, tf.zeros([4, 0]), level, 0.5)
        gradients = tape.gradient(scores, [G.trainable_variables, D.trainable_variables])
        for network, found in zip((G, D), gradients):
            assert [gradient is not None for gradient in found] == reached(network, level)
