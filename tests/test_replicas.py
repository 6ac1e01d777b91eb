"""Several replicas train as one does, and a minibatch in shares as a whole one does."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from small_data import stats_of, write_dataset

from training import loop, snapshot
from training.config import DiscriminatorConfig, GeneratorConfig
from training.layers import named_variables
from training.presets import run_config
from training.replicas import Replicas, local_replicas
from training.schedule import chunks_of
from training.state import TrainingState
from training.steps import train_iteration

IMAGES, LATENT, GROUP = 16, 8, 2
SHAPE = {'resolution': 8, 'num_channels': 1, 'label_size': 3, 'fmap_base': 64, 'fmap_max': 8}


def replicas_of(count):
    return Replicas(None if count == 1 else tf.distribute.MirroredStrategy(
        [f'CPU:{number}' for number in range(count)],
        tf.distribute.ReductionToOneDevice()))  # collectives allow one strategy a process only


def new_state(replicas, mbstd_group_size=GROUP):
    state = TrainingState(GeneratorConfig(**SHAPE, latent_size=LATENT, dlatent_size=LATENT,
                                          mapping_fmaps=8, mapping_layers=2),
                          DiscriminatorConfig(**SHAPE, mbstd_group_size=mbstd_group_size),
                          strategy=replicas.strategy)
    for network in (state.G, state.D, state.Gs):
        for i, (name, variable) in enumerate(named_variables(network).items()):
            if not name.endswith(('bias', 'dlatent_avg', 'const')):
                variable.assign(tf.random.stateless_normal(variable.shape, [5, i]))
    return state


def inputs(iteration):
    """Reals, labels and both latents of one whole minibatch, in the order of one replica."""
    random_state = np.random.RandomState(iteration)
    return (random_state.randn(IMAGES, 8, 8, 1).astype(np.float32),
            np.eye(3, dtype=np.float32)[random_state.randint(3, size=IMAGES)],
            random_state.randn(IMAGES, LATENT).astype(np.float32),
            random_state.randn(IMAGES, LATENT).astype(np.float32))


def shared_out(array, shares):
    """The rows in an order in which equal shares have the stddev groups of the whole minibatch.

    Group g of n images is g, g + n / GROUP, ...: the whole's groups are dealt out share by share.
    """
    groups = np.arange(len(array)).reshape(GROUP, shares, -1)  # [place in group, share, group]
    return array[groups.transpose(1, 0, 2).ravel()]


@functools.cache
def trained(count, chunks=1):
    """The state after five iterations, its replicas, and the losses."""
    replicas, history = replicas_of(count), []
    state = new_state(replicas)

    @tf.function
    def iterate(*arrays):
        def on_replica(*arrays):
            reals, labels, z_d, z_g = (replicas.own_rows(array) for array in arrays)
            return train_iteration(state, reals, labels, z_d, z_g, level=0, alpha=0.3,
                                   G_lrate=0.002, D_lrate=0.002, ema_beta=0.9, chunks=chunks)
        return replicas.strategy.run(on_replica, arrays)

    for iteration in range(5):
        arrays = [tf.constant(shared_out(array, count * chunks)) for array in inputs(iteration)]
        history.append([float(replicas.strategy.experimental_local_results(loss)[0])
                        for loss in iterate(*arrays)])
    return state, replicas, np.array(history)


def assert_same_training(result):
    """Equal but for rounding, which Adam's first steps (the sign of the gradient) may amplify."""
    (state, _, history), (expected_state, _, expected_history) = result, trained(1)
    np.testing.assert_allclose(history, expected_history, rtol=1e-4)
    start = new_state(replicas_of(1))
    for part in ('G', 'D', 'Gs'):
        whole = {}
        for key, network in (('start', start), ('state', state), ('expected', expected_state)):
            whole[key] = np.concatenate([variable.numpy().ravel() for variable
                                         in getattr(network, part).trainable_variables])
        difference = np.linalg.norm(whole['state'] - whole['expected'])
        moved = np.linalg.norm(whole['expected'] - whole['start'])
        assert difference <= (1e-3 if part == 'D' else 1e-2) * moved, part
        if part != 'D':
            np.testing.assert_allclose(getattr(state, part).dlatent_avg,
                                       getattr(expected_state, part).dlatent_avg, atol=1e-6)
    for v, expected_v in zip(state.D_opt.v, expected_state.D_opt.v):
        np.testing.assert_allclose(v, expected_v, rtol=1e-2, atol=1e-3 * np.abs(expected_v).max())


@pytest.mark.parametrize('count', [2, 4])
def test_replicas_give_the_weights_of_one(count):
    assert_same_training(trained(count))


@pytest.mark.parametrize('chunks', [2, 4])
def test_a_minibatch_in_shares_gives_the_weights_of_a_whole_one(chunks):
    assert_same_training(trained(1, chunks))


def test_shares_are_given_the_noise_and_the_styles_of_the_whole_minibatch():
    arrays, losses = inputs(0), []
    for chunks in (1, 4):
        state = new_state(replicas_of(1), mbstd_group_size=0)
        losses.append([float(loss) for loss in train_iteration(
            state, *arrays, level=0, alpha=0.3, G_lrate=0.002, D_lrate=0.002, ema_beta=0.9,
            randomize_noise=True, style_mixing=True, seed=[1, 2], chunks=chunks)])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_all_copies_of_the_weights_stay_equal():
    state, replicas, _ = trained(4)
    for variable in state.variables:
        first, *others = replicas.strategy.experimental_local_results(variable)
        for other in others:
            np.testing.assert_array_equal(first, other)
    assert np.any(state.G.dlatent_avg != 0)


def test_a_checkpoint_of_four_replicas_is_read_by_one(tmp_path):
    state, _, _ = trained(4)
    path = tf.train.Checkpoint(state=state).write(str(tmp_path / 'checkpoint'))
    alone = new_state(replicas_of(1))
    tf.train.Checkpoint(state=alone).read(path).assert_consumed()
    assert len(alone.variables) == len(state.variables)
    for variable, other in zip(alone.variables, state.variables):
        np.testing.assert_array_equal(variable, other)


def test_a_whole_run_of_two_replicas_goes_on_from_its_checkpoint(tmp_path):
    data = write_dataset(tmp_path / 'spots', resolution=8)
    config = run_config('digits', data, 8, 1, 0, num_gpus=2, overrides={
        'fmap_base': 64, 'fmap_max': 8, 'mapping_layers': 1, 'lod_initial_resolution': 8,
        'minibatch_base': 8, 'tick_kimg_base': 0.064, 'total_kimg': 0.064, 'grid': '3x2'})
    for total_kimg in (0.064, 0.128):  # the second one begins with the checkpoint of the first
        loop.train(dataclasses.replace(config, total_kimg=total_kimg), str(tmp_path),
                   replicas=replicas_of(2))
    assert [line['nimg'] for line in stats_of(tmp_path)] == [64, 128]
    assert snapshot.load(tmp_path / 'network-final.safetensors').kimg == 0.128


def test_no_more_replicas_than_devices():
    with pytest.raises(ValueError, match='--num_gpus must be at most the 0 GPUs'):
        local_replicas(99)


@pytest.mark.parametrize('images, batch_gpu, chunks', [
    (8, None, 1), (8, 8, 1), (8, 100, 1), (8, 4, 2), (8, 5, 2), (8, 3, 4), (6, 4, 2), (7, 4, 7)])
def test_shares_are_equal_and_as_few_as_possible(images, batch_gpu, chunks):
    assert chunks_of(images, batch_gpu) == chunks
