"""Augmentations give recorded images and gradients; p moves as the method says."""

import dataclasses
import json

import numpy as np
import parity_data
import pytest
import tensorflow as tf

from training import augment, pipes, resampling
from training.augment import AdaptiveP, AugmentConfig, Parameters

RECORDED = parity_data.arrays('ada/ada.npz')
CASES = {case['key']: case for case in
         json.loads((parity_data.PARITY / 'ada/cases.json').read_text())['cases']}
MONTE_CARLO = json.loads((parity_data.PARITY / 'ada/monte_carlo.json').read_text())['p=0.5']
WITH_GRADIENT = [key for key, case in CASES.items() if 'grad' in case['arrays']]
WITH_PENALTY = [key for key, case in CASES.items() if 'penalty' in case['arrays']]
ALL = AugmentConfig(pipe='bgcfnc')


def inputs(key):
    """Images, weights and Parameters of a recorded case."""
    case = CASES[key]
    images, weights = (RECORDED[f'{case["set"]}/{name}'][:case.get('first')]
                       for name in ('images', 'weights'))
    config = AugmentConfig(pipe=case.get('pipe') or ','.join(case['switches']),
                           noise_std=case.get('noise_std', 0.1))
    if case.get('drawn'):
        given = RECORDED.part(f'{key}/parameters/')
        if 'imgfilter0' in given:
            given['imgfilter'] = np.stack([given.pop(f'imgfilter{band}') for band in range(4)], 1)
        parameters = Parameters(**given)
    elif 'percentile' in case:
        parameters = augment.at_percentile(images.shape, case['percentile'], config)
    else:
        parameters = augment.draw(images.shape, case['p'], config)
    if f'{key}/noise' in RECORDED:
        parameters = parameters._replace(noise=RECORDED[f'{key}/noise'])
    return tf.constant(images), tf.constant(weights), parameters


def assert_recorded(actual, key, name, least_scale=0.0):
    """Within the limits of ada/README.md, as a share of the largest element."""
    expected = RECORDED[f'{key}/{name}']
    limit = (1e-4 if CASES[key].get('drawn') else 2e-5) if name == 'out' else (
        5e-4 if CASES[key].get('drawn') else 1e-4)
    scale = max(np.abs(expected).max(), least_scale)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=limit * scale)


@pytest.fixture(params=['CPU', 'GPU'])
def operations(request, monkeypatch):
    """Those of a CPU, then those of a GPU."""
    monkeypatch.setattr(resampling, '_has_gpu', lambda: request.param == 'GPU')


@pytest.mark.parametrize('key', CASES)
def test_images_are_those_recorded(key, operations):
    images, _, parameters = inputs(key)
    assert_recorded(augment.apply(images, parameters), key, 'out', least_scale=1)


@pytest.mark.parametrize('key', WITH_GRADIENT)
def test_gradients_are_those_recorded(key, operations):
    images, weights, parameters = inputs(key)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(augment.apply(images, parameters) * weights)
    assert_recorded(tape.gradient(total, images), key, 'grad')


def penalty_of(images, weights, parameters):
    """[N]: squares of the gradient of a quadratic score, as R1 takes them, through the pipe."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        out = augment.apply(images, parameters)
        score = tf.reduce_sum(weights * out ** 2) / 2
    return tf.reduce_sum(tape.gradient(score, images) ** 2, axis=[1, 2, 3])


@pytest.mark.parametrize('key', WITH_PENALTY)
def test_penalties_and_their_gradients_are_those_recorded(key, operations):
    images, weights, parameters = inputs(key)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        penalty = penalty_of(images, weights, parameters)
    assert_recorded(penalty, key, 'penalty')
    assert_recorded(tape.gradient(penalty, weights), key, 'penalty_grad_weights')


@pytest.mark.parametrize('size', [4, 16])
def test_second_derivatives_are_differences_of_first_ones(size):
    shape = (2, size, size, 3)
    images, weights, images_step, weights_step = (
        tf.random.stateless_normal(shape, [size, i]) for i in range(4))
    parameters = augment.draw(shape, 0.9, ALL, seed=[1, size])
    with tf.GradientTape() as tape:
        tape.watch([images, weights])
        penalty = tf.reduce_sum(penalty_of(images, weights, parameters))
    of_images, of_weights = tape.gradient(penalty, [images, weights])
    slope = tf.reduce_sum(of_images * images_step), tf.reduce_sum(of_weights * weights_step)
    # The penalty is a quadratic function of either: central differences are exact.
    differences = [tf.reduce_sum(penalty_of(images + images_step / 2, weights, parameters)
                                 - penalty_of(images - images_step / 2, weights, parameters)),
                   tf.reduce_sum(penalty_of(images, weights + weights_step / 2, parameters)
                                 - penalty_of(images, weights - weights_step / 2, parameters))]
    np.testing.assert_allclose(slope, differences, rtol=1e-3)


def test_filters_are_those_recorded():
    np.testing.assert_allclose(resampling.LOW_PASS, RECORDED['filters/low_pass'], atol=1e-7)
    np.testing.assert_allclose(augment._filter_bank(), RECORDED['filters/bands'], atol=1e-7)


def doubled_whole(x):
    """Along the first axis: mirrored by n - 1 pixels, then twice the size, as one matrix."""
    size = len(x)
    x = np.pad(x, [(size - 1, size - 1), (0, 0)], 'reflect')
    taps = np.zeros([2 * len(x), len(x)])
    for n in range(2 * len(x)):
        for i in range(len(x)):
            if 0 <= n + 5 - 2 * i < 12:
                taps[n, i] = 2 * resampling.LOW_PASS[n + 5 - 2 * i]
    return taps @ x


@pytest.mark.parametrize('size', [4, 8, 13, 14, 16, 32])
def test_every_sample_of_the_mirrored_image_is_at_its_place(size):
    x = np.random.RandomState(size).randn(size, 5).astype(np.float32)
    whole = np.pad(doubled_whole(x), [(2, 2), (0, 0)])
    samples = np.arange(-2, 6 * size - 3)
    for rows_of in (resampling._convolved_to_rows, resampling._rows):
        rows = rows_of(x[np.newaxis])[0].numpy()
        places = np.asarray(resampling._place(samples.astype(np.float32), size)).astype(int)
        for neighbour in (0, 1):
            np.testing.assert_allclose(rows[places + neighbour], whole[samples + 2 + neighbour],
                                       atol=1e-5)


def resampled_whole(image, matrix):
    """The method word by word, margins as large as they get, in float64: [n, n] -> [n, n]."""
    size, padded = len(image), 3 * len(image) - 2
    u = doubled_whole(doubled_whole(image).T).T
    grid = (np.arange(2 * size + 12) - (2 * size + 11) / 2 + 1 / 2) / 2
    x, y = np.meshgrid(grid, grid)
    x, y, _ = np.tensordot(matrix, [x, y, np.ones_like(x)], 1)
    x, y = (2 * t - 1 / 2 + (2 * padded - 1) / 2 for t in (x, y))
    s = np.zeros_like(x)
    for dx in (0, 1):
        for dy in (0, 1):
            column, row = np.floor(x).astype(int) + dx, np.floor(y).astype(int) + dy
            inside = (column >= 0) & (column < len(u)) & (row >= 0) & (row < len(u))
            value = u[np.clip(row, 0, len(u) - 1), np.clip(column, 0, len(u) - 1)] * inside
            s += value * (1 - abs(x - column)) * (1 - abs(y - row))
    taps = np.zeros([size, 2 * size + 12])
    for n in range(size):
        taps[n, 2 * n + 1:2 * n + 13] = resampling.LOW_PASS
    return taps @ s @ taps.T


@pytest.mark.parametrize('size', [4, 8, 16, 32])
def test_shrunken_images_are_mirrored_once_and_then_grey(size):
    image = np.random.RandomState(size).randn(1, size, size, 1).astype(np.float32)
    matrix = np.array([[[3.1, -0.9, 0.3 * size], [0.4, -2.7, 1.5], [0, 0, 1]]])
    np.testing.assert_allclose(resampling.resampled(tf.constant(image), matrix)[0, :, :, 0],
                               resampled_whole(image[0, :, :, 0].astype(np.float64), matrix[0]),
                               atol=1e-4)


def test_images_that_are_not_square_are_shifted_by_shares_of_their_sides():
    image = np.random.RandomState(0).randn(1, 8, 16, 3).astype(np.float32)
    out = augment.apply(image, Parameters(xint=tf.constant([[0.125, 0.25]])))
    np.testing.assert_allclose(out[:, 4:, 4:], image[:, 2:-2, 2:-2], atol=1e-5)


@pytest.mark.parametrize('margin', [3, 21])
@pytest.mark.parametrize('size', [4, 8, 22])
def test_small_images_are_mirrored_again_and_again(size, margin):
    x = np.random.RandomState(0).randn(2, size, 3)
    np.testing.assert_array_equal(resampling.mirrored(x, margin),
                                  np.pad(x, [(0, 0), (margin, margin), (0, 0)], 'reflect'))


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
@pytest.mark.parametrize('size', [4, 8, 16, 64])
@pytest.mark.parametrize('channels', [1, 3])
def test_p_zero_changes_no_bit(size, channels, dtype):
    images = tf.cast(tf.random.stateless_normal([3, size, size, channels], [0, size]), dtype)
    out = augment.augment(images, 0.0, ALL, seed=[1, 2])
    assert out.dtype == images.dtype
    np.testing.assert_array_equal(out, images)


@pytest.mark.parametrize('pipe', pipes.PIPES)
def test_each_pipe_has_the_parameters_of_its_transformations(pipe):
    drawn = augment.draw((2, 8, 8, 3), 0.5, AugmentConfig(pipe=pipe))
    have = {name for name, value in drawn._asdict().items() if value is not None}
    names = {name.partition('_')[0] for name in have}
    assert names == {name.partition('_')[0] for name in pipes.PIPES[pipe]}
    assert augment.apply(tf.zeros([2, 8, 8, 3]), drawn).shape == (2, 8, 8, 3)


@pytest.mark.parametrize('pipe', [*pipes.PIPES, *pipes.BLIT, *pipes.GEOM])
def test_compiled_pipes_are_those_that_are_not(pipe):
    images, config = tf.random.stateless_normal([3, 8, 16, 3], [0, 0]), AugmentConfig(pipe=pipe)
    compiled = tf.function(lambda images, p: augment.augment(images, p, config, seed=[4, 5]))
    np.testing.assert_allclose(compiled(images, tf.constant(0.9)),
                               augment.augment(images, 0.9, config, seed=[4, 5]), atol=1e-5)


@pytest.fixture(scope='module')
def drawn():
    """{name: [40000] or [40000, 2]} drawn at p = 0.5."""
    parameters = augment.draw((40000, 1, 1, 3), 0.5, ALL, seed=[3, 4])
    result = {name: value.numpy() for name, value in parameters._asdict().items()}
    for band in range(4):
        result[f'imgfilter{band}'] = result['imgfilter'][:, band]
    return result


def assert_share(actual, expected, count=40000):
    assert abs(actual - expected) <= 5 * np.sqrt(expected * (1 - expected) / count) + 1e-9


@pytest.mark.parametrize('recorded', [name for name, value in MONTE_CARLO['parameters'].items()
                                      if isinstance(value, dict) and 'pixels' not in name])
def test_draws_are_distributed_as_recorded(drawn, recorded):
    name, _, unit = recorded.partition(' (')
    expected, values = MONTE_CARLO['parameters'][recorded], drawn[name]
    values = (np.log2(values) if unit == 'log2)' else values).reshape(len(values), -1)
    for axis in values.T:
        changed = axis[axis != 0]
        assert_share(len(changed) / len(axis), expected['changed'])
        deviation = expected['std_changed']
        np.testing.assert_allclose(changed.std(), deviation, rtol=0.04)
        assert abs(changed.mean() - expected['mean_changed']) <= 0.04 * deviation + 1e-9
        np.testing.assert_allclose(np.quantile(changed, [0.1, 0.5, 0.9]),
                                   expected['quantiles_10_50_90'], atol=0.06 * deviation)
        for value in range(4):
            if f'share_{value}' in expected:
                assert_share(np.mean(axis == value), expected[f'share_{value}'])


def test_images_are_changed_as_often_as_recorded(drawn):
    def changed(*names):
        return np.any([(drawn[name] != (name in ('scale', 'aniso', 'contrast', 'saturation')))
                       .reshape(40000, -1).any(1) for name in names], axis=0).mean()

    expected = MONTE_CARLO['parameters']
    color = pipes.COLOR
    bg = ('xflip', 'rotate90', 'xint', 'scale', 'rotate_pre', 'aniso', 'rotate_post', 'xfrac')
    assert_share(changed('rotate_pre', 'rotate_post'), expected['rotate_pre or rotate_post'])
    assert_share(changed(*color), expected['images changed by color'])
    assert_share(changed(*bg, *color), expected['images changed by bgc'])
    assert_share(changed(*bg), expected['images changed by bg'])
    for name in ('xint', 'xfrac'):  # one decision for both axes
        assert_share(np.all(drawn[name] != 0, axis=1).mean(),
                     expected[f'{name} both axes nonzero'])
    assert_share(np.mean(np.rint(drawn['xint'] * 32) != 0),
                 expected['xint (pixels at width 32)']['changed'], 80000)


def test_p_above_one_is_as_one():
    once, more = (augment.draw((50, 4, 4, 3), p, ALL, seed=[5, 6]) for p in (1.0, 1.7))
    for one, other in zip(once, more):
        np.testing.assert_array_equal(one, other)


def test_a_seed_repeats_its_draws_and_another_does_not():
    images = tf.ones([4, 8, 8, 3])
    first, again, other = (augment.augment(images, 0.8, ALL, seed=seed)
                           for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    assert not np.allclose(*(augment.augment(images, 0.8, ALL) for _ in range(2)))


def test_a_percentile_takes_the_place_of_draws_whatever_p_is():
    key = 'rgb32/pipe/bgc/0.7'
    images, _, _ = inputs(key)
    for p in (0.0, 1.0):
        out = augment.augment(images, p, AugmentConfig(), debug_percentile=0.7)
        assert_recorded(out, key, 'out')


@pytest.mark.parametrize('q', [0.001, 0.999])
def test_float16_does_not_overflow_at_the_ends_of_the_distributions(q):
    config = dataclasses.replace(ALL, noise_std=0.0)
    images = tf.cast(tf.random.stateless_uniform([2, 16, 16, 3], [0, 1], -1, 1), tf.float16)
    with tf.GradientTape() as tape:
        tape.watch(images)
        out = augment.apply(images, augment.at_percentile(images.shape, q, config))
    assert out.dtype == tf.float16 and np.isfinite(tape.gradient(out, images)).all()
    expected = augment.apply(tf.cast(images, tf.float32),
                             augment.at_percentile(images.shape, q, config))
    np.testing.assert_allclose(out, expected, atol=1e-3 * np.abs(expected).max())


def test_gray_images_are_spared_what_needs_rgb():
    drawn = augment.draw((2, 8, 8, 1), 1.0, AugmentConfig(pipe='bgc'))
    assert drawn.hue is None and drawn.saturation is None and drawn.contrast is not None


@pytest.mark.parametrize('channels, pipe, word', [
    (4, 'bgc', 'brightness'), (2, 'hue,xflip', 'hue'), (1, 'hue', 'hue'), (1, 'hue,saturation',
                                                                          'saturation')])
def test_channels_that_a_pipe_cannot_color_are_refused_by_name(channels, pipe, word):
    with pytest.raises(ValueError, match=rf'{word}.*need .*received {channels}'):
        augment.draw((1, 8, 8, channels), 0.5, AugmentConfig(pipe=pipe))
    if channels not in (1, 3):
        with pytest.raises(ValueError, match=f'1 or 3 channels; received {channels}'):
            augment.apply(tf.zeros([1, 8, 8, channels]), Parameters(brightness=tf.zeros([1])))


def test_five_channels_are_moved_and_filtered():
    config = AugmentConfig(pipe='blit,geom,filter,noise,cutout')
    images = tf.random.stateless_normal([2, 8, 8, 5], [0, 0])
    out = augment.augment(images, 1.0, config, seed=[0, 1])
    assert out.shape == images.shape and np.isfinite(out).all()


@pytest.mark.parametrize('fields, words', [
    ({'pipe': 'bgd'}, "pipe must be one of blit, .*received 'bgd'"), ({'pipe': ''}, 'received'),
    ({'p': 1.1}, r'p must be 0\.\.1; received 1.1'), ({'p': -0.1}, 'p must be'),
    ({'target': 2.0}, 'target'), ({'interval': 0}, 'interval'), ({'adapt_kimg': 0}, 'adapt_kimg'),
    ({'noise_std': -1.0}, 'noise_std')])
def test_options_out_of_range_are_refused_by_name(fields, words):
    with pytest.raises(ValueError, match=words):
        AugmentConfig(**fields)


@pytest.mark.parametrize('p, sign_mean, images, expected', [
    (0.5, 0.7, 5000, 0.51), (0.5, 0.5, 5000, 0.49), (0.5, 0.6, 5000, 0.5), (0.001, 0.0, 5000, 0.0),
    (1.0, 1.0, 50000, 1.1)])
def test_p_moves_towards_the_target(p, sign_mean, images, expected):
    np.testing.assert_allclose(augment.next_p(p, sign_mean, images, AugmentConfig()), expected,
                               rtol=1e-6)


def test_a_fixed_p_stays():
    assert augment.next_p(0.3, 1.0, 5000, AugmentConfig(target=None)) == 0.3


def test_p_is_adjusted_after_every_fourth_minibatch_from_signs_of_those_four():
    adaptive = AdaptiveP(AugmentConfig(p=0.5, adapt_kimg=1))
    seen = []
    for sign_mean in [1, 1, 1, 0.2, 0, 0, 0, 1, np.nan, 0.9, 0.9, 0.9]:
        adaptive.add(tf.constant(sign_mean, tf.float32), 16)
        seen.append(float(adaptive.p))
    # 64 images up; 64 down, the sums begun anew; the step that is not finite counts for nothing.
    np.testing.assert_allclose(seen, [0.5] * 3 + [0.564] * 4 + [0.5] * 4 + [0.548], rtol=1e-6)


def test_a_checkpoint_goes_on_with_p_and_its_sums_bit_for_bit(tmp_path):
    config = AugmentConfig(p=0.1, adapt_kimg=1)
    straight, killed, resumed = (AdaptiveP(config) for _ in range(3))
    signs = tf.unstack(tf.random.stateless_uniform([20], [0, 0]))
    for sign in signs:
        straight.add(sign, 7)
    for sign in signs[:6]:
        killed.add(sign, 7)
    path = tf.train.Checkpoint(adaptive=killed).write(str(tmp_path / 'checkpoint'))
    tf.train.Checkpoint(adaptive=resumed).read(path).assert_consumed()
    for sign in signs[6:]:
        resumed.add(sign, 7)
    assert [v.numpy() for v in resumed.variables] == [v.numpy() for v in straight.variables]
    assert len(resumed.variables) == 6


def test_replicas_share_p_and_take_derivatives_inside_one_compiled_step():
    strategy = tf.distribute.MirroredStrategy(['CPU:0', 'CPU:1'],
                                              tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        adaptive = AdaptiveP(AugmentConfig(p=0.9, adapt_kimg=1, interval=1))
    images = tf.random.stateless_normal([2, 8, 8, 3], [0, 0])
    weights = tf.random.stateless_normal([2, 8, 8, 3], [0, 1])

    def on_replica():
        context = tf.distribute.get_replica_context()
        seed = tf.stack([7, context.replica_id_in_sync_group])
        parameters = augment.draw(images.shape, adaptive.p, adaptive.config, seed)
        with tf.GradientTape() as tape:
            tape.watch(weights)
            penalty = tf.reduce_sum(penalty_of(images, weights, parameters))
        gradient = tape.gradient(penalty, weights)
        adaptive.add(context.all_reduce('mean', tf.cast(seed[1], tf.float32)), 4)
        return gradient, adaptive.p.read_value()

    @tf.function
    def step():
        return [strategy.experimental_local_results(result)
                for result in strategy.run(on_replica)]

    gradients, p = step()
    np.testing.assert_allclose(p, [0.896] * 2, rtol=1e-6)  # the mean is 0.5, below the target
    for number, gradient in enumerate(gradients):
        parameters = augment.draw(images.shape, 0.9, adaptive.config, [7, number])
        with tf.GradientTape() as tape:
            tape.watch(weights)
            penalty = tf.reduce_sum(penalty_of(images, weights, parameters))
        expected = tape.gradient(penalty, weights)
        np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())
    assert np.abs(gradients[0] - gradients[1]).max() > 1e-2
