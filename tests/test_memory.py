"""Too little memory: found before training starts, told in one line, and what is trained is kept.

Memory runs out for real: a graph asks for 2^50 bytes.
"""

import dataclasses
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from commands import results_of
from small_data import SMALL, stats_of, write_dataset

from runs.checkpoints import STATE, checkpoint_paths, newest_nimg
from runs.log import RunLog
from training import grid, loop, memory, steps
from training.config_json import run_config_from_json
from training.presets import run_config
from training.schedule import training_schedule
from training.state import TrainingState

ROOT = pathlib.Path(__file__).resolve().parents[1]
# 4x4 for 256 images, then 8x8; two ticks: at 224 images and at the end.
SCHEDULE = ['--lod_initial_resolution=4', '--lod_training_kimg=0.256', '--tick_kimg_base=0.2',
            '--lod_transition_kimg=0.128', '--total_kimg=0.4', '--network_snapshot_ticks=0',
            '--metrics=none', '--mapping_layers=1']
RUN = '00000-sgan-spots-1gpu'
DEADLINE_SECONDS = 600
# train.py with a loss that asks for too much memory at 8x8.
GREEDY_TRAINING = '''
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from training import steps
from cli import startup
import test_memory, train
steps.discriminator_loss = test_memory.greedy(steps.discriminator_loss, allowed_steps=0)[0]
startup.run(train.main)
'''


def ask_for(number_of_floats):
    """0.0, after asking for memory for so many; 2^48 of them are 2^50 bytes."""
    return tf.reduce_sum(tf.zeros(tf.stack([number_of_floats])))


def greedy(discriminator_loss, allowed_steps):
    """(D's loss, which asks for too much after so many steps at full resolution; its levels).

    The list of levels grows by one with each trace.
    """
    done, traced = tf.Variable(0, dtype=tf.int64), []

    def chosen(config):
        def loss(D, reals, fakes, inputs):
            traced.append(inputs.level)
            losses, stats = discriminator_loss(config)(D, reals, fakes, inputs)
            if inputs.level > 0:
                return losses, stats
            is_too_much = done.assign_add(1) > allowed_steps
            return losses + ask_for(tf.where(is_too_much, np.int64(2**48), np.int64(1))), stats
        return loss

    return chosen, traced


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The data set, and run directories of the same training with and without the probe."""
    folder = tmp_path_factory.mktemp('memory')
    data = write_dataset(folder / 'spots', resolution=8)
    lines = [[f'--data={data}', f'--outdir={folder / probe}', *SMALL, *SCHEDULE, f'--{probe}']
             for probe in ('probe', 'noprobe')]
    for code, _, errors in results_of('train', lines):
        assert code == 0, errors
    return data, folder / 'probe' / RUN, folder / 'noprobe' / RUN


def arrays_of(run_dir):
    """{name: array} of the newest checkpoint, without the time spent."""
    *_, path = checkpoint_paths(run_dir / 'checkpoints').values()
    reader = tf.train.load_checkpoint(os.path.join(path, STATE))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith(
        ('state/seconds/', '_CHECKPOINTABLE_OBJECT_GRAPH'))]
    assert len(names) > 100
    return {name: reader.get_tensor(name) for name in names}


def assert_same_run(run_dir, expected_dir):
    """Every variable at the end, all numbers of ticks and the pictures are the same bits."""
    arrays, expected = arrays_of(run_dir), arrays_of(expected_dir)
    assert arrays.keys() == expected.keys()
    assert [name for name in arrays if arrays[name].tobytes() != expected[name].tobytes()] == []
    assert stats_of(run_dir) == stats_of(expected_dir)
    for name in ('fakes000000.png', 'reals.png'):
        assert (run_dir / name).read_bytes() == (expected_dir / name).read_bytes()


def test_a_run_with_the_probe_is_the_run_without_it(whole):
    _, with_probe, without = whole
    assert_same_run(with_probe, without)
    log = (with_probe / 'log.txt').read_text()
    assert log.count('Memory probe: one step at 8x8, 8 images') == 1 and ', peak ' in log
    assert 'Memory probe' not in (without / 'log.txt').read_text()


def fails_at_call(number, function):
    """`function`, for whose result there is no memory when it is called for the `number`th time."""
    calls = []

    def called(images):
        calls.append(None)
        if len(calls) == number:
            ask_for(2**48)
        return function(images)

    return called


def test_nothing_that_was_trained_is_lost(whole, tmp_path, monkeypatch):
    """Memory runs out in the first tick's grid, then in the first step at 8x8; then it is there."""
    _, expected_dir, _ = whole
    config = run_config_from_json((expected_dir / 'training_options.json').read_text())
    with monkeypatch.context() as patched:
        patched.setattr(grid, 'to_png_uint8', fails_at_call(2, grid.to_png_uint8))
        with pytest.raises(ValueError) as caught:
            loop.train(dataclasses.replace(config, probe=False), str(tmp_path))
    assert str(caught.value) == (
        'Out of memory in drawing the samples at 4x4 with 8 images. Saved: kimg 0.2; go on with '
        '--resume=latest. Use --batch_gpu=4: the same training in less memory, slower.')
    assert newest_nimg(tmp_path / 'checkpoints') == 224
    with monkeypatch.context() as patched:
        loss, traced = greedy(steps.discriminator_loss, allowed_steps=1)  # that of the probe
        patched.setattr(steps, 'discriminator_loss', loss)
        with pytest.raises(ValueError, match=r'^Out of memory in a training step at 8x8 with 8 '
                           r'images\. Saved: kimg 0\.3; .* --batch_gpu=4'):
            loop.train(config, str(tmp_path))
    assert traced == [0, 1]  # each once: what the probe compiled is what the step ran
    assert newest_nimg(tmp_path / 'checkpoints') == 288  # just before the first step at 8x8
    loop.train(config, str(tmp_path))
    assert_same_run(tmp_path, expected_dir)
    assert (tmp_path / 'log.txt').read_text().count('Memory probe') == 1  # not at 8x8 any more


def test_too_little_memory_for_the_last_resolution_ends_a_run_before_it_starts(whole, tmp_path):
    script = GREEDY_TRAINING.format(root=str(ROOT), tests=str(ROOT / 'tests'))
    result = subprocess.run([sys.executable, '-c', script, f'--data={whole[0]}',
                             f'--outdir={tmp_path}', *SMALL, *SCHEDULE, '--probe'],
                            capture_output=True, text=True, timeout=DEADLINE_SECONDS, cwd=ROOT,
                            env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'})
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].endswith(
        'error: Out of memory in the memory probe (--noprobe leaves it out) at 8x8 with 8 images. '
        'Nothing has been trained yet. Use --batch_gpu=4: the same training in less memory, '
        'slower.'), result.stderr
    assert (tmp_path / RUN / 'reals.png').exists()
    assert newest_nimg(tmp_path / RUN / 'checkpoints') == 0


@pytest.mark.parametrize('minibatch, gpus, batch_gpu, group, images, smaller', [
    (8, 1, None, 4, 8, 4), (4, 1, None, 4, 4, 2), (4, 2, None, 4, 2, 1), (1, 1, None, 4, 1, 0),
    (12, 1, None, 4, 12, 4), (24, 1, None, 4, 24, 12), (6, 1, None, 0, 6, 3), (6, 1, 3, 0, 3, 1),
    (64, 2, 8, 4, 8, 4)])
def test_the_next_smaller_share_fits_the_stddev_groups(minibatch, gpus, batch_gpu, group, images,
                                                       smaller):
    config = run_config('digits', 'spots', 8, 1, 0, {
        'minibatch_base': minibatch, 'batch_gpu': batch_gpu, 'mbstd_group_size': group}, gpus)
    share = memory.share_of(training_schedule(0, 8, gpus, config.schedule), config)
    assert (share.resolution, share.images, share.smaller) == (8, images, smaller)


@pytest.mark.parametrize('error, is_it', [
    (tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating tensor'), True),
    (tf.errors.NotFoundError(None, None, 'No algorithm worked!  Error messages:\n  Profiling '
                             'failure on CUDNN engine 1: RESOURCE_EXHAUSTED: Out of memory'), True),
    (tf.errors.NotFoundError(None, None, 'No algorithm worked!'), False),
    (tf.errors.InvalidArgumentError(None, None, 'RESOURCE_EXHAUSTED'), False)])
def test_what_running_out_of_memory_looks_like(error, is_it):
    assert memory.is_exhaustion(error) == is_it


@pytest.mark.parametrize('probe, gpus, wanted', [
    (None, ['GPU:0'], True), (None, [], False), (True, [], True), (False, ['GPU:0'], False)])
def test_without_a_word_only_gpus_are_probed(probe, gpus, wanted, monkeypatch):
    monkeypatch.setattr(tf.config, 'list_logical_devices', lambda kind: gpus)
    assert memory.wants_probe(types.SimpleNamespace(probe=probe)) is wanted


def test_the_probe_puts_back_every_copy_of_every_variable(tmp_path):
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'],
                                              tf.distribute.ReductionToOneDevice())
    config = run_config('digits', 'spots', 8, 1, 0, {'fmap_base': 64, 'fmap_max': 8})
    with strategy.scope():
        state = TrainingState(config.G, config.D)
    copies = [copy for variable in state.variables for copy in variable.values]
    before, changed = [copy.numpy() for copy in copies], []

    def step():
        for copy in copies:
            copy.assign_add(tf.ones_like(copy))
        changed.extend((copy.numpy() != value).all() for copy, value in zip(copies, before))

    log = RunLog(str(tmp_path), 1)
    memory.probe(state, step, memory.Share(8, 4, 2), log)
    log.close()
    assert len(copies) > 300 and all(changed)
    assert all(copy.numpy().tobytes() == value.tobytes() for copy, value in zip(copies, before))
