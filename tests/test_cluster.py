"""Several machines: two workers on this one, one of them killed, go on from the checkpoint."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file

from small_data import SMALL, stats_of, write_dataset
from training.cluster import Cluster, find_cluster

ROOT = pathlib.Path(__file__).resolve().parents[1]
RUN = '00000-sgan-spots-2gpu'
# One resolution, so one compilation: seven ticks of four iterations.
SCHEDULE = ['--lod_initial_resolution=4', '--mapping_layers=1', '--tick_kimg_base=0.032',
            '--total_kimg=0.224', '--network_snapshot_ticks=3', '--metrics=none']
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
            environment = {**os.environ, **tf_config(addresses, 'worker', index),
                           'TMPDIR': str(cwd)}
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


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """(data set, run directory of two workers that nobody disturbed)."""
    folder = tmp_path_factory.mktemp('cluster')
    data = write_dataset(folder / 'spots', resolution=4)
    with Workers(data, folder) as workers:
        outcomes = workers.outcomes()
    assert [code for code, *_ in outcomes] == [0, 0], outcomes
    assert outcomes[1][1].count('\n') == 1 and 'Worker 1 of 2' in outcomes[1][1]
    return data, workers.run_dir


@pytest.mark.parametrize('victim, number, codes, words', [
    (1, signal.SIGKILL, [1, -9], 'train.py: error: Worker 1 was lost at kimg 0.'),
    pytest.param(0, signal.SIGKILL, [-9, 1], 'train.py: error: Worker 0 was lost at kimg 0.',
                 marks=pytest.mark.slow),
    pytest.param(1, signal.SIGTERM, [130, 130], 'the checkpoint is written',
                 marks=pytest.mark.slow)])
def test_two_workers_go_on_from_the_checkpoint(whole, tmp_path, victim, number, codes, words):
    data, whole_dir = whole
    with Workers(data, tmp_path) as workers:
        workers.signal_at_tick(2, victim, number)
        outcomes = workers.outcomes()
    assert [code for code, *_ in outcomes] == codes, outcomes
    errors = outcomes[1 - victim][2]
    assert words in errors and len(errors.splitlines()) == 1, errors
    assert not (workers.run_dir / 'network-final.safetensors').exists()
    with Workers(data, tmp_path) as workers:
        outcomes = workers.outcomes()
    assert [code for code, *_ in outcomes] == [0, 0], outcomes
    assert 'Resuming at kimg' in outcomes[0][1]
    assert stats_of(workers.run_dir) == stats_of(whole_dir)
    expected = load_file(whole_dir / 'network-final.safetensors')
    for name, array in load_file(workers.run_dir / 'network-final.safetensors').items():
        assert (array == expected[name]).all(), name


def test_workers_with_other_options_write_nothing(whole, tmp_path):
    with Workers(whole[0], tmp_path, '--minibatch_base=16', '--r1_gamma=3') as workers:
        (chief_code, _, chief_errors), (code, _, errors) = workers.outcomes()
    assert (chief_code, code) == (1, 1)
    assert ('losses.r1_gamma is 3.0, there 1.0; schedule.minibatch_base is 16, there 8' in errors
            and len(errors.splitlines()) == 1), errors
    assert 'Worker 1 was lost before the training began' in chief_errors, chief_errors
    assert not (tmp_path / 'results').exists()
