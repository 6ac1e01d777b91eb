"""Fifty kills over one short run: little is lost each time, and nothing at the end.

The run begins with a network file of another architecture than the command names, grows once, and
has checkpoints at every tick and by the clock. Kills hit start-ups, iterations, and, every third
time, the writing of a checkpoint.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import pytest
from safetensors.numpy import load_file
from small_data import SMALL, stats_of, write_dataset

from runs.checkpoints import PART, newest_nimg
from training import snapshot
from training.build import build_network
from training.config import DiscriminatorConfig, GeneratorConfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS, TOTAL_KIMG, TICK_KIMG = 50, 6.4, 0.064
START_UP_SECONDS = 10.0  # as long as a start may take until its first iteration, about
DEADLINE_SECONDS = 600
OPTIONS = [*SMALL, '--lod_initial_resolution=8', '--lod_training_kimg=2',
           '--lod_transition_kimg=2', f'--tick_kimg_base={TICK_KIMG}', f'--total_kimg={TOTAL_KIMG}',
           '--checkpoint_minutes=0.002', '--network_snapshot_ticks=10', '--keep_snapshots=2',
           '--metrics=none', '--resume_kimg=0']


def network_file(path):
    """Somebody's network: narrower than the command's options would make it."""
    G = GeneratorConfig(resolution=16, num_channels=1, fmap_base=64, fmap_max=4, latent_size=4,
                        dlatent_size=4, mapping_fmaps=4, mapping_layers=1)
    D = DiscriminatorConfig(resolution=16, num_channels=1, fmap_base=64, fmap_max=4)
    snapshot.save(path, build_network(G), build_network(D), build_network(G))
    return path


def command(folder, outdir):
    return [sys.executable, str(ROOT / 'train.py'), f'--data={folder / "spots"}',
            f'--outdir={outdir}', f'--resume={folder / "network.safetensors"}', *OPTIONS]


class Victim:
    """The one run in `outdir`, started again and again."""

    def __init__(self, command_line, outdir):
        self.command_line, self.outdir = command_line, outdir

    @property
    def run_dir(self):
        """That of the run that has a checkpoint; those killed before are of no account."""
        begun = [path for path in self.outdir.glob('*-sgan-spots-1gpu')
                 if self.nimg(path) is not None]
        assert len(begun) <= 1, 'a run that had a checkpoint was begun anew'
        return begun[0] if begun else None

    def nimg(self, run_dir=None):
        """Images at the newest checkpoint, None without one."""
        run_dir = run_dir or self.run_dir
        return newest_nimg(run_dir / 'checkpoints') if run_dir else None

    def images_told(self):
        """Images at the newest line of stats.jsonl, 0 without one."""
        path = self.run_dir / 'stats.jsonl' if self.run_dir else None
        lines = path.read_text().splitlines() if path and path.exists() else []
        return max((json.loads(line)['nimg'] for line in lines if line.endswith('}')), default=0)

    def is_writing(self):
        """Whether a checkpoint is being written."""
        return bool(self.run_dir and any(name.endswith(PART) for name in
                                         os.listdir(self.run_dir / 'checkpoints')))

    def start(self, log):
        return subprocess.Popen(self.command_line, stdout=log, stderr=subprocess.STDOUT)


def wait_until(condition, process, log_path):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert process.poll() is None, log_path.read_text()[-3000:]
        assert time.monotonic() < deadline, 'the training does not get on'
        time.sleep(0.001)


def kill_once(victim, number, target, chance, log_path):
    """Starts the run, kills it at its `target` (images) or while it starts; returns what it hit."""
    with open(log_path, 'w') as log:
        process = victim.start(log)
    try:
        if (victim.nimg() or 0) >= target:
            kind, delay = 'start-up', chance.uniform(0, START_UP_SECONDS)
        else:
            kind, delay = 'iterations', chance.uniform(0, 0.3)
            wait_until(lambda: (victim.nimg() or 0) >= target, process, log_path)
        if number % 3 == 0:
            kind, delay = 'checkpoint', 0
            wait_until(victim.is_writing, process, log_path)
        time.sleep(delay)
        assert process.poll() is None, log_path.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
    return kind


@pytest.mark.slow
def test_fifty_kills_lose_no_more_than_a_checkpoint_interval_each_and_nothing_at_the_end(tmp_path):
    write_dataset(tmp_path / 'spots')
    network_file(tmp_path / 'network.safetensors')
    whole = subprocess.run(command(tmp_path, tmp_path / 'whole'), capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    victim = Victim(command(tmp_path, tmp_path / 'killed'), tmp_path / 'killed')
    chance = random.Random(2018)
    targets = sorted(chance.randrange(int(TOTAL_KIMG * 900)) for _ in range(KILLS))
    hit, resumed = [], 0
    for number, target in enumerate(targets):
        kind = kill_once(victim, number, target, chance, tmp_path / 'log.txt')
        nimg, told = victim.nimg() or 0, victim.images_told()
        half = victim.is_writing()
        hit.append(f'{kind}, half written' if half else kind)
        assert nimg >= resumed, 'a kill must not cost what was on the disk'
        assert told - nimg <= TICK_KIMG * 1000, 'more than one checkpoint interval was lost'
        resumed = nimg
        print(f'kill {number + 1}: {hit[-1]}, at {nimg} images', flush=True)
    last = subprocess.run(victim.command_line, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert f'Resuming at kimg {resumed / 1000:.1f}' in last.stdout
    print({kind: hit.count(kind) for kind in sorted(set(hit))})
    assert sum('half written' in kind for kind in hit) >= 5
    reference = tmp_path / 'whole' / '00000-sgan-spots-1gpu'
    assert stats_of(victim.run_dir) == stats_of(reference)
    expected = load_file(reference / 'network-final.safetensors')
    for name, array in load_file(victim.run_dir / 'network-final.safetensors').items():
        assert array.tobytes() == expected[name].tobytes(), name
