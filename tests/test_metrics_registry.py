"""From a name to numbers: every metric on a small generator, with stand-ins for the networks."""

import dataclasses
import types

import numpy as np
import pytest
import tensorflow as tf
from sklearn.svm import LinearSVC

from metrics import (
    frechet,
    kernel,
    linear_separability,
    manifold,
    ms_ssim,
    perceptual_path_length,
    registry,
    sliced_wasserstein,
)
from metrics.perceptual_path_length import path_distances, path_length
from metrics.reals import Reals
from metrics.sources import GeneratorSource
from metrics.task import Task
from training import networks, networks_progan, reference
from training.config import GeneratorConfig, ProganGeneratorConfig

REALS = np.random.RandomState(0).randint(256, size=[30, 32, 32, 1]).astype(np.uint8)
SMALL = {'resolution': 32, 'num_channels': 1, 'fmap_base': 64, 'fmap_max': 8, 'latent_size': 6,
         'dlatent_size': 5, 'mapping_fmaps': 7, 'mapping_layers': 2}


def small_generator(**options):
    """A generator, always the same one, whose noise is seen: its strength would be 0 at first."""
    tf.keras.utils.set_random_seed(1)
    Gs = networks.Generator(GeneratorConfig(**{**SMALL, **options}))
    reference.assign(Gs, {name: 0.3 + array if 'Noise' in name else array
                          for name, array in reference.variables(Gs).items()})
    return Gs


def channels(images):
    """[N, 8, 8]: a stand-in for features."""
    return np.asarray(images, np.float64)[:, :, :, 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))


class Networks:
    """Stands for FeatureNetworks: features are averages of parts of the images."""
    lpips = [types.SimpleNamespace(
        distances=lambda a, b: tf.reduce_mean(tf.square(a - b), axis=[1, 2, 3]))]

    def inception(self, batches):
        for images in batches:
            features = channels(images).reshape(-1, 64)
            rows = np.exp((features - features.mean()) / 20)
            yield features, rows / rows.sum(axis=1, keepdims=True)

    def fc2(self, batches):
        return (channels(images).reshape(-1, 64) for images in batches)

    def classifiers(self):
        for row in range(3):
            yield f'row {row}', lambda batches, row=row: (
                channels(images)[:, row].mean(axis=1) for images in batches)


DISTANCES = [lpips.distances for lpips in Networks.lpips]


class Images:
    """Stands for a DatasetSource, of REALS; notes how many are asked for."""
    is_generator, num_images = False, len(REALS)

    def __init__(self):
        self.asked = []

    def images(self, count):
        self.asked.append(count)
        return (REALS[np.arange(start, min(start + 8, count)) % len(REALS)]
                for start in range(0, count, 8))


@pytest.fixture(scope='module')
def task():
    source = GeneratorSource(small_generator(), minibatch=16, seed=1)
    return Task(fakes=source, reals=Reals(Images()), networks=Networks(), seed=1)


@pytest.fixture(scope='module')
def fakes(task):
    """uint8, the first 40 of the task's."""
    images = np.concatenate([images for _, _, images in task.fakes.latents_and_images(40)])
    return np.clip(images * 127.5 + 128, 0, 255).astype(np.uint8)


def compute(task, name, count):
    return registry.computed(name, task, count)


@pytest.fixture(autouse=True)
def few_features(monkeypatch):
    monkeypatch.setattr(frechet, 'INCEPTION_FEATURES', 64)


def test_fid_is_the_frechet_distance_of_inception_features(task, fakes):
    sides = []
    for images in (REALS, fakes):
        sides += [channels(images).reshape(-1, 64).mean(axis=0),
                  np.cov(channels(images).reshape(-1, 64), rowvar=False)]
    value = compute(task, 'fid50k_full', count=40)['fid50k_full']
    np.testing.assert_allclose(value, frechet.frechet_distance(*sides), rtol=1e-6)


def test_fid_goes_round_few_reals_and_fid50k_full_takes_each_once(task):
    fakes = channels(np.concatenate(list(task.fake_images(70)))).reshape(-1, 64)
    reals = channels(REALS).reshape(-1, 64)
    assert len(REALS) == 30
    for name, real_side in (('fid50k', np.concatenate([reals, reals, reals[:10]])),
                            ('fid50k_full', reals)):
        sides = [(side.mean(axis=0), np.cov(side, rowvar=False)) for side in (real_side, fakes)]
        np.testing.assert_allclose(compute(task, name, count=70)[name],
                                   frechet.frechet_distance(*sides[0], *sides[1]), rtol=1e-6)


@pytest.mark.parametrize('name', ['kid50k', 'pr50k3', 'msssim10k', 'swd16k'])
def test_the_other_metrics_take_each_real_once_at_most(name):
    images = Images()
    source = GeneratorSource(small_generator(), minibatch=16, seed=1)
    compute(Task(fakes=source, reals=Reals(images), networks=Networks(), seed=1), name, count=60)
    assert images.asked == [len(REALS)]


def test_kid_and_precision_are_of_all_features(task, fakes):
    features = [channels(images).reshape(-1, 64) for images in (REALS, fakes)]
    assert compute(task, 'kid50k', count=40) == {
        'kid50k': kernel.kernel_distance(*features, task.seed)}
    precision, recall = manifold.precision_recall(*features)
    assert compute(task, 'pr50k3', count=40) == {'pr50k3_precision': precision,
                                                 'pr50k3_recall': recall}


def test_inception_score_is_of_the_fakes(task):
    result = compute(task, 'is50k', count=40)
    assert set(result) == {'is50k_mean', 'is50k_std'} and 1 < result['is50k_mean'] < 64


def test_swd_compares_equally_many_images(task, fakes, monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, 'DIRECTIONS', 32)  # for the time that it takes
    expected = sliced_wasserstein.swd(REALS, fakes[:30], task.seed)
    result = compute(task, 'swd16k', count=16384)
    assert set(result) == {'swd16k', 'swd16k_32', 'swd16k_16'}
    np.testing.assert_allclose(result['swd16k'], expected['mean'], rtol=1e-4)


def test_ms_ssim_is_of_fakes_and_for_comparison_of_reals(task, fakes):
    result = compute(task, 'msssim10k', count=30)
    for name, images in (('msssim10k', fakes[:30]), ('msssim10k_reals', REALS)):
        expected = ms_ssim.ms_ssim(images[::2], images[1::2]).mean()
        np.testing.assert_allclose(result[name], expected, rtol=1e-3)


def test_path_lengths_are_of_the_named_space_and_sampling(task):
    values = {}
    for name in ('ppl_zfull', 'ppl_wfull', 'ppl_zend', 'ppl_wend', 'ppl2_wend'):
        values.update(compute(task, name, count=16))
    assert all(np.isfinite(value) and value > 0 for value in values.values())
    assert len(values) == len(set(values.values())) == 5
    distances = path_distances(task.fakes, 16, DISTANCES, 'w', False, crop=True)
    expected = path_length(np.concatenate(list(distances)) / 1e-8)
    np.testing.assert_allclose(values['ppl_wend'], expected, rtol=1e-3)


@pytest.mark.parametrize('space', 'zw')
def test_a_step_of_one_leads_from_one_latent_to_the_other(space, monkeypatch):
    monkeypatch.setattr(perceptual_path_length, 'EPSILON', 1.0)
    Gs = small_generator(use_noise=False)
    source, drawn = GeneratorSource(Gs, minibatch=4, seed=0), []
    draw_z = source.draw_z
    monkeypatch.setattr(source, 'draw_z', lambda *args: drawn.append(draw_z(*args)) or drawn[-1])
    [distances] = path_distances(source, 4, DISTANCES, space, False, crop=True)
    a, b = (127.5 * Gs(z, truncation_psi=None).numpy()[:, 12:28, 8:24] for z in drawn)
    np.testing.assert_allclose(distances, np.square(a - b).mean(axis=(1, 2, 3)), rtol=1e-3)


def test_both_ends_of_a_path_share_noise_and_labels(monkeypatch):
    monkeypatch.setattr(perceptual_path_length, 'EPSILON', 0)
    source = GeneratorSource(small_generator(label_size=3), minibatch=4, seed=0, labels=np.eye(3))
    distances = path_distances(source, 8, DISTANCES, 'w', True, crop=False)
    assert np.all(np.concatenate(list(distances)) < 1e-6), 'grey levels squared'


def test_separability_is_of_z_and_of_w(task):
    result = compute(task, 'ls', count=64)
    assert set(result) == {'ls_z', 'ls_w'} and all(1 <= value <= 8 for value in result.values())


def separability_of(latents, images):
    """As defined, for the stand-ins of classifiers: the SVM sees the surer half of the images."""
    bits = 0.0
    for row in range(3):
        logits = channels(images)[:, row].mean(axis=1)
        surest = np.argsort(-np.abs(logits), kind='stable')[:len(logits) // 2]
        classes = logits[surest] > 0
        svm = LinearSVC(dual=True, random_state=0)
        predicted = svm.fit(latents[surest], classes).predict(latents[surest])
        for side in (False, True):
            for answer in (False, True):
                both = np.mean((predicted == side) & (classes == answer))
                bits -= both and both * np.log2(both / np.mean(predicted == side))
    return 2 ** bits


def test_separability_in_parts_is_that_of_all_images(task, monkeypatch):
    z, w, images = map(np.concatenate, zip(*task.fakes.latents_and_images(104)))
    asked, seen, make = [], [], task.fakes.latents_and_images
    monkeypatch.setattr(task.fakes, 'latents_and_images',
                        lambda count: asked.append(count) or make(count))
    monkeypatch.setattr(linear_separability, 'PART_BYTES', 2 * 16 * 32 * 32 * 4)  # two minibatches
    told = dataclasses.replace(task, progress=lambda *args: seen.append(args))
    result = compute(told, 'ls', count=104)
    assert result == pytest.approx({'ls_z': separability_of(z, images),
                                    'ls_w': separability_of(w, images)})
    assert min(result.values()) > 1.1, 'nothing to part would prove nothing'
    assert asked == [104], 'images are generated once'
    for attribute in ('fakes', 'row 0', 'row 2'):
        assert [done for part, done, total in seen if part == attribute and total == 104] == [
            16, 32, 48, 64, 80, 96, 104]
    order = [part for part, _, _ in seen]
    assert order.index('row 2') < order.index('fakes', 2), 'all classifiers are tried at first'


def test_samples_follow_from_the_seed_and_have_noise():
    Gs = small_generator()
    def first(seed):
        return next(GeneratorSource(Gs, minibatch=4, seed=seed).images(4))
    np.testing.assert_array_equal(first(0), first(0))
    assert not np.allclose(first(0), first(1))
    source = GeneratorSource(Gs, minibatch=4, seed=0)
    z, w, images = next(source.latents_and_images(4))
    np.testing.assert_allclose(w, Gs.mapping(z)[:, 0], rtol=1e-5, atol=1e-6)
    quiet = Gs(z, truncation_psi=None, randomize_noise=False)
    assert 1e-3 < np.abs(images - quiet).mean() < np.abs(images - images[::-1]).mean() * 10
    assert [len(batch) for batch in source.images(10)] == [4, 4, 2]


def test_images_are_truncated_as_the_reference_does_it(task, fakes):
    images = np.concatenate(list(task.fakes.images(40)))
    assert images.dtype == np.uint8 and len(np.unique(images)) > 50
    np.testing.assert_array_equal(images, fakes)


def test_a_growing_network_gives_images_of_full_size():
    source = GeneratorSource(small_generator(), minibatch=4, seed=0, lod=1.5)
    images = next(source.images(4))
    assert images.shape == (4, 32, 32, 1)
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])


def test_progan_has_images_and_no_w(task):
    Gs = networks_progan.Generator(ProganGeneratorConfig(
        resolution=32, num_channels=1, fmap_base=64, fmap_max=8, latent_size=6))
    source = GeneratorSource(Gs, minibatch=4, seed=0)
    assert next(source.images(4)).shape == (4, 32, 32, 1)
    with pytest.raises(ValueError, match='ProGAN'):
        next(path_distances(source, 4, DISTANCES, 'z', True, crop=False))
    task = Task(fakes=source, reals=Reals(Images()), networks=Networks())
    assert set(compute(task, 'ls', count=16)) == {'ls_z'}


def test_progress_tells_what_is_done(task):
    seen = []
    told = Task(fakes=task.fakes, reals=Reals(Images()), networks=Networks(),
                progress=lambda *args: seen.append(args))
    compute(told, 'fid10k', count=32)
    assert seen == [('reals', 8, 32), ('reals', 16, 32), ('reals', 24, 32), ('reals', 32, 32),
                    ('fakes', 16, 32), ('fakes', 32, 32)]


@pytest.mark.parametrize('name', ['msssim10k', 'kid50k', 'pr50k3'])
def test_reals_are_looked_at_once(task, name):
    images = Images()
    counted = dataclasses.replace(task, reals=Reals(images))
    expected = compute(task, name, count=24)
    assert compute(counted, name, count=24) == expected == compute(counted, name, count=24)
    assert images.asked == [24]


@pytest.mark.parametrize('name, part, done', [
    ('swd16k', 'statistics', 1024), ('kid50k', 'statistics', 100), ('pr50k3', 'statistics', 72),
    ('ls', 'ls_w', 3)])
def test_slow_statistics_tell_how_far_they_are(task, name, part, done):
    seen = []
    compute(dataclasses.replace(task, progress=lambda *args: seen.append(args)), name, count=24)
    seen = [numbers for what, *numbers in seen if what == part]
    assert seen[-1] == [done, done] and seen == sorted(seen) and len(seen) > 1


def test_what_a_metric_needs_is_known():
    needs = {name: metric.networks for name, metric in registry.METRICS.items()}
    assert needs['swd16k'] == needs['msssim10k'] == ()
    assert needs['fid50k'] == ('inception',) and needs['ppl_wend'] == ('lpips',)
    assert needs['pr50k3'] == ('vgg16',) and needs['ls'] == ('classifiers',)
    counts = {name: metric.count for name, metric in registry.METRICS.items()}
    assert counts == {
        'swd16k': 16384, 'msssim10k': 10_000, 'fid50k': 50_000, 'fid50k_full': 50_000,
        'fid10k': 10_000, 'kid50k': 50_000, 'is50k': 50_000, 'pr50k3': 50_000,
        'ppl_zfull': 100_000, 'ppl_wfull': 100_000,
        'ppl_zend': 100_000, 'ppl_wend': 100_000, 'ppl2_wend': 50_000, 'ls': 200_000}


def test_requests_that_cannot_be_met_are_refused(task):
    images_only = Task(fakes=Images(), reals=Reals(Images()), networks=Networks())
    with pytest.raises(ValueError, match="fid50k.*received 'fid5k'"):
        registry.evaluate('fid5k', images_only)
    with pytest.raises(ValueError, match='ls measures latent space and needs a generator'):
        registry.evaluate('ls', images_only)
    with pytest.raises(ValueError, match='labels of 3 components'):
        GeneratorSource(small_generator(label_size=3), minibatch=4, seed=0)
    small = GeneratorSource(small_generator(resolution=16), minibatch=4, seed=0)
    with pytest.raises(ValueError, match='16 pixels or more a side to compare; received 8'):
        next(path_distances(small, 4, DISTANCES, 'w', True, crop=True))


@pytest.mark.parametrize('before', [True, False])
def test_tf32_is_off_while_a_metric_runs_and_then_as_before(task, monkeypatch, before):
    def seen(task, count):
        del task
        return {'_tf32': tf.config.experimental.tensor_float_32_execution_enabled(), '': count}

    monkeypatch.setitem(registry.METRICS, 'seen', registry.Metric(seen, 7))
    tf.config.experimental.enable_tensor_float_32_execution(before)
    try:
        assert registry.evaluate('seen', task) == {'seen_tf32': False, 'seen': 7}
        assert tf.config.experimental.tensor_float_32_execution_enabled() == before
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)
