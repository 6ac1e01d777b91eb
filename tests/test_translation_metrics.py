"""Metrics of translation: the published protocol, and what is measured during training."""

import collections
import itertools

import numpy as np
import pytest
from small_translation import DOMAINS, small_networks, write_images

from metrics import frechet, registry, sliced_wasserstein
from metrics.features import FeatureNetworks
from training.devices import ONE_DEVICE
from translation import fakes as fakes_module
from translation import snapshot
from translation.data import open_images
from translation.domain_sets import DomainSet
from translation.fakes import BATCH, shuffled
from translation.in_training import AUTO, loop_metrics
from translation.metrics import METRICS
from translation.sampler import to_still
from translation.subjects import Setting, of_networks

VAL = {'cat': 40, 'dog': 3, 'wild': 5}
TRAIN = {'cat': 6, 'dog': 8, 'wild': 4}
PAIRS = ['cat2dog', 'cat2wild', 'dog2cat', 'dog2wild', 'wild2cat', 'wild2dog']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('translation')
    write_images(folder / 'train', TRAIN, size=48)
    write_images(folder / 'val', VAL, seed=1)
    return folder


@pytest.fixture(scope='module')
def images(folder):
    return [open_images(folder / name, check=False) for name in ('train', 'val')]


@pytest.fixture(scope='module')
def held():
    return small_networks()


@pytest.fixture(scope='module')
def path(folder, held):
    path = folder / 'network.safetensors'
    snapshot.save(path, held, DOMAINS, held.kimg, held.iteration)
    return path


@pytest.fixture(scope='module')
def setting(images, folder):
    return Setting(FeatureNetworks(), *images, cache_dir=folder / 'cache')


@pytest.fixture(scope='module')
def task(held, path, setting):
    return of_networks(held, path, setting).task


@pytest.fixture(autouse=True)
def few_directions(monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, 'DIRECTIONS', 64)


class Features:
    """In place of FeatureNetworks: features are the means of colours."""

    def __init__(self):
        self.devices, self.counts, self.outputs = ONE_DEVICE, [], []

    def fetch(self, network):
        assert network in ('inception_v3', 'lpips_alex')

    def sha256(self, network):
        return 'ab' * 32

    def inception_v3(self, batches):
        self.counts.append(0)
        for images in batches:
            assert images.dtype == np.uint8
            self.counts[-1] += len(images)
            yield images.mean(axis=(1, 2))

    def diversities(self, batches):
        self.outputs.append([])
        for images in batches:
            assert images.dtype == np.float32 and len(images) == 10
            self.outputs[-1].append(images)
            yield images.std(axis=0).mean(axis=(1, 2, 3))


def few_images(monkeypatch, images):
    """swd_latent of so many."""
    monkeypatch.setitem(METRICS, 'swd_latent', METRICS['swd_latent'].__class__(
        METRICS['swd_latent'].measure, images, reals=registry.IMAGES))


def test_each_source_meets_as_many_styles_as_the_protocol_says(task):
    fakes = task.fakes
    styles = fakes.styles('latent', 1)
    batches = list(fakes.batches((0, 1), styles, 40, 10))
    assert [len(sources) for sources, _ in batches] == [32, 8]
    assert [some.shape for _, some in batches] == [(10, 32, 4), (10, 8, 4)]
    sources = np.concatenate([sources for sources, _ in batches])
    everything = fakes.val[0].read(32, range(40)).astype(np.float32) / 127.5 - 1
    assert sorted(map(np.ndarray.tobytes, sources)) == sorted(
        map(np.ndarray.tobytes, everything))
    assert len(np.unique(np.concatenate([some.reshape(-1, 4) for _, some in batches]), axis=0)
               ) == 400


def test_references_are_batches_of_32_of_the_target_that_go_on_over_the_sources(task):
    fakes = task.fakes
    of_all = fakes._all_styles(0)
    styles = fakes.styles('reference', 0)
    taken = [styles(3) for _ in range(3)] + [styles(5) for _ in range(2)]
    assert [len(some) for some in taken] == [3, 3, 3, 5, 5]
    batches = shuffled(40, np.random.default_rng([0, fakes_module.STYLES, 0]))
    for some, numbers in zip(taken, batches):
        np.testing.assert_array_equal(some, of_all[numbers[:len(some)]])


@pytest.mark.parametrize('count, once', [(100, 96), (40, 32), (32, 32), (3, 3)])
def test_no_reference_comes_twice_before_a_round_ends(count, once):
    batches = list(itertools.islice(shuffled(count, np.random.default_rng(1)), 6))
    assert all(len(batch) == BATCH for batch in batches)
    assert len(set(np.concatenate(batches)[:once])) == once
    assert set(np.concatenate(batches)) <= set(range(count))


def test_small_domains_fill_a_batch_with_several_rounds():
    batch = next(shuffled(3, np.random.default_rng(1)))
    assert sorted(collections.Counter(batch.tolist()).values()) == [10, 11, 11]


def test_a_domain_set_has_each_image_once_in_an_order_of_its_own(images):
    one = DomainSet(images[1], 0, 32)
    assert sorted(one.members) == sorted(images[1].members[0]) != one.members
    assert one.members == DomainSet(images[1], 0, 32).members
    np.testing.assert_array_equal(one.read(32, [4])[0], np.asarray(images[1].read(one.members[4])))
    assert one.fingerprint() == DomainSet(images[1], 0, 32).fingerprint()
    others = [DomainSet(images[1], 1, 32), DomainSet(images[1], 0, 64), DomainSet(images[0], 0, 32)]
    assert len({one.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_swd_is_of_the_target_training_images_for_each_pair_and_their_mean(task):
    values = registry.computed('swd_reference', task, 24, METRICS)
    assert list(values) == ['swd_reference', *(f'swd_reference/{pair}' for pair in PAIRS)]
    assert values['swd_reference'] == pytest.approx(np.mean(list(values.values())[1:]))
    styles = task.fakes.styles('reference', 2)
    translations = [np.concatenate(list(task.fakes.images(
        task.fakes.batches((source, 2), styles, *amount), to_still)))
        for source, amount in ((0, (24, 1)), (1, (3, 8)))]
    reals = task.reals.of_domain[2].source.dataset.read(32, range(4))
    for source, fakes in zip(('cat', 'dog'), translations):
        assert len(fakes) == 24
        patches = [sliced_wasserstein.patches_of([side], len(side), [0, number])
                   for number, side in enumerate((reals, fakes))]
        expected = sliced_wasserstein.distance(*patches, 0)['mean']
        assert values[f'swd_reference/{source}2wild'] == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_numbers(held, path, task, images, setting, folder):
    first = registry.computed('swd_latent', task, 8, METRICS)
    assert registry.computed('swd_latent', task, 8, METRICS) == first
    other = Setting(setting.networks, *images, seed=1, cache_dir=folder / 'cache')
    assert registry.computed('swd_latent', of_networks(held, path, other).task, 8,
                             METRICS) != first


def test_fid_is_of_all_training_images_and_ten_translations_of_each_source(
        held, path, images, folder):
    features = Features()
    setting = Setting(features, *images, cache_dir=folder / 'statistics')
    task = of_networks(held, path, setting).task
    values = registry.evaluate('fid_latent', task, METRICS)
    assert list(values)[1:] == [f'fid_latent/{pair}' for pair in PAIRS]
    # For each target once its training images, then ten translations of each source's images.
    assert features.counts == [6, 30, 50, 8, 400, 50, 4, 400, 30]
    fakes = np.concatenate(list(task.fakes.images(task.fakes.batches(
        (1, 0), task.fakes.styles('latent', 0), 3, 10), to_still))).mean(axis=(1, 2))
    reals = DomainSet(images[0], 0, 32).read(32, range(6)).mean(axis=(1, 2))
    expected = frechet.frechet_distance(reals.mean(axis=0), np.cov(reals, rowvar=False),
                                        fakes.mean(axis=0), np.cov(fakes, rowvar=False))
    assert values['fid_latent/dog2cat'] == pytest.approx(expected, rel=1e-6)
    again = of_networks(held, path, Setting(features, *images, cache_dir=folder / 'statistics'))
    features.counts.clear()
    assert registry.evaluate('fid_latent', again.task, METRICS) == values
    assert features.counts == [30, 50, 400, 50, 400, 30], 'statistics of reals are kept on disk'


def test_lpips_is_of_the_outputs_of_one_source_and_batches_count_alike(
        held, path, images, folder):
    features = Features()
    task = of_networks(held, path, Setting(features, None, images[1])).task
    assert task.reals is None
    values = registry.evaluate('lpips_reference', task, METRICS)
    outputs = dict(zip(['dog2cat', 'wild2cat', 'cat2dog', 'wild2dog', 'cat2wild', 'dog2wild'],
                       features.outputs))
    assert [len(outputs[pair]) for pair in PAIRS] == [2, 2, 1, 1, 1, 1]
    by_source = [some.std(axis=0).mean(axis=(1, 2, 3)) for some in outputs['cat2dog']]
    assert [len(some) for some in by_source] == [32, 8]
    expected = np.mean([np.mean(some) for some in by_source])
    assert values['lpips_reference/cat2dog'] == pytest.approx(expected)
    assert METRICS['lpips_reference'].badness(values) == -values['lpips_reference']
    with pytest.raises(ValueError, match='swd_latent compares with real images'):
        registry.evaluate('swd_latent', task, METRICS)


def test_small_images_have_no_lpips(images, path):
    task = of_networks(small_networks(img_size=16, w_hpf=1.0), path,
                       Setting(Features(), *images)).task
    with pytest.raises(ValueError, match='32 pixels a side or more; received 16'):
        registry.evaluate('lpips_latent', task, METRICS)


def test_training_measures_swd_by_default_and_seldom(images, held, path, monkeypatch):
    few_images(monkeypatch, 8)
    metrics = loop_metrics(['auto'], *images, seed=0)
    assert tuple(metrics) == AUTO == ('swd_latent', 'swd_reference')
    assert sum(metric.share for metric in metrics.values()) == pytest.approx(0.05)
    values, record = metrics['swd_latent'].measure(held, str(path))
    assert metrics['swd_latent'].badness(values) == values['swd_latent'] == record['swd_latent']
    assert record['kimg'] == 1.5 and record['network'] == 'network.safetensors'
    assert record['num_val'] == 48 and record['num_reals'] == 18 and record['seconds'] > 0
    assert record['count'] == 2 * (8 + 6 + 5)
    with pytest.raises(ValueError, match='--metrics=fid50k: .* no such metric of translation'):
        loop_metrics(['fid50k'], *images, seed=0)


def test_a_network_whose_domains_lack_is_refused(images, path, setting):
    with pytest.raises(ValueError, match=r'--val=.*val: has no images of the domain fox'):
        of_networks(small_networks(('cat', 'fox')), path, setting)
