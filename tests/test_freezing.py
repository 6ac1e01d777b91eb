"""FreezeD: the layers of D next to the image stay as they are, to the last bit."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, write_dataset
from test_replicas import replicas_of

from training import loop, snapshot
from training.build import build_network
from training.config import (
    FLOAT32,
    DiscriminatorConfig,
    GeneratorConfig,
    LossConfig,
    Precision,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.layers import named_variables, trained_variables
from training.presets import run_config
from training.state import TrainingState
from training.steps import train_iteration

RESOLUTION = 16
MOST = 5     # layers that can be frozen at 16x16
SHAPE = {'resolution': RESOLUTION, 'num_channels': 1, 'fmap_base': 64, 'fmap_max': 8}
MAPPING = {'latent_size': 8, 'dlatent_size': 8, 'mapping_fmaps': 8, 'mapping_layers': 2}


def state_of(family='stylegan', precision=FLOAT32, strategy=None):
    tf.random.set_seed(1)
    if family == 'stylegan':
        configs = GeneratorConfig(**SHAPE, **MAPPING), DiscriminatorConfig(**SHAPE)
    else:
        fused = {'fused_scale': family == 'progan-fused'}
        configs = (ProganGeneratorConfig(**SHAPE, **fused, latent_size=8),
                   ProganDiscriminatorConfig(**SHAPE, **fused))
    return TrainingState(*configs, precision, strategy)


def frozen_by_name(name, count):
    """Whether a variable of D is among its `count` finest layers, by the text of ada.md."""
    rgb = re.match(r'FromRGB_lod(\d+)/', name)
    if rgb:   # a coarser one is frozen if Conv0 of its resolution is
        level = int(rgb[1])
        return count >= 1 if level == 0 else count > 2 * level + 1
    conv = re.match(r'(\d+)x\1/Conv([01])', name)
    if conv is None or conv[1] == '4':
        return False
    block = int(np.log2(RESOLUTION // int(conv[1])))
    return count > 2 * block + 1 + int(conv[2])


def iterate(state, count, level=0, alpha=0.4, **options):
    size = RESOLUTION >> level
    reals = tf.random.stateless_normal([4, size, size, 1], [1, 2])
    z = tf.random.stateless_normal([2, 4, 8], [3, 4])
    return train_iteration(state, reals, tf.zeros([4, 0]), z[0], z[1], level=level, alpha=alpha,
                           G_lrate=0.002, D_lrate=0.002, ema_beta=0.9, freeze_d=count, **options)


def moved(state, step):
    """Names of D's variables that two calls of `step` move; G must move too."""
    before = {name: variable.numpy() for name, variable in named_variables(state.D).items()}
    G = [variable.numpy() for variable in trained_variables(state.G)]
    for _ in range(2):
        step()
    assert any(not np.array_equal(old, new) for old, new in zip(G, trained_variables(state.G)))
    return {name for name, variable in named_variables(state.D).items()
            if not np.array_equal(variable.numpy(), before[name])}


def assert_frozen(state, step, count, level=0):
    names = {name for name in named_variables(state.D) if not frozen_by_name(name, count)}
    reached = {name for name in names if not (
        (found := re.match(r'FromRGB_lod(\d+)', name)) and int(found[1]) not in (level, level + 1)
        or (found := re.match(r'(\d+)x', name)) and int(found[1]) > RESOLUTION >> level)}
    assert moved(state, step) == reached


@pytest.mark.parametrize('family', ['stylegan', 'progan-fused', 'progan'])
@pytest.mark.parametrize('count', range(MOST + 1))
def test_the_finest_layers_of_d_stay_and_all_others_move(family, count):
    state = state_of(family)
    assert_frozen(state, lambda: iterate(state, count), count)


@pytest.mark.parametrize('level', [1, 2])
def test_a_layer_that_a_coarser_level_reaches_is_frozen_there_too(level):
    state = state_of()
    assert_frozen(state, lambda: iterate(state, 4, level), 4, level)


@pytest.mark.parametrize('options', [
    {'chunks': 2}, {'losses': LossConfig(D_loss='D_wgan_gp')},
    {'losses': LossConfig(r2_gamma=1.0), 'randomize_noise': True, 'style_mixing': True}])
def test_in_shares_and_under_every_penalty(options):
    state = state_of()
    assert_frozen(state, lambda: iterate(state, 3, seed=[1, 2], **options), 3)


def test_in_half_precision_with_a_scaled_loss():
    state = state_of(precision=Precision('mixed_float16', 2))
    assert_frozen(state, lambda: iterate(state, 3), 3)
    assert state.take_stats()['skipped_D'] == 0


def test_on_two_replicas_all_copies_stay():
    replicas = replicas_of(2)
    state = state_of(strategy=replicas.strategy)
    step = tf.function(lambda: replicas.strategy.run(lambda: iterate(state, 3)))
    assert_frozen(state, step, 3)
    for variable in named_variables(state.D).values():
        first, second = replicas.strategy.experimental_local_results(variable)
        np.testing.assert_array_equal(first, second)


def test_what_is_not_frozen_moves_as_without_freezing():
    """In the first step: gradients pass through frozen layers unchanged."""
    states = [state_of() for _ in range(2)]
    assert float(iterate(states[0], 0)[0]) == float(iterate(states[1], 3)[0])
    names = list(named_variables(states[0].D))
    for name in names:
        if not frozen_by_name(name, 3):
            np.testing.assert_allclose(*(named_variables(state.D)[name] for state in states),
                                       atol=1e-6, err_msg=name)


def test_gradients_to_the_image_pass_through_frozen_layers():
    state = state_of()
    G_before = [variable.numpy() for variable in trained_variables(state.G)]
    iterate(state, MOST)
    assert sum(not np.array_equal(old, new) for old, new
               in zip(G_before, trained_variables(state.G))) > len(G_before) / 2


def test_moments_of_frozen_layers_stay_zero_and_the_layout_of_checkpoints_is_the_same(tmp_path):
    state = state_of()
    iterate(state, MOST)
    names = {id(variable): name for name, variable in named_variables(state.D).items()}
    still = {names[id(variable)] for variable, moment
             in zip(trained_variables(state.D), state.D_opt.v) if not np.any(moment.numpy())}
    assert still == {name for name in names.values() if frozen_by_name(name, MOST)
                     or name.startswith('FromRGB_lod2')}    # which level 0 does not reach
    path = tf.train.Checkpoint(state=state).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(state=state_of()).read(path).assert_consumed()


@pytest.mark.parametrize('config_class, config', [
    (DiscriminatorConfig, {}), (ProganDiscriminatorConfig, {'fused_scale': False})])
def test_the_4x4_layers_are_never_among_them(config_class, config):
    D = build_network(config_class(**SHAPE, **config))
    scopes = [layer.scope for layer in D.finest_layers(100)]
    assert len(set(scopes)) == MOST + 1    # FromRGB of 8x8 goes with the Conv0 of 8x8
    assert not [scope for scope in scopes if scope.startswith('4x4') or scope == 'FromRGB_lod2']


@pytest.mark.parametrize('count', [-1, MOST + 1])
def test_more_than_there_are_is_refused(count):
    with pytest.raises(ValueError, match=rf'--freezed must be within 0\.\.{MOST} at 16x16.*'
                                         rf'received {count}\.'):
        run_config('digits', 'data', RESOLUTION, 1, 0, {'freeze_d': count})


def test_a_run_that_grows_leaves_them_as_they_were_loaded(tmp_path):
    config = small_config(write_dataset(tmp_path / 'spots', resolution=8), freeze_d=2,
                          lod_initial_resolution=4, lod_training_kimg=0.064, batch_gpu=4,
                          lod_transition_kimg=0.064, total_kimg=0.192)
    initial = snapshot.Snapshot(*map(build_network, (config.G, config.D, config.G)), 0, 0)
    run_dir = tmp_path / 'run'
    run_dir.mkdir()
    loop.train(dataclasses.replace(config), str(run_dir), initial)
    trained = snapshot.load(run_dir / 'network-final.safetensors').D
    for name, variable in named_variables(trained).items():
        same = np.array_equal(variable, named_variables(initial.D)[name])
        assert same == name.startswith(('FromRGB_lod0', '8x8/Conv0')), name
