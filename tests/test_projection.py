"""Projection finds the w that drew an image; each formula is what NumPy makes of it."""

import dataclasses

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from feature_files import lpips_weights, vgg16_weights
from test_pictures import small_generator

from conversion import decode
from editing import distances, latents, noise, pairs, projection, targets
from editing.projecting import Projecting
from metrics.features import FeatureNetworks
from metrics.vgg16 import LPIPS, VGG16
from pictures.latents import latents_of
from training.build import build_network
from training.config import ProganGeneratorConfig
from training.sampler import Sampler, to_float

RANDOM = np.random.RandomState(5)
QUICK = projection.Options(steps=60)


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator(resolution=16))


@pytest.fixture(scope='module')
def statistics(sampler):
    return latents.statistics(sampler, count=2500)


@pytest.fixture(scope='module')
def drawn(sampler):
    """(w, images) of three seeds, as the network draws them."""
    w = sampler.w(latents_of([3, 4, 5], sampler.config.latent_size), truncation=None)
    return w, np.clip(sampler.images(w, convert=to_float), -1, 1)


def projector(sampler, statistics, images, options=QUICK):
    return projection.Projector(sampler, images, statistics, distances.PixelPyramid(), options)


def run(sampler, statistics, images, options=QUICK):
    one = projector(sampler, statistics, images, options)
    return list(one.moments()), one.best()


# What w look like

def test_statistics_are_those_of_all_w_at_once(sampler, statistics):
    w = np.concatenate(list(latents.mapped(sampler, 2500))).astype(np.float64)
    assert w.shape == (2500, 7)
    covariance = np.cov(w.T, bias=True)
    np.testing.assert_allclose(statistics.mean, w.mean(0), atol=1e-5)
    np.testing.assert_allclose(statistics.axes * statistics.deviations ** 2 @ statistics.axes.T,
                               covariance, atol=1e-4)
    assert statistics.deviation == pytest.approx(np.sqrt(np.trace(covariance)), rel=1e-4)
    lengths = np.linalg.norm(w - w.mean(0), axis=1) / np.sqrt(np.trace(covariance))
    np.testing.assert_allclose(statistics.distances(w.astype(np.float32)), lengths, rtol=1e-3)
    assert np.mean(lengths > statistics.usual) == pytest.approx(0.001, abs=0.0005)


def test_the_distance_of_a_w_for_each_layer_is_the_root_of_their_mean_square(statistics):
    w = np.tile(statistics.mean, [1, 4, 1])
    w[0, :, 2] += np.float32([3, 0, 0, 4]) * statistics.deviation
    assert statistics.distances(w)[0] == pytest.approx(2.5, rel=1e-3)


def test_each_class_has_statistics_of_its_own():
    conditional = Sampler(small_generator(resolution=8, label_size=2))
    means = [latents.statistics(conditional, class_idx, 200).mean for class_idx in (0, 1, None)]
    assert np.abs(means[0] - means[1]).max() > 0.1
    np.testing.assert_allclose(means[2], (means[0] + means[1]) / 2, atol=0.3)


def test_a_network_without_w_is_refused():
    progan = Sampler(build_network(ProganGeneratorConfig(resolution=8, latent_size=4, fmap_base=16,
                                                         fmap_max=4)))
    with pytest.raises(ValueError, match='^--network: this is a ProGAN network, which has no w'):
        latents.statistics(progan)


# Distances

def test_the_pyramid_is_what_numpy_makes_of_it():
    a, b = RANDOM.uniform(-1, 1, [2, 3, 8, 8, 2]).astype(np.float32)
    halves = [x.reshape(3, 4, 2, 4, 2, 2).mean((2, 4)) for x in (a, b)]
    squares = [np.square(x - y).mean((1, 2, 3)) for x, y in ((a, b), halves)]
    one = distances.PixelPyramid()
    found = one.between(one.embedded(tf.constant(a)), one.embedded(tf.constant(b)))
    np.testing.assert_allclose(found, np.sqrt(np.mean(squares, axis=0)), rtol=1e-5)


def test_the_pyramid_has_a_gradient_where_images_are_equal():
    one, images = distances.PixelPyramid(), tf.Variable(tf.ones([1, 8, 8, 1]))
    with tf.GradientTape() as tape:
        distance = one.between(one.embedded(images), one.embedded(tf.ones([1, 8, 8, 1])))
    assert distance.numpy()[0] < 1e-4 and not tape.gradient(distance, images).numpy().any()


def test_lpips_that_embeds_the_target_once_is_lpips():
    widths = (2, 3, 4, 4, 5)
    network = VGG16(vgg16_weights([w for w, n in zip(widths, (2, 2, 3, 3, 3)) for _ in range(n)]))
    one = distances.Perceptual(LPIPS(network, lpips_weights(widths)))
    a, b = RANDOM.uniform(-1, 1, [2, 2, 512, 512, 1]).astype(np.float32)
    found = one.between(one.embedded(tf.constant(a)), one.embedded(tf.constant(b)))
    small = [np.repeat(x.reshape(2, 256, 2, 256, 2, 1).mean((2, 4)), 3, axis=3) * 127.5 + 127.5
             for x in (a, b)]
    np.testing.assert_allclose(found, one.lpips.distances(*map(tf.constant, small)), rtol=1e-4)


def test_lpips_is_chosen_where_its_files_are_there(tmp_path):
    networks = FeatureNetworks(cache_dir=str(tmp_path))
    assert isinstance(distances.choose('auto', 32, networks), distances.PixelPyramid)
    with pytest.raises(ValueError, match='^--distance=lpips: images must have 16 pixels'):
        distances.choose('lpips', 8, networks)


# Noise

def test_the_regulariser_is_what_numpy_makes_of_it():
    maps = [RANDOM.randn(2, size, size, 1).astype(np.float32) for size in (4, 8, 16)]
    expected = np.zeros(2)
    half = 2 * maps[2].reshape(2, 8, 2, 8, 2, 1).mean((2, 4))
    for n in [*maps, half]:
        for axis in (1, 2):
            expected += (n * np.roll(n, 1, axis)).mean((1, 2, 3)) ** 2
    np.testing.assert_allclose(noise.regulariser(list(map(tf.constant, maps))), expected, rtol=1e-4)


def test_the_regulariser_sees_signals_at_all_scales():
    white = RANDOM.randn(1, 64, 64, 1).astype(np.float32)
    for size in (8, 16, 32):  # blocks of one value each
        blocks = np.kron(RANDOM.randn(64 // size, 64 // size), np.ones([size, size]))
        signal = noise.normalised(tf.constant(blocks[np.newaxis, :, :, np.newaxis], tf.float32))
        assert noise.regulariser([signal])[0] > 100 * noise.regulariser([tf.constant(white)])[0]


def test_normalised_maps_have_mean_0_and_variance_1_each():
    maps = noise.normalised(tf.constant(RANDOM.randn(3, 8, 8, 1) * 5 + 2, tf.float32)).numpy()
    np.testing.assert_allclose(maps.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(maps.var((1, 2, 3)), 1, rtol=1e-5)


# The descent

@pytest.mark.parametrize('step, rate, w_noise', [
    (0, 0, 0.05), (25, 0.5, 0.05 * 0.9 ** 2), (50, 1, 0.05 * 0.8 ** 2), (250, 1, 0), (750, 1, 0),
    (875, 0.5, 0), (1000, 0, 0)])
def test_rates_rise_and_fall_and_the_noise_of_w_ends(step, rate, w_noise):
    options = projection.Options(steps=1000)
    assert options.rate_factor(step) == pytest.approx(rate, abs=1e-9)
    assert options.w_noise_factor(step) == pytest.approx(w_noise, abs=1e-9)


def test_the_first_step_goes_as_many_deviations_along_each_axis_as_the_rate_says(
        sampler, statistics, drawn):
    options = projection.Options(steps=2, rate=0.01, ramp_up=0, ramp_down=0, w_noise=0,
                                 regularisation=0)
    one = projector(sampler, statistics, drawn[1], options)
    list(one.moments())  # the second step draws from where the first one went
    moved = one.best().w[:, 0] - statistics.mean
    np.testing.assert_allclose(np.abs(moved @ statistics.axes),
                               np.tile(0.01 * statistics.deviations, [3, 1]), rtol=1e-2)


def test_it_recovers_what_the_network_drew(sampler, statistics, drawn):
    mean = sampler.images(np.tile(statistics.mean, [1, 6, 1]), convert=to_float)
    before = 127.5 * np.sqrt(np.square(np.clip(mean, -1, 1) - drawn[1]).mean((1, 2, 3)))
    moments, found = run(sampler, statistics, drawn[1],
                         projection.Options(steps=200, optimise_noise=False))
    assert len(moments) == moments[-1].step == moments[-1].steps == 200
    assert (found.rmse < before / 10).all(), (found.rmse, before)
    errors = np.linalg.norm(found.w - drawn[0], axis=2) / np.linalg.norm(drawn[0], axis=2)
    assert np.median(errors) < 0.1, errors
    assert (found.w == found.w[:, :1]).all()  # one w for all layers
    np.testing.assert_allclose(found.away, statistics.distances(found.w), rtol=1e-5)


def test_the_best_is_kept_at_each_moment_and_is_what_is_drawn(sampler, statistics, drawn):
    one = projector(sampler, statistics, drawn[1])
    best = np.full(3, np.inf)
    for moment in one.moments():
        best = np.minimum(best, moment.distances)
        np.testing.assert_array_equal(moment.best, best)
        if moment.step == 37:
            break  # as Ctrl-C would
    found = one.best()
    np.testing.assert_array_equal(found.distances, best)
    images = np.clip(sampler.images(found.w, found.noise, to_float), -1, 1)
    rmse = 127.5 * np.sqrt(np.square(images - drawn[1]).mean((1, 2, 3)))
    np.testing.assert_allclose(found.rmse, rmse, rtol=1e-3)
    for maps in found.noise:
        np.testing.assert_allclose(maps.mean((1, 2, 3)), 0, atol=0.4)  # the network's own, or new


def test_noise_maps_stay_the_networks_own_if_asked_for(sampler, statistics, drawn):
    _, found = run(sampler, statistics, drawn[1], dataclasses.replace(QUICK, optimise_noise=False))
    assert found.noise is None


def test_w_plus_is_never_worse_than_w(sampler, statistics, drawn):
    photos = RANDOM.uniform(-1, 1, [3, 16, 16, 1]).astype(np.float32)  # which no w draws
    for images in (drawn[1], photos):
        _, w = run(sampler, statistics, images, projection.Options(steps=20))
        moments, plus = run(sampler, statistics, images, projection.Options('w+', steps=20))
        assert moments[-1].step == 40
        assert (plus.distances <= w.distances).all() and (plus.rmse <= w.rmse).all()
        assert plus.distances.sum() < w.distances.sum()
    assert (plus.w != plus.w[:, :1]).any()


def test_an_image_among_others_is_projected_as_if_alone(sampler, statistics, drawn):
    options = projection.Options(steps=10, w_noise=0)
    _, together = run(sampler, statistics, drawn[1], options)
    _, alone = run(sampler, statistics, drawn[1][1:2], options)
    np.testing.assert_allclose(together.rmse[1], alone.rmse[0], rtol=0.01)


def test_a_growing_network_is_projected_at_the_size_it_has(statistics):
    growing = Sampler(small_generator(resolution=16), lod=1.5)
    images = RANDOM.uniform(-1, 1, [1, 8, 8, 1]).astype(np.float32)
    _, found = run(growing, statistics, images, projection.Options('w+', steps=5))
    assert found.w.shape == (1, 6, 7) and len(found.noise) == 4
    assert growing.images(found.w, found.noise).shape == (1, 8, 8, 1)


def test_targets_of_another_size_are_refused(sampler, statistics):
    with pytest.raises(ValueError, match=r'targets must be \[N, 16, 16, 1\]'):
        projector(sampler, statistics, np.zeros([1, 8, 8, 1]))


def test_a_network_that_draws_nan_is_an_error_at_the_step(sampler, statistics, drawn):
    broken = statistics._replace(mean=statistics.mean * np.nan)
    with pytest.raises(ValueError, match='^step 1: the distance of image 0 .* not finite'):
        run(sampler, broken, drawn[1])


@pytest.mark.parametrize('fields, flag', [({'space': 'z'}, 'space'), ({'steps': 0}, 'steps')])
def test_options_that_mean_nothing_are_refused(fields, flag):
    with pytest.raises(ValueError, match=f'^--{flag}='):
        projection.Options(**fields)


# Many images

def write_photos(folder):
    folder.mkdir()
    for number, size in enumerate([(40, 30), (16, 16), (20, 50)]):
        pixels = RANDOM.randint(0, 256, [*size[::-1], 3]).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f'{number}.png')
    return folder


def test_targets_are_cropped_and_scaled_as_dataset_tool_does(sampler, tmp_path):
    photos = write_photos(tmp_path / 'photos')
    one = str(photos / '1.png')
    images = targets.open_targets([str(photos), one], sampler)
    assert images.titles() == ['0', '1-00001', '2', '1-00003']
    rules = decode.Rules(16, 1, crop='center')
    for number in range(3):
        expected = decode.decode((photos / f'{number}.png').read_bytes(), rules)
        np.testing.assert_allclose(images.read([number])[0], expected[0, ..., None] / 127.5 - 1,
                                   atol=1e-6)
    padded = targets.open_targets([str(photos)], sampler, 'pad').read([2])[0]
    assert (padded[:, :4] == -1).all() and (padded[:, 5:10] > -1).any()


def test_many_are_projected_in_parts_and_a_stop_keeps_what_there_is(sampler, statistics, tmp_path):
    images = targets.open_targets([str(write_photos(tmp_path / 'photos'))], sampler)
    calls = []

    def stops():
        calls.append(1)
        return len(calls) == 8

    options = projection.Options(steps=5)
    job = Projecting(3, images.read, sampler, statistics, distances.PixelPyramid(), options, 1,
                     stops=stops)
    frames = list(job.frames())
    assert job.stopped and len(job.images) == 2 and len(job.projection().w) == 2
    assert {frame.shape for frame in frames} == {(256, 512, 1)}
    assert len(frames) == 5 + 3 + 2 * pairs.FPS
    assert job.images[0].shape == (16, 32, 1)
    np.testing.assert_allclose(job.images[0][:, :16], 127.5 * images.read([0])[0] + 127.5, atol=0.5)


def test_a_film_has_150_frames_and_its_ends():
    due = [step for step in range(1, 1001) if pairs.is_due(step, 1000)]
    assert 150 <= len(due) <= 151 and due[0] == 1 and due[-1] == 1000
    assert [step for step in range(1, 11) if pairs.is_due(step, 10)] == list(range(1, 11))


def test_far_out_is_said(statistics):
    found = projection.Projection(None, None, np.float32([0.5, 0.25]), np.float32([9.04, 1]),
                                  np.float32([statistics.usual + 0.1, 0.5]))
    lines = [pairs.sentence('me', number, found, statistics) for number in (0, 1)]
    assert lines[1] == 'me: distance 0.2500, pixels 1.0 of 255 (RMSE), w 0.50 sigma from the mean'
    assert lines[0].endswith('mean - far out: editing will look wrong')
