"""Several machines: two workers on this one, one of them killed, go on from the checkpoint."""

import inspect
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from small_data import SMALL, stats_of, write_dataset

from runs.checkpoints import Checkpoints, NoCheckpoints
from runs.disk import Disk, NoDisk
from runs.log import NoLog, RunLog
from training.cluster import Cluster, find_cluster
from training.config_json import run_config_from_json
from training.loop import train
from training.outputs import NoOutputs, Outputs
from training.replicas import Replicas

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUN = '00000-sgan-spots-2gpu'
# One resolution, so one compilation; four iterations a tick.
TICKS = 10
SCHEDULE = ['--lod_initial_resolution=4', '--mapping_layers=1', '--tick_kimg_base=0.032',
            f'--total_kimg={0.032 * TICKS}', '--checkpoint_ticks=3', '--network_snapshot_ticks=3',
            '--metrics=none']
DEADLINE_SECONDS = 600


def tf_config(workers, kind, index, **more):
    return {'TF_CONFIG': json.dumps({'cluster': {'worker': workers, **more},
                                     'task': {'type': kind, 'index': index}})}


def slurm(nodes, tasks, rank):
    return {'SLURM_STEP_NODELIST': nodes, 'SLURM_STEP_NUM_TASKS': str(tasks),
            'SLURM_PROCID': str(rank), 'SLURM_JOB_ID': '400003'}


@pytest.mark.parametrize('environment, cluster', [
    (tf_config(['a:1', 'b:2'], 'worker', 1), Cluster(('a:1', 'b:2'), 1)),
    (tf_config(['a:1', 'b:2'], 'worker', 1, chief=['c:3']), Cluster(('c:3', 'a:1', 'b:2'), 2)),
    (tf_config(['a:1', 'b:2'], 'chief', 0, chief=['c:3']), Cluster(('c:3', 'a:1', 'b:2'), 0)),
    (slurm('n[09-10,12],m', 4, 1), Cluster(('n09:12003', 'n10:12003', 'n12:12003', 'm:12003'), 1)),
    (slurm('n[9-11]', 3, 2), Cluster(('n9:12003', 'n10:12003', 'n11:12003'), 2))])
def test_tf_config_and_slurm_name_the_workers_chief_first(environment, cluster):
    assert find_cluster(environment) == cluster


@pytest.mark.parametrize('environment, words', [
    ({}, 'neither a TF_CONFIG nor'),
    ({'TF_CONFIG': '{"cluster"'}, 'must be JSON'),
    (tf_config(['a:1', 'b:2'], 'worker', 2), 'must be JSON with the host:port of every worker'),
    (tf_config(['a', 'b:2'], 'worker', 0), 'host:port'),
    (tf_config(['a:1'], 'ps', 0, ps=['c:3']), 'host:port of every worker'),
    (slurm('n[1-2]', 8, 0), '8 tasks on 2 machines: start it with srun --ntasks-per-node=1')])
def test_a_cluster_that_makes_no_sense_is_one_line(environment, words):
    with pytest.raises(ValueError, match='^[^\n]+$') as raised:
        find_cluster(environment)
    assert words in str(raised.value)


@pytest.mark.parametrize('null, real', [(NoLog, RunLog), (NoDisk, Disk), (NoOutputs, Outputs),
                                        (NoCheckpoints, Checkpoints)])
def test_what_other_workers_have_takes_the_calls_of_what_the_chief_has(null, real):
    methods = {name: method for name, method in vars(null).items()
               if inspect.isfunction(method)}
    assert methods and set(methods) <= set(vars(real))
    for name, method in methods.items():
        assert (list(inspect.signature(method).parameters)
                == list(inspect.signature(getattr(real, name)).parameters)), name


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(('127.0.0.1', 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Workers:
    """Two processes of train.py; the second one has an output directory of its own."""

    def __init__(self, data, folder, *options_of_second):
        self.run_dir = folder / 'results' / RUN
        self.elsewhere = folder / 'elsewhere'  # all that the second worker could write into
        self.elsewhere.mkdir(exist_ok=True)
        addresses = [f'127.0.0.1:{port}' for port in free_ports(2)]
        self.processes = []
        for index, (outdir, cwd) in enumerate([('results', folder), ('', self.elsewhere)]):
            environment = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3',
                           **tf_config(addresses, 'worker', index)}
            self.processes.append(subprocess.Popen(
                [sys.executable, str(ROOT / 'train.py'), f'--data={data}',
                 '--strategy=multi_worker', f'--outdir={cwd / outdir}', *SMALL, *SCHEDULE,
                 *(options_of_second if index else ())],
                env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.communicate()

    def signal_at_tick(self, tick, victim, number):
        """Sends a signal to one worker once `tick` stands in stats.jsonl."""
        stats, deadline = self.run_dir / 'stats.jsonl', time.time() + DEADLINE_SECONDS
        while not (stats.exists() and len(stats.read_text().splitlines()) >= tick):
            assert all(process.poll() is None for process in self.processes), self.outcomes()
            assert time.time() < deadline, 'the training does not get on'
            time.sleep(0.01)
        self.processes[victim].send_signal(number)

    def outcomes(self):
        """[(exit code, stdout, stderr)] of both when they have ended."""
        outputs = [process.communicate(timeout=DEADLINE_SECONDS) for process in self.processes]
        assert not list(self.elsewhere.iterdir())
        return [(process.returncode, *output) for process, output in zip(self.processes, outputs)]


def stopped_and_restarted(data, folder, victim, number, tick=5):
    """Runs two workers, sends one of them a signal at a tick, and runs both again.

    Returns (run directory, outcomes of the first start, its stats, the chief's second output).
    """
    with Workers(data, folder) as workers:
        workers.signal_at_tick(tick, victim, number)
        outcomes = workers.outcomes()
    assert not (workers.run_dir / 'network-final.safetensors').exists()
    stats = stats_of(workers.run_dir)
    with Workers(data, folder) as workers:
        again = workers.outcomes()
    assert [code for code, *_ in again] == [0, 0], again
    assert again[1][1].count('\n') == 1 and 'Worker 1 of 2' in again[1][1]
    return workers.run_dir, outcomes, stats, again[0][1]


def test_two_workers_one_of_them_killed_go_on_from_the_checkpoint(tmp_path):
    data = write_dataset(tmp_path / 'spots', resolution=4)
    run_dir, outcomes, stats, output = stopped_and_restarted(data, tmp_path, 1, signal.SIGKILL)
    assert [code for code, *_ in outcomes] == [1, -9], outcomes
    errors = outcomes[0][2]
    assert re.match(r'train.py: error: Worker 1 was lost at kimg 0\.\d: .*\n$', errors), errors
    assert 'Resuming at kimg 0.1:' in output  # the checkpoint of tick 3
    assert len(stats) >= 5  # so ticks 4 and 5 were trained twice
    assert stats_of(run_dir)[:len(stats)] == stats and len(stats_of(run_dir)) == TICKS


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """(data set, run directory of two workers that nobody disturbed)."""
    folder = tmp_path_factory.mktemp('cluster')
    data = write_dataset(folder / 'spots', resolution=4)
    with Workers(data, folder) as workers:
        outcomes = workers.outcomes()
    assert [code for code, *_ in outcomes] == [0, 0], outcomes
    return data, workers.run_dir


def networks(run_dir):
    """All final weights, one vector."""
    arrays = load_file(run_dir / 'network-final.safetensors')
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)])


@pytest.mark.slow
@pytest.mark.parametrize('victim, number, codes, words', [
    (0, signal.SIGKILL, [-9, 1], 'train.py: error: Worker 0 was lost at kimg 0.'),
    (1, signal.SIGTERM, [130, 130], 'Stopped at kimg 0.')])
def test_the_networks_are_those_of_workers_that_nobody_stopped(whole, tmp_path, victim, number,
                                                               codes, words):
    data, whole_dir = whole
    run_dir, outcomes, *_ = stopped_and_restarted(data, tmp_path, victim, number)
    assert [code for code, *_ in outcomes] == codes, outcomes
    errors = outcomes[1 - victim][2]
    assert words in errors and len(errors.splitlines()) == 1, errors
    assert stats_of(run_dir) == stats_of(whole_dir)
    np.testing.assert_array_equal(networks(run_dir), networks(whole_dir))


@pytest.mark.slow
def test_two_workers_train_as_two_replicas_of_one_process(whole, tmp_path):
    _, whole_dir = whole
    config = run_config_from_json((whole_dir / 'training_options.json').read_text())
    replicas = Replicas(tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'],
                                                       tf.distribute.ReductionToOneDevice()))
    train(config, str(tmp_path), replicas=replicas)
    for line, expected in zip(stats_of(tmp_path), stats_of(whole_dir)):
        assert line == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(networks(tmp_path), networks(whole_dir), atol=1e-3)


@pytest.mark.slow
def test_workers_with_other_options_write_nothing(whole, tmp_path):
    with Workers(whole[0], tmp_path, '--minibatch_base=16', '--r1_gamma=3') as workers:
        (chief_code, _, chief_errors), (code, _, errors) = workers.outcomes()
    assert (chief_code, code) == (1, 1)
    assert ('losses.r1_gamma is 3, there 1.0; schedule.minibatch_base is 16, there 8' in errors
            and len(errors.splitlines()) == 1), errors
    assert 'Worker 1 was lost before the training began' in chief_errors, chief_errors
    assert not (tmp_path / 'results').exists()
