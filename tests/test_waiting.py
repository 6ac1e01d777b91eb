"""The loop asks a device for what it has computed once a tick, so that a GPU never waits for it."""

import contextlib
import functools

import pytest
import tensorflow as tf
from small_data import small_config, write_dataset
from tensorflow.python.ops.resource_variable_ops import BaseResourceVariable

from runs.log import RunLog
from training import loop
from training.dataset import TFRecordDataset
from training.replicas import Replicas


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp('run')
    data = write_dataset(tmp_path / 'spots', resolution=8)
    run = loop.Run(small_config(data, minibatch_repeats=2, augment=None), str(tmp_path),
                   TFRecordDataset(data), RunLog(str(tmp_path), 1), {}, Replicas())
    run.iterate(run.schedule())     # compiles
    with contextlib.closing(run.iterations):
        yield run


@pytest.fixture
def reads(monkeypatch):
    """A list that gets every variable that is read outside compiled functions."""
    reads = []
    for name in ('read_value', 'value'):
        original = getattr(BaseResourceVariable, name)

        @functools.wraps(original)
        def read(self, *args, original=original, **options):
            if tf.executing_eagerly():
                reads.append(self)
            return original(self, *args, **options)

        monkeypatch.setattr(BaseResourceVariable, name, read)
    return reads


def of_the_device(run, reads):
    """Which of these variables the compiled iteration uses."""
    [(level, minibatch)] = run.iterations._compiled
    iteration = run.iterations._compiled[level, minibatch]
    graph = iteration.get_concrete_function(*run.iterations._place(), *_arguments(run)).graph
    used = {id(variable.handle) for variable in graph.variables}
    return [variable for variable in reads if id(variable.handle) in used]


def _arguments(run):
    images = tf.zeros([8, 8, 8, 1], tf.uint8)
    labels = tf.zeros([8, 0])
    return [(images, labels)], labels, *run.iterations._scalars(run.schedule())


def test_iterations_ask_the_device_for_nothing(run, reads):
    for _ in range(3):
        run.iterate(run.schedule())
    assert reads and not of_the_device(run, reads)    # counters, which lie on the host


def test_counters_lie_in_the_memory_of_the_host(run):
    state = run.state
    for counter in (state.nimg, state.tick, state.rollbacks, state.tick_start_nimg, state.seconds,
                    state.iteration, state.reals_drawn, state.optimizer_lod):
        assert counter.device.endswith('CPU:0')
    assert int(state.nimg) == int(state.reals_drawn) == 8 * int(state.iteration) > 0


def test_a_tick_waits_once_before_its_seconds_are_counted(run, reads):
    run.wait(run.schedule())
    assert [variable is run.state.stat_sums for variable in of_the_device(run, reads)] == [True]
    assert run.clock.last_images == 0
