"""Mixed precision: what is computed in which type, loss scaling, and trainings that agree."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, write_dataset

from runs.log import RunLog
from training import layers, loop, losses, precision
from training.adam import LOSS_SCALE_DOUBLES_AFTER, Adam
from training.config import PRECISIONS, DiscriminatorConfig, GeneratorConfig, Precision
from training.dataset import TFRecordDataset
from training.replicas import Replicas
from training.state import TrainingState
from training.steps import train_iteration

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHAPE = {'resolution': 32, 'num_channels': 1, 'fmap_base': 256, 'fmap_max': 16}


def new_state(name, num_fp16_res=4):
    state = TrainingState(GeneratorConfig(**SHAPE, latent_size=8, dlatent_size=8, mapping_fmaps=8,
                                          mapping_layers=2), DiscriminatorConfig(**SHAPE),
                          Precision(name, num_fp16_res))
    for network in (state.G, state.D, state.Gs):
        for i, variable in enumerate(network.trainable_variables):
            if 'bias' not in variable.name:
                variable.assign(tf.random.stateless_normal(variable.shape, [5, i]))
    return state


@pytest.mark.parametrize('name, num_fp16_res, types', [
    ('float32', 4, 'float32 float32 float32 float32'),
    ('mixed_bfloat16', 1, 'bfloat16 bfloat16 bfloat16 bfloat16'),
    ('mixed_float16', 0, 'float32 float32 float32 float32'),
    ('mixed_float16', 2, 'float32 float32 float16 float16'),
    ('mixed_float16', 4, 'float32 float16 float16 float16')])
def test_types_at_4_8_16_and_32_pixels(name, num_fp16_res, types):
    config = DiscriminatorConfig(resolution=32)
    assert [Precision(name, num_fp16_res).dtype_at(r, config) for r in range(2, 6)] == types.split()


@pytest.mark.parametrize('name', ['mixed_bfloat16', 'mixed_float16'])
def test_convolutions_see_the_named_type_and_scores_and_images_are_float32(name, monkeypatch):
    seen = {}
    monkeypatch.setattr(layers, 'convolved', lambda convolution, x, kernel: (
        seen.setdefault(max(x.shape[1:3]), set()).add(x.dtype.name),
        precision.convolved(convolution, x, kernel))[1])
    state = new_state(name, num_fp16_res=1)
    images, _ = state.G.training_images(tf.ones([2, 8]), None, 0, 0.5, state.G.training_draws(
        2, 0, True, True, [1, 2]))
    scores = state.D.at_level(images, None, 0, 0.5)
    assert images.dtype == scores.dtype == tf.float32
    low = Precision(name).dtype_at(5, state.G.config)
    assert seen[32] == {low}
    assert seen[8] == ({low} if name == 'mixed_bfloat16' else {'float32'})
    assert all(variable.dtype == tf.float32 for variable in state.G.variables)


@pytest.mark.parametrize('name, has_hardware, computed', [
    ('mixed_bfloat16', True, 'mixed_bfloat16'), ('mixed_bfloat16', False, 'float32'),
    ('mixed_float16', False, 'mixed_float16'), ('float32', False, 'float32')])
def test_bfloat16_is_not_trained_in_where_it_would_only_cost_time(name, has_hardware, computed,
                                                                  monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(precision, 'is_fast', lambda dtype_name: has_hardware)
    data = write_dataset(tmp_path / 'spots', resolution=8)
    run = loop.Run(small_config(data, precision=name), str(tmp_path), TFRecordDataset(data),
                   RunLog(str(tmp_path), 1), {}, Replicas())
    assert run.state.G.synthesis.precision.name == computed
    assert ('this machine has no arithmetic for it' in capsys.readouterr().out) == (
        name != computed)


@pytest.mark.parametrize('name, tolerance', [('mixed_bfloat16', 0.05), ('mixed_float16', 0.01)])
def test_one_iteration_has_the_losses_of_float32(name, tolerance):
    reals = tf.random.stateless_normal([4, 32, 32, 1], [1, 2])
    z = tf.random.stateless_normal([2, 4, 8], [3, 4])
    history, penalties = [], []
    for kind in ('float32', name):
        state = new_state(kind)
        history.append([float(loss) for loss in train_iteration(
            state, reals, None, z[0], z[1], level=0, alpha=0.3, G_lrate=0.002, D_lrate=0.002,
            ema_beta=0.9, randomize_noise=True, seed=[1, 2])])
        penalties.append(state.take_stats()['penalty'])
    np.testing.assert_allclose(*history, rtol=tolerance)
    np.testing.assert_allclose(*penalties, rtol=tolerance)


def test_the_loss_scale_saves_penalties_that_float16_would_lose():
    weights = tf.random.stateless_normal([64, 1], [1, 2]) * 1e-4
    images = tf.random.stateless_normal([4, 8, 8, 1], [3, 4])

    def D(images):
        x = tf.cast(tf.reshape(images, [-1, 64]), tf.float16) * 1e-4
        return tf.cast(tf.matmul(x, tf.cast(weights, tf.float16)), tf.float32)

    _, lost = losses.scores_and_penalty(D, images, 0)
    _, saved = losses.scores_and_penalty(D, images, 0, loss_scale=2.0 ** 15)
    assert float(lost[0, 0]) == 0  # gradients of 1e-8 are below the smallest float16
    assert abs(float(saved[0, 0]) / float(1e-8 * tf.reduce_sum(weights ** 2)) - 1) < 0.01


def test_the_loss_scale_is_halved_by_an_overflow_and_doubled_after_long_peace():
    variable = tf.Variable([1.0, 2.0])
    optimizer = Adam([variable], scaled_loss=True)
    step = tf.function(lambda gradient: optimizer.apply_if_finite([gradient], [variable], 0.1))
    assert step(tf.constant([np.inf, 1.0])) == 1 and float(optimizer.loss_scale) == 2.0 ** 14
    np.testing.assert_array_equal(variable, [1, 2])
    for _ in range(LOSS_SCALE_DOUBLES_AFTER):
        assert step(tf.constant([2.0 ** 14, -2.0 ** 14])) == 0
    assert float(optimizer.loss_scale) == 2.0 ** 15
    assert int(optimizer.iterations) == LOSS_SCALE_DOUBLES_AFTER


def test_float16_activations_are_clamped_and_others_are_not():
    x = tf.constant([-1000.0, 3.0, 1000.0])
    np.testing.assert_array_equal(layers.clamped(tf.cast(x, tf.float16)), [-256, 3, 256])
    np.testing.assert_array_equal(layers.clamped(x), x)


@pytest.mark.slow
def test_twenty_kimg_in_each_precision_have_the_same_loss_curves(tmp_path):
    images, curves = tmp_path / 'digits', {}
    subprocess.run([sys.executable, 'demo_digits.py', str(images)], cwd=ROOT, check=True)
    for name in PRECISIONS:
        subprocess.run(
            [sys.executable, 'train.py', f'--data={images}', f'--outdir={tmp_path / name}',
             '--preset=digits', f'--precision={name}', '--total_kimg=20', '--lod_training_kimg=5',
             '--lod_transition_kimg=5', '--tick_kimg_base=1', '--network_snapshot_ticks=0',
             '--metrics=none'], cwd=ROOT, check=True)
        stats = next((tmp_path / name).glob('*/stats.jsonl')).read_text().splitlines()
        curves[name] = {key: np.array([json.loads(line)[key] for line in stats])
                        for key in ('loss_D', 'loss_G', 'penalty')}
    for name, curve in curves.items():
        for key, values in curve.items():
            expected = curves['float32'][key]
            assert len(values) == len(expected) == 20
            # Measured: 0.05 for both losses, 0.08 for the penalty; they rise by 0.5 to 15 times.
            assert np.abs(values - expected).mean() <= 0.15 * expected.mean(), (name, key)


def test_losses_that_overflow_under_the_loss_scale_do_not_count():
    """Only where it is 1, and nothing is left to halve, they are those of the tick."""
    state = new_state('mixed_float16')
    images = tf.random.stateless_normal([4, 32, 32, 1], [1, 2])
    z = tf.random.stateless_normal([4, 8], [3, 4])

    def told(reals, scale):
        state.D_opt.loss_scale.assign(scale)
        train_iteration(state, reals, None, z, z, level=0, alpha=0.0, G_lrate=0.001, D_lrate=0.001,
                        ema_beta=0.9)
        return state.take_stats()

    overflown = told(images, 2.0 ** 40)
    assert overflown['skipped_D'] == 1 and overflown['loss_D'] == 0
    assert np.isnan(told(images * np.nan, 1.0)['loss_D'])


@pytest.mark.parametrize('allowed', [False, True])
def test_tf32_is_off_unless_it_is_allowed(allowed, monkeypatch, tmp_path, capsys):
    """Where a GPU has it, the log says what it would gain."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    monkeypatch.setattr('training.run.has_tf32', lambda: True)
    monkeypatch.setattr(precision, 'TRIED', (1, 8, 8, 4))
    data = write_dataset(tmp_path / 'spots', resolution=8)
    try:
        loop.Run(small_config(data, allow_tf32=allowed), str(tmp_path), TFRecordDataset(data),
                 RunLog(str(tmp_path), 1), {}, Replicas())
        assert tf.config.experimental.tensor_float_32_execution_enabled() == allowed
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
    assert ('with --allow_tf32, large convolutions would be' in capsys.readouterr().out) != allowed


def test_a_cpu_has_no_tf32_and_every_script_turns_it_off():
    assert not precision.has_tf32()
    code = ('from cli import startup; startup.load_tensorflow(); import tensorflow as tf; '
            'print(tf.config.experimental.tensor_float_32_execution_enabled())')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True,
                            check=True, cwd=ROOT)
    assert result.stdout.strip() == 'False'
