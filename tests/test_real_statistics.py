"""Statistics of the reals are computed once, kept whole, and found again by what they are of."""

import dataclasses
import json
import os

import numpy as np
import pytest
from small_data import write_dataset

from metrics import frechet, in_training, registry, subjects
from metrics.features import RESIZES
from metrics.real_statistics import check_graph, read_statistics, write_statistics
from metrics.reals import FOLDER, Reals
from metrics.sources import DatasetSource
from metrics.task import Task
from training.dataset import TFRecordDataset
from training.devices import ONE_DEVICE
from training.snapshot import Snapshot


class Networks:
    """Stands for FeatureNetworks: features are the columns' means; counts the batches."""

    def __init__(self, sha256='ab' * 32):
        self.calls, self._sha256, self.devices = 0, sha256, ONE_DEVICE

    def fetch(self, network):
        assert network == 'inception'

    def sha256(self, network):
        return self._sha256

    def inception(self, batches):
        for images in batches:
            self.calls += 1
            yield images.astype(np.float64).mean(axis=(1, 3)), None


@pytest.fixture(scope='module')
def datasets(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    return [TFRecordDataset(write_dataset(folder / name, count=count))
            for name, count in (('spots', 40), ('more', 50))]


def features(dataset, count=40):
    [(result, _)] = Networks().inception([dataset.read(16, range(count))])
    return result


def measured(datasets, networks, cache_dir, monkeypatch, **options):
    """fid50k_full of the second data set against the first."""
    monkeypatch.setattr(frechet, 'INCEPTION_FEATURES', 16)
    reals, fakes = (DatasetSource(dataset, 16) for dataset in datasets)
    task = {'reals': Reals(reals, networks, cache_dir / FOLDER), **options}
    return registry.evaluate('fid50k_full', Task(fakes=fakes, networks=networks,
                                                 **task))['fid50k_full']


def test_the_second_time_no_real_image_is_looked_at(datasets, tmp_path, monkeypatch):
    networks = Networks()
    first = measured(datasets, networks, tmp_path, monkeypatch)
    assert networks.calls == 3 + 4
    assert measured(datasets, networks, tmp_path, monkeypatch) == first
    assert networks.calls == 3 + 4 + 4
    sides = [side for dataset, count in zip(datasets, (40, 50)) for side in (
        features(dataset, count).mean(axis=0), np.cov(features(dataset, count), rowvar=False))]
    np.testing.assert_allclose(first, frechet.frechet_distance(*sides), rtol=1e-6)


def test_the_file_holds_mu_and_sigma_of_the_features(datasets, tmp_path, monkeypatch):
    measured(datasets, Networks(), tmp_path, monkeypatch)
    [name] = os.listdir(tmp_path / 'statistics')
    with np.load(tmp_path / 'statistics' / name) as file:
        assert set(file) == {'mu', 'sigma', 'about'}
        np.testing.assert_allclose(file['mu'], features(datasets[0]).mean(axis=0))
        np.testing.assert_allclose(file['sigma'], np.cov(features(datasets[0]), rowvar=False))
        about = json.loads(str(file['about']))
    assert about['fingerprint'] == datasets[0].fingerprint()
    assert about['inception_sha256'] == Networks().sha256('inception')
    assert about['resize'] == RESIZES['inception']


def test_anything_that_changes_the_numbers_changes_the_file(datasets, tmp_path):
    spots, more = datasets
    half = TFRecordDataset(spots.directory, resolution=8)
    paths = {Reals(DatasetSource(dataset, 16, mirror, seed), Networks(sha256),
                   tmp_path).statistics_path(count)
             for dataset, mirror, seed, sha256, count in (
                 (spots, False, 0, 'a' * 64, 40), (more, False, 0, 'a' * 64, 40),
                 (half, False, 0, 'a' * 64, 40), (spots, True, 0, 'a' * 64, 40),
                 (spots, True, 1, 'a' * 64, 40), (spots, False, 0, 'b' * 64, 40),
                 (spots, False, 0, 'a' * 64, 30), (spots, False, 1, 'a' * 64, 40))}
    assert len(paths) == 7, 'the seed matters to flips only'


def test_a_damaged_file_is_made_again(datasets, tmp_path, monkeypatch, capsys):
    first = measured(datasets, Networks(), tmp_path, monkeypatch)
    [path] = (tmp_path / 'statistics').iterdir()
    path.write_bytes(path.read_bytes()[:500])
    assert measured(datasets, Networks(), tmp_path, monkeypatch) == first
    assert 'It is made again.' in capsys.readouterr().err
    read_statistics(path)


def test_a_cache_that_cannot_be_written_costs_no_number(datasets, tmp_path, monkeypatch, capsys):
    (tmp_path / 'statistics').write_text('a file where a folder should be')
    assert measured(datasets, Networks(), tmp_path, monkeypatch) > 0
    assert 'not kept for the next time' in capsys.readouterr().err


def test_outside_statistics_need_no_reals(datasets, tmp_path, monkeypatch):
    path = tmp_path / 'outside' / 'reals.npz'
    write_statistics(path, features(datasets[0]).mean(axis=0),
                     np.cov(features(datasets[0]), rowvar=False), {})
    value = measured(datasets, Networks(), tmp_path, monkeypatch,
                     reals=Reals(None, Networks(), given=path))
    np.testing.assert_allclose(value, measured(datasets, Networks(), tmp_path, monkeypatch))
    with pytest.raises(ValueError, match='fid50k_full compares with real images'):
        measured(datasets, Networks(), tmp_path, monkeypatch, reals=None)


def test_statistics_are_refused_with_another_graph_than_they_say(datasets, tmp_path, monkeypatch):
    measured(datasets, Networks('a' * 64), tmp_path, monkeypatch)
    [path] = (tmp_path / 'statistics').iterdir()
    check_graph(path, 'a' * 64)
    with pytest.raises(ValueError, match=f"npz: .*, sha256 b{{64}}; received those of '{'a' * 64}'"
                                         ".*--inception, or the data set by --reals"):
        check_graph(path, 'b' * 64)


@pytest.mark.parametrize('about', [{}, {'about': 'reals of 2019'}, {'about': '{"count": 3}'},
                                   {'about': '[1]'}, {'about': np.array([None])}])
def test_statistics_that_name_no_graph_are_taken_with_any(tmp_path, about):
    np.savez(tmp_path / 'outside.npz', mu=np.zeros(3), sigma=np.eye(3), **about)
    check_graph(tmp_path / 'outside.npz', 'b' * 64)
    assert len(read_statistics(tmp_path / 'outside.npz')[0]) == 3


@pytest.mark.parametrize('arrays, words', [
    ({'mu': np.zeros(3)}, 'must be an .npz file with mu and sigma'),
    ({'mu': np.zeros(3), 'sigma': np.eye(2)}, r'\[D, D\]; received \[3\] and \[2, 2\]'),
    ({'mu': np.full(2, np.nan), 'sigma': np.eye(2)}, 'not finite'),
    ({'mu': np.array([{}]), 'sigma': np.eye(1)}, 'must be an .npz file')])
def test_what_are_no_statistics_is_said(tmp_path, arrays, words):
    np.savez(tmp_path / 'some.npz', **arrays)
    with pytest.raises(ValueError, match=words):
        read_statistics(tmp_path / 'some.npz')


def test_a_lone_array_is_no_statistics(tmp_path):
    np.save(tmp_path / 'some.npy', np.zeros(3))
    with pytest.raises(ValueError, match='must be an .npz file'):
        read_statistics(tmp_path / 'some.npy')


def test_training_uses_the_same_statistics(datasets, tmp_path, monkeypatch):
    monkeypatch.setenv('STYLEGAN_CACHE_DIR', str(tmp_path))
    networks = Networks()
    monkeypatch.setattr(in_training, 'FeatureNetworks', lambda: networks)
    monkeypatch.setattr(subjects, 'GeneratorSource', lambda *_: DatasetSource(datasets[1], 16))
    fewer = dataclasses.replace(registry.METRICS['fid10k'], count=40)
    monkeypatch.setitem(registry.METRICS, 'fid10k', fewer)
    monkeypatch.setattr(frechet, 'INCEPTION_FEATURES', 16)
    metric = in_training.loop_metrics(['fid10k'], datasets[0], True, 7)['fid10k']
    network = tmp_path / 'network.safetensors'
    network.write_bytes(b'')
    held = Snapshot(None, None, None, 1.0, 0.0)
    first, second = (metric.measure(held, network)[0] for _ in range(2))
    assert first == second
    assert networks.calls == 2 + 3 + 3  # 40 reals, 32 at a time, once; 40 fakes, 16 at a time
    expected = Reals(DatasetSource(datasets[0], 32, True, 7), networks,
                     tmp_path / FOLDER).statistics_path(40)
    assert os.path.exists(expected)


def test_each_round_of_few_reals_is_mirrored_anew(datasets):
    plain = datasets[0].read(16, np.arange(40))
    images = np.concatenate(list(DatasetSource(datasets[0], 16, True, 7).images(100)))
    flips = [np.array_equal(image, plain[i % 40, :, ::-1]) for i, image in enumerate(images)]
    for i, image in enumerate(images):
        np.testing.assert_array_equal(image, plain[i % 40, :, ::-1 if flips[i] else 1])
    assert flips[:40] != flips[40:80] and 30 < sum(flips) < 70


def test_statistics_of_rounds_are_kept_apart_from_those_of_the_whole_set(datasets, tmp_path):
    reals = Reals(DatasetSource(datasets[0], 16), Networks(), tmp_path)
    assert reals.statistics_path(40) != reals.statistics_path(50)
