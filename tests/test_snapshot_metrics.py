"""Metrics in training: the best snapshot is kept, a failing or a slow metric does no harm."""

import dataclasses
import hashlib
import json
import os
import types

import pytest
from small_data import write_dataset

from metrics import in_training, registry, results, subjects
from metrics.features import FeatureNetworks
from metrics.sources import DatasetSource
from runs.log import RunLog
from runs.snapshot_metrics import SnapshotMetric, SnapshotMetrics
from training.config import GeneratorConfig
from training.dataset import TFRecordDataset
from training.snapshot import Snapshot


def held(kimg, lod=0.0):
    """What a network file is said to hold; nothing here looks at the networks."""
    return Snapshot(None, None, None, kimg, lod)


class Trial:
    """A run directory with a log, whose snapshots get the values that a test says."""

    def __init__(self, run_dir):
        self.run_dir, self.values, self.seconds, self.share = run_dir, {}, 0.5, None
        self.begin()

    def begin(self, kimg=None, names=('fd', 'other')):
        """As a run begins, or resumes at `kimg`."""
        self.log = RunLog(str(self.run_dir), 100)
        if kimg is not None:
            self.log.start_at(kimg)
        self.metrics = SnapshotMetrics({name: SnapshotMetric(
            lambda snapshot, path, name=name: self._measured(name, snapshot.kimg),
            lambda values, name=name: values[name], self.share) for name in names},
            str(self.run_dir), self.log)

    def _measured(self, name, kimg):
        if isinstance(self.values[name], Exception):
            raise self.values[name]
        values = {name: self.values[name]}
        return values, {'kimg': kimg, 'seconds': self.seconds, **values}

    def snapshot(self, kimg, run_seconds=0.0, **values):
        self.values = {'other': 0.0, **values}
        path = self.run_dir / f'network-snapshot-{kimg:06d}.safetensors'
        path.write_text(f'network of {kimg}')
        self.metrics.measure(held(kimg), str(path), run_seconds)

    def best(self):
        return (self.run_dir / 'network-best-fd.safetensors').read_text()

    def records(self, name='fd'):
        text = (self.run_dir / f'metric-{name}.jsonl').read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def trial(tmp_path):
    return Trial(tmp_path)


def test_the_best_snapshot_by_the_first_metric_is_kept(trial):
    for kimg, value in ((1, 30.0), (2, 20.0), (3, 25.0)):
        trial.snapshot(kimg, fd=value, other=-kimg)
    assert trial.best() == 'network of 2'
    assert [record['best'] for record in trial.records()] == [True, True, False]
    assert not any(record['best'] for record in trial.records('other'))
    assert not [name for name in os.listdir(trial.run_dir) if name.endswith('.part')]
    log = (trial.run_dir / 'log.txt').read_text()
    assert log.count('The best network by fd so far: kept as') == 2


def test_a_resumed_run_remembers_its_best_and_forgets_what_it_undid(trial):
    for kimg, value in ((1, 30.0), (2, 20.0), (3, 10.0)):
        trial.snapshot(kimg, fd=value)
    trial.begin(kimg=2.5)
    trial.snapshot(3, fd=25.0)
    assert trial.records()[-1]['best'] is False, 'worse than that of kimg 2'
    trial.snapshot(4, fd=15.0)
    assert trial.best() == 'network of 4'


def test_a_failing_metric_is_logged_and_the_others_are_measured(trial):
    trial.snapshot(1, fd=OSError('no network'), other=3.0)
    trial.snapshot(2, fd=5.0)
    assert 'Metric fd failed: no network' in (trial.run_dir / 'log.txt').read_text()
    assert [record['kimg'] for record in trial.records('other')] == [1, 2]
    assert trial.best() == 'network of 2'


def test_a_result_that_cannot_be_compared_is_a_failed_metric(trial):
    trial.snapshot(1, fd=6.0)
    trial.metrics.metrics['fd'] = trial.metrics.metrics['fd']._replace(badness=lambda _: 1 / 0)
    trial.snapshot(2, fd=5.0)
    assert 'Metric fd failed: division by zero' in (trial.run_dir / 'log.txt').read_text()
    assert [record['kimg'] for record in trial.records('other')] == [1, 2]


def test_a_metric_is_due_when_it_took_its_share_of_the_time_since(trial):
    trial.share = 0.05
    trial.begin(names=['fd'])
    for kimg, run_seconds, seconds in ((1, 20, 25.0), (2, 519, 0), (3, 520, 1.0), (4, 539, 0),
                                       (5, 541, 1.0)):
        trial.seconds = seconds
        trial.snapshot(kimg, run_seconds, fd=5.0)
    assert [(record['kimg'], record['seconds']) for record in trial.records()] == [
        (1, 25.0), (3, 1.0), (5, 1.0)]
    log = (trial.run_dir / 'log.txt').read_text()
    assert log.count('fd took 25s and may take 5% of the time') == 1 and '--metrics=fd' in log


def test_a_metric_takes_no_more_than_its_share_of_a_run_of_short_ticks(trial):
    trial.share, now, taken = 0.05, 0.0, []
    trial.begin(names=['fd'])
    for tick in range(1000):
        now += 24
        trial.seconds = 25 + tick / 50  # slower and slower
        before = trial.metrics.seconds
        trial.snapshot(tick, now, fd=5.0)
        taken.append(trial.metrics.seconds - before)
        now += taken[-1]
    assert 0.04 * now < sum(taken[:-1]) < 0.05 * now
    assert len(trial.records()) == sum(seconds > 0 for seconds in taken)


def test_a_resumed_run_remembers_when_it_measured_last(trial):
    trial.share = 0.05
    trial.begin(names=['fd'])
    trial.snapshot(1, 20, fd=5.0)
    trial.begin(kimg=1.5, names=['fd'])
    trial.snapshot(2, 29, fd=5.0)
    trial.snapshot(3, 30, fd=5.0)
    assert [record['kimg'] for record in trial.records()] == [1, 3]


def test_half_a_line_of_another_program_does_no_harm(trial):
    trial.snapshot(1, 20, fd=5.0)
    with (trial.run_dir / 'metric-fd.jsonl').open('a') as file:
        file.write('{"metric": "fd", "kimg": 1')
    assert trial.metrics.seconds_left(1, 30, 1000) == 1.0
    trial.snapshot(2, 40, fd=4.0)
    assert trial.best() == 'network of 2'


def test_a_metric_asked_for_by_name_is_measured_after_every_snapshot(trial):
    trial.seconds = 1000.0
    for kimg in (1, 2, 3):
        trial.snapshot(kimg, kimg, fd=5.0)
    assert [record['kimg'] for record in trial.records()] == [1, 2, 3]


def test_what_metrics_will_take_follows_from_the_last_ones(trial):
    trial.begin(names=['fd'])
    assert trial.metrics.seconds_left(4, 20, 1000) == 0, 'nothing has been measured'
    trial.seconds = 30.0
    trial.snapshot(1, 20, fd=5.0)
    assert trial.metrics.seconds_left(4, 50, 1000) == 120
    trial.share = 0.05
    trial.begin(names=['fd'])
    assert [trial.metrics.seconds_left(snapshots, 50, seconds) for snapshots, seconds in (
        (4, 569), (4, 571), (4, 1171), (1, 1171))] == [0, 30, 60, 30]


@pytest.fixture
def spots(tmp_path, monkeypatch):
    """(TFRecordDataset, path of a network file); generators give the images of the data set."""
    dataset = TFRecordDataset(write_dataset(tmp_path / 'spots'))
    monkeypatch.setattr(subjects, 'GeneratorSource', lambda *_: DatasetSource(dataset, 16))
    path = tmp_path / 'network-snapshot-000007.safetensors'
    path.write_bytes(b'network')
    return dataset, str(path)


def test_auto_may_take_a_share_of_the_time_and_a_name_all(spots):
    dataset, path = spots
    shares = [in_training.loop_metrics([name], dataset, False, 0)['swd16k'].share
              for name in ('auto', 'swd16k')]
    assert shares == [0.05, None]
    values, _ = in_training.loop_metrics(['auto'], dataset, False, 0)['swd16k'].measure(
        held(7.0), path)
    assert values['swd16k'] > 0


def test_feature_networks_of_the_users_own_are_taken(spots):
    dataset, path = spots
    networks = FeatureNetworks({'inception': 'mine.pb'})
    metric = in_training.loop_metrics(['fid10k'], dataset, False, 0, networks)['fid10k']
    with pytest.raises(ValueError, match='mine.pb'):
        metric.measure(held(7.0), path)


def test_a_line_says_all_that_run_metrics_says(spots):
    dataset, path = spots
    metric = in_training.loop_metrics(['swd16k'], dataset, False, 3)['swd16k']
    values, record = metric.measure(held(7.0), path)
    setting = subjects.Setting(FeatureNetworks(), seed=3)
    expected = results.measure('swd16k', *subjects.of_generator(
        None, path, 7.0, 0.0, subjects.reals_of(dataset, setting), setting)[1:])[1]
    assert {**record, 'seconds': 0} == {**expected, 'seconds': 0}
    assert record['network_sha256'] == hashlib.sha256(b'network').hexdigest()
    assert record['reals_fingerprint'] == dataset.fingerprint() and record['count'] == 40
    assert record['swd16k'] == values['swd16k'] and record['kimg'] == 7.0
    assert record['network'] == 'network-snapshot-000007.safetensors' and record['seed'] == 3


def test_what_is_computed_of_reals_serves_the_next_network(spots):
    dataset, path = spots
    setting, computed = subjects.Setting(FeatureNetworks()), []
    reals = subjects.reals_of(dataset, setting)
    for kimg in (7.0, 8.0):
        task = subjects.of_generator(None, path, kimg, 0.0, reals, setting).task
        for what in ('mean', 'other'):
            call = (kimg, what)
            assert task.reals.kept(what, lambda call=call: computed.append(call) or call[1]) == what
    assert computed == [(7.0, 'mean'), (7.0, 'other')]


def test_reals_are_opened_once_for_all_networks_of_a_command(spots):
    dataset, _ = spots
    setting = subjects.Setting(FeatureNetworks(), reals=dataset.directory)
    config = GeneratorConfig(resolution=16, num_channels=dataset.num_channels)
    reals = subjects.open_reals(setting, config)
    assert subjects.open_reals(setting, config) is reals
    assert subjects.open_reals(dataclasses.replace(setting, mirror=True), config) is not reals


def test_the_fingerprint_is_computed_once_and_only_for_a_metric(spots, monkeypatch):
    dataset, path = spots
    level, calls = dataset._levels[16], []
    checksums = level.checksums
    monkeypatch.setattr(level, 'checksums', lambda: calls.append(1) or checksums())
    metric = in_training.loop_metrics(['swd16k'], dataset, False, 0)['swd16k']
    assert not calls
    for kimg in (7.0, 8.0):
        metric.measure(held(kimg), path)
    assert len(calls) == 1


@pytest.mark.parametrize('resolution, channels, count, names', [
    (8, 3, 70_000, []), (32, 1, 1797, ['swd16k']), (64, 3, 70_000, ['swd16k']),
    (1024, 3, 70_000, []), (1024, 3, 1000, ['swd16k'])])
def test_auto_is_what_images_and_memory_allow(resolution, channels, count, names):
    dataset = types.SimpleNamespace(resolution=resolution, num_channels=channels, num_images=count)
    assert in_training.auto_names(dataset) == names


@pytest.mark.parametrize('name, better, worse', [
    ('swd16k', {'swd16k': 5, 'swd16k_16': 9}, {'swd16k': 6, 'swd16k_16': 1}),
    ('fid50k', {'fid50k': -3e-6}, {'fid50k': 4.4}),
    ('is50k', {'is50k_mean': 9, 'is50k_std': 3}, {'is50k_mean': 8, 'is50k_std': 1}),
    ('msssim10k', {'msssim10k': .2, 'msssim10k_reals': .21},
     {'msssim10k': .1, 'msssim10k_reals': .21}),
    ('pr50k3', {'pr50k3_precision': .7, 'pr50k3_recall': .5},
     {'pr50k3_precision': .9, 'pr50k3_recall': .1}),
    ('ls', {'ls_z': 200, 'ls_w': 3}, {'ls_z': 100, 'ls_w': 4}),
    ('ls', {'ls_z': 100}, {'ls_z': 200})])
def test_the_better_result_is_less_bad(name, better, worse):
    assert registry.badness(name, better) < registry.badness(name, worse)
