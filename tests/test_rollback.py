"""Losses that are not finite: back to the last checkpoint, twice at most, then advice."""

import os

import numpy as np
import pytest
from safetensors.numpy import load_file
from small_data import small_config, stats_of, write_dataset

from runs.checkpoints import Checkpoints, checkpoint_paths
from training import loop, snapshot
from training.iterations import Iterations
from training.layers import named_variables
from training.rollback import first_not_finite
from training.state import TrainingState

FINAL = 'network-final.safetensors'


class Crash(Exception):
    """The process is gone; what is on the disk is all that is left."""


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp('data') / 'dots', 8)


def train(monkeypatch, run_dir, config, attempts, times=10, crash_at=None):
    """A training with a weight of D set to NaN at 160 images, in the first `times` attempts.

    attempts: gets the sum of loss_D before that, for each attempt. crash_at: images after which
    the process ends, once the run has gone back.
    """
    iterate = Iterations.run

    def run(self, sched, minibatch_repeats):
        iterate(self, sched, minibatch_repeats)
        state = self.state
        if int(state.nimg) == 160 and int(state.rollbacks) < times:
            attempts.append(float(state.stat_sums[state.STATS.index('loss_D')]))
            weight = state.D.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.nan))
        if int(state.nimg) == crash_at and int(state.rollbacks):
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Iterations, 'run', run)
        os.makedirs(run_dir, exist_ok=True)
        loop.train(config, str(run_dir))


@pytest.fixture(scope='module')
def rolled_back(data, tmp_path_factory):
    """The directory of a run that has met a NaN once, and gone on to its end."""
    run_dir = tmp_path_factory.mktemp('once') / 'run'
    run_dir.mkdir()
    for name in ('network-snapshot-000000.safetensors.part', 'fakes000000.png.part'):
        os.symlink('/dev/full', run_dir / name)  # so that the first of each finds no room
    with pytest.MonkeyPatch.context() as monkeypatch:
        train(monkeypatch, run_dir, small_config(data), [], times=1)
    return run_dir


def test_a_run_goes_back_once_and_on_to_its_end(rolled_back):
    log = (rolled_back / 'log.txt').read_text()
    assert log.count('is not finite') == 1
    assert ('loss_D is not finite at kimg 0.2: back to kimg 0.1, with other random numbers from '
            'here on (time 1 of at most 2).') in log
    assert [line['tick'] for line in stats_of(rolled_back)] == [1, 2, 3, 4]
    assert all(np.isfinite(line['loss_D']) for line in stats_of(rolled_back))
    assert snapshot.load(rolled_back / FINAL).kimg == 0.256


def test_a_picture_and_a_snapshot_without_room_do_not_end_a_run(rolled_back):
    log = (rolled_back / 'log.txt').read_text()
    assert 'The disk is full: fakes000000.png could not be written, training goes on' in log
    assert 'The disk is full: network-snapshot-000000.safetensors could not be written' in log


def test_a_run_that_went_back_and_was_killed_goes_on_bit_for_bit(
        rolled_back, data, tmp_path, monkeypatch):
    with pytest.raises(Crash):
        train(monkeypatch, tmp_path, small_config(data), [], times=1, crash_at=160)
    assert list(checkpoint_paths(tmp_path / 'checkpoints'))[-1] == (128, 1)
    attempts = []
    train(monkeypatch, tmp_path, small_config(data), attempts, times=1)
    assert attempts == [], 'it does not try again what has failed'
    expected = load_file(rolled_back / FINAL)
    for name, array in load_file(tmp_path / FINAL).items():
        assert (array == expected[name]).all(), name
    assert stats_of(tmp_path) == stats_of(rolled_back)


def test_after_two_more_attempts_with_other_numbers_a_run_stops_with_advice(
        data, tmp_path, monkeypatch):
    config = small_config(data, checkpoint_minutes=1e-9, keep_checkpoints=2)
    attempts = []
    with pytest.raises(ValueError, match='is not finite .*--G_lrate_base.*--seed') as caught:
        train(monkeypatch, tmp_path, config, attempts)
    assert '\n' not in str(caught.value)
    assert len(set(attempts)) == 3, attempts
    log = (tmp_path / 'log.txt').read_text()
    assert [line['tick'] for line in stats_of(tmp_path)] == [1, 2]
    assert log.count('with other random numbers') == 2 and 'time 2 of at most 2' in log
    assert list(checkpoint_paths(tmp_path / 'checkpoints'))[-1] == (128, 2)
    state = TrainingState(config.G, config.D)
    assert Checkpoints(state, str(tmp_path / 'checkpoints')).restore_latest()
    assert first_not_finite(state) is None
    for path in tmp_path.glob('*.safetensors'):
        assert all(np.isfinite(v).all() for v in named_variables(snapshot.load(path).D).values())
