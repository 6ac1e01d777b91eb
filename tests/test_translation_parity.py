"""StarGAN v2 computes the numbers recorded from the official code (tests/parity/starganv2)."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf
from parity_data import arrays, config

from runs.log import NoLog
from training.layers import shapes_only
from training.replicas import Replicas
from translation import iterations, reference
from translation.adam import DecayedAdam
from translation.config import PRESETS, TranslationConfig
from translation.loop import schedule_of
from translation.losses import d_loss, g_loss, lambda_ds_at
from translation.networks import Discriminator, Generator, MappingNetwork, StyleEncoder
from translation.run_config import TranslationRunConfig
from translation.state import TranslationState
from translation.steps import Batch, train_iteration

CASES = ('afhq32', 'celeba64')
NETWORKS = {'generator': 'G', 'mapping_network': 'F', 'style_encoder': 'E', 'discriminator': 'D'}
STEPS = ('d_latent', 'd_reference', 'g_latent', 'g_reference')
LIMIT = 2e-4                               # of tests/parity/starganv2/README.md, as all below
ITERATIONS = 3                             # that were recorded
LOSS_LIMITS = (1e-4, 1e-3, 1e-2)           # of the iterations 0, 1, 2
OWN_SHARES = {1: 0.95, 3: 0.5}             # {iterations: share of elements within 5% of a step}


def case_config(case):
    return TranslationConfig(**config(f'starganv2/{case}')['config'])


def data(case):
    return arrays(f'starganv2/{case}/data.npz')


def nhwc(images):
    return tf.constant(np.transpose(images, [0, 2, 3, 1]), tf.float32)


def batch_of(case, number):
    part = data(case).part(f'batch{number}/')
    return Batch(**{name: nhwc(array) if array.ndim == 4 else
                    tf.constant(array, tf.int32 if name.startswith('y') else tf.float32)
                    for name, array in part.items()})


def stored_masks(case):
    if case == 'afhq32':
        return None
    return tuple(nhwc(data(case)[f'masks{k}']) for k in range(2))


def mask_fn_of(case):
    """The rule that stood in for a face network when the numbers were recorded."""
    masks = stored_masks(case)

    def mask_fn(images):
        gray = tf.reduce_mean(images, axis=3, keepdims=True)
        gray = tf.image.resize(gray, [256, 256])
        return tuple(tf.clip_by_value(mask * (1 + gray) / 2, 0, 1) for mask in masks)

    return masks and mask_fn


def fresh_state(case):
    state = TranslationState(case_config(case))
    weights = arrays(f'starganv2/{case}/weights.npz')
    for name, attribute in NETWORKS.items():
        for target in {attribute, f'{attribute}s'} & {*NETWORKS.values(), 'Gs', 'Fs', 'Es'}:
            reference.assign(getattr(state, target), weights.part(f'{name}/'))
    return state


@functools.cache
def shared_state(case):
    """At the starting weights; not to be trained."""
    return fresh_state(case)


def error(actual, expected):
    expected = np.asarray(expected, np.float64)
    if expected.ndim == 4:
        expected = expected.transpose(0, 2, 3, 1)
    assert actual.shape == expected.shape
    return (np.abs(np.asarray(actual) - expected).max()
            / (expected.std() + 0.05 * np.sqrt(np.mean(expected ** 2))))


@pytest.mark.parametrize('case', CASES)
def test_mapping_style_encoder_and_discriminator_give_the_recorded_outputs(case):
    state, batch, truth = shared_state(case), batch_of(case, 0), data(case).part('f64/')
    for k in range(state.config.num_domains):
        y = tf.fill([len(batch.y_org)], k)
        assert error(state.F(batch.z_trg, y), truth[f'mapping/{k}']) < LIMIT
        assert error(state.E(batch.x_ref, y), truth[f'style/{k}']) < LIMIT
        assert error(state.D(batch.x_real, y), truth[f'logits/{k}']) < LIMIT


@pytest.mark.parametrize('case', CASES)
def test_generator_gives_the_recorded_images(case):
    state, batch, truth = shared_state(case), batch_of(case, 0), data(case).part('f64/generated/')
    styles = {'latent': state.F(batch.z_trg, batch.y_trg),
              'reference': state.E(batch.x_ref, batch.y_trg)}
    for guide, style in styles.items():
        images = state.G(batch.x_real, style, stored_masks(case))
        assert error(images, truth[guide]) < LIMIT
    if 'latent_nomask' in truth:
        assert error(state.G(batch.x_real, styles['latent']), truth['latent_nomask']) < LIMIT


def loss_of_step(state, case, step, **options):
    batch, mask_fn = batch_of(case, 0), mask_fn_of(case)
    masks = mask_fn and mask_fn(batch.x_real)
    network, guide = step.split('_')
    if network == 'd':
        return d_loss(state, batch, guide, masks)
    return g_loss(state, batch, guide, state.config.lambda_ds, masks, mask_fn)


def trained(state, step):
    """{official name with the network's: variable} of what the step moves."""
    names = {'d_latent': ['discriminator'], 'd_reference': ['discriminator'],
             'g_latent': ['generator', 'mapping_network', 'style_encoder'],
             'g_reference': ['generator']}[step]
    return {f'{network}/{name}': variable for network in names for name, variable in
            reference.named_variables(getattr(state, NETWORKS[network])).items()
            if variable.trainable}


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('step', STEPS)
def test_losses_and_gradients_are_the_recorded_ones(case, step):
    state, truth = shared_state(case), data(case)
    variables = trained(state, step)
    with tf.GradientTape() as tape:
        losses = loss_of_step(state, case, step)
    gradients = dict(zip(variables, tape.gradient(losses['total'], [*variables.values()])))

    expected = truth.part(f'f64/loss/{step}/')
    assert set(losses) == set(expected)
    for part, value in expected.items():
        assert abs(float(losses[part]) - value) < 2e-5 * max(1, abs(value)), part

    names = [str(name) for name in truth[f'grad/{step}/names']]
    assert set(names) == set(gradients)
    norms, probes = (truth[f'f64/grad/{step}/{what}'] for what in ('norms', 'probes'))
    for name, norm, probe in zip(names, norms, probes):
        gradient = gradients[name].numpy().astype(np.float64)
        gradient = gradient.transpose(reference.TO_TORCH[gradient.ndim]).ravel()
        limit = 5e-3 * (norm + 1e-3 * norms.max())
        assert abs(np.linalg.norm(gradient) - norm) < limit, name
        assert abs(np.sum(gradient * np.cos(np.arange(gradient.size))) - probe) < limit, name


def one_alone(state, case):
    """Yields the losses of the first iteration, not compiled."""
    yield train_iteration(state, batch_of(case, 0), mask_fn_of(case))


def in_the_loop(state, case):
    """Yields the losses of all iterations, by the compiled function of a training run."""
    class RecordedStream:
        def __init__(self, *_):
            pass

        def batches(self, *_):
            return (batch_of(case, number) for number in range(ITERATIONS))

    config = TranslationRunConfig('', state.config, batch=len(batch_of(case, 0).y_org))
    run = iterations.Iterations(state, config, None, NoLog(), Replicas(), mask_fn_of(case))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iterations, 'TranslationStream', RecordedStream)
        for _ in range(ITERATIONS):
            run.run(schedule_of(config), 1)
            yield {name: value for name, value in state.take_stats().items()
                   if not name.startswith('skipped')}
    assert run._compiled.experimental_get_tracing_count() == 1


@functools.cache
def trajectory(case, iterate):
    """(logs of iterations, {number of them: {'generator/...', 'ema/generator/...': array}})."""
    state, logs, weights = fresh_state(case), [], {}
    for number, log in enumerate(iterate(state, case), 1):
        logs.append({name: float(value) for name, value in log.items()})
        weights[number] = {
            f'{prefix}{name}/{key}': array
            for prefix, suffix in (('', ''), ('ema/', 's')) for name, attribute in NETWORKS.items()
            if hasattr(state, attribute + suffix)
            for key, array in reference.variables(getattr(state, attribute + suffix)).items()}
    assert int(state.iteration) == len(logs)
    return logs, weights


# Compiling takes longer than all else here: one of the two cases is compiled in slow tests only.
IN_THE_LOOP = [('afhq32', in_the_loop),
               pytest.param('celeba64', in_the_loop, marks=pytest.mark.slow)]
TRAJECTORIES = pytest.mark.parametrize('case, iterate', [*IN_THE_LOOP, ('celeba64', one_alone)])


@TRAJECTORIES
def test_losses_of_iterations_are_the_recorded_ones(case, iterate):
    logs, _ = trajectory(case, iterate)
    assert len(logs) == (ITERATIONS if iterate is in_the_loop else 1)
    truth = arrays(f'starganv2/{case}/trajectory.npz')
    for number, (log, limit) in enumerate(zip(logs, LOSS_LIMITS)):
        log, expected = dict(log), truth.part(f'f64/iter{number}/')
        assert log.pop('G/lambda_ds') == pytest.approx(float(expected.pop('lambda_ds')), rel=1e-6)
        names = {f'{step[0].upper()}/{"latent" if "latent" in step else "ref"}_{part}': value
                 for (step, part), value in ((name.split('/'), value)
                                             for name, value in expected.items())
                 if part != 'total'}
        assert set(names) == set(log)
        for name, value in names.items():
            assert abs(log[name] - value) < limit * max(1, abs(value)), (number, name)


def nowhere(case):
    """Names of variables without a gradient: zero, or none at all."""
    facts = config(f'starganv2/{case}')
    return {name for step in STEPS for name in facts['zero_gradient'][step]}, set(facts['unused'])


def check_weights(case, iterate, count, averages):
    """Compares the trained weights, or their averages, after so many iterations."""
    ours = trajectory(case, iterate)[1][count]
    truth = arrays(f'starganv2/{case}/trajectory.npz').part(f'after{count}/')
    zero, unused = nowhere(case)
    near = total = 0
    for name, expected in truth.items():
        plain = name[4:] if name.startswith('ema/') else name
        if name.startswith('ema/') != averages or plain in zero | unused:
            continue
        rate = case_config(case).f_lr if 'mapping_network' in name else case_config(case).lr
        near += np.sum(np.abs(ours[name] - expected) <= 0.05 * rate)
        total += expected.size
    assert total > 10000
    assert near / total > OWN_SHARES[count]


@pytest.mark.parametrize('averages', [False, True])
@TRAJECTORIES
def test_weights_after_an_iteration_are_the_recorded_ones(case, iterate, averages):
    check_weights(case, iterate, 1, averages)


@pytest.mark.parametrize('averages', [False, True])
@pytest.mark.parametrize('case, iterate', IN_THE_LOOP)
def test_weights_after_three_iterations_are_the_recorded_ones(case, iterate, averages):
    check_weights(case, iterate, 3, averages)


@TRAJECTORIES
def test_biases_without_gradient_follow_the_weight_decay(case, iterate):
    ours, start = trajectory(case, iterate)[1][1], arrays(f'starganv2/{case}/weights.npz')
    zero = config(f'starganv2/{case}')['zero_gradient']
    followed = []
    for step, network, updates, rate in (('g_latent', 'generator', 2, case_config(case).lr),
                                         ('g_latent', 'mapping_network', 1,
                                          case_config(case).f_lr)):
        for name in zero[step]:
            if name.startswith(network):
                move = -updates * rate * np.sign(start[name])
                away = np.abs(start[name]) > 0.02
                followed.append((np.abs(ours[name] - start[name] - move)
                                 <= 0.05 * updates * rate)[away])
    followed = np.concatenate([share.ravel() for share in followed])
    assert followed.size > 100
    assert followed.mean() > 0.9


def test_kernels_that_nothing_uses_are_not_touched():
    ours = trajectory('celeba64', one_alone)[1][1]
    start = arrays('starganv2/celeba64/weights.npz')
    unused = config('starganv2/celeba64')['unused']
    assert len(unused) == 2
    for name in unused:
        np.testing.assert_array_equal(ours[name], start[name])
        np.testing.assert_array_equal(ours[f'ema/{name}'], start[name])


@pytest.mark.parametrize('start, gradients, expected', [
    (0.5, (0.3, 0, -0.2), (0.499900000, 0.49989997638, 0.49999621109)),
    (0.0, (1e-7, 2e-7, 0), (-9.0909090909e-05, -2.0831266463e-04, -1.9286806106e-04))])
def test_adam_makes_the_steps_of_pytorch(start, gradients, expected):
    variable = tf.Variable([start], dtype=tf.float32)
    optimizer = DecayedAdam([variable], 0.0, 0.99, weight_decay=1e-4)
    for gradient, value in zip(gradients, expected):
        optimizer.apply_if_finite([tf.constant([gradient], tf.float32)], [variable], 1e-4)
        assert float(variable[0]) == pytest.approx(value, abs=max(1e-10, start * 2 ** -23))


def test_adam_with_a_first_moment_makes_the_steps_of_its_formula():
    variable, value = tf.Variable([0.5]), 0.5
    optimizer = DecayedAdam([variable], 0.9, 0.99, weight_decay=1e-2)
    m = v = 0.0
    for step, gradient in enumerate((0.3, 0.0, -0.2), 1):
        optimizer.apply_if_finite([tf.constant([gradient])], [variable], 1e-2)
        g = gradient + 1e-2 * value
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        value -= 1e-2 * (m / (1 - 0.9 ** step)) / (np.sqrt(v / (1 - 0.99 ** step)) + 1e-8)
        assert float(variable[0]) == pytest.approx(value, abs=3e-7)


@pytest.mark.parametrize('size, G, G_hpf, E, D', [
    (32, 28740099, 38314499, (18433664, 18466496), (18369026, 18369539)),
    (64, 32634883, 42209283, (20327808, 20360640), (20263170, 20263683)),
    (128, 33632003, 43206403, (20799744, 20832576), (20735106, 20735619)),
    (256, 33892995, 43467395, (20916928, 20949760), (20852290, 20852803)),
    (512, 33964099, 43538499, (20945824, 20978656), (20881186, 20881699))])
def test_networks_have_the_published_numbers_of_parameters(size, G, G_hpf, E, D):
    with shapes_only():
        for num_domains, E_count, D_count in zip((2, 3), E, D):
            sizes = TranslationConfig(img_size=size, num_domains=num_domains)
            assert count(StyleEncoder(sizes)) == E_count
            assert count(Discriminator(sizes)) == D_count
        assert count(Generator(sizes)) == G
        assert count(Generator(TranslationConfig(img_size=size, w_hpf=1.0))) == G_hpf


def test_mapping_has_the_published_number_of_parameters():
    with shapes_only():
        counts = [count(MappingNetwork(TranslationConfig(num_domains=k))) for k in (2, 3)]
    assert counts == [2438272, 3259072]


def count(network):
    return sum(np.prod(variable.shape) for variable in reference.named_variables(network).values())


def test_he_initialization_has_its_deviation_everywhere():
    G = Generator(TranslationConfig(img_size=32, max_conv_dim=64, conv_dim_base=1024))
    for name, variable in reference.named_variables(G).items():
        if len(variable.shape) > 1:
            expected = np.sqrt(2 / np.prod(variable.shape[:-1]))
            tolerance = 5 / np.sqrt(2 * tf.size(variable))
            assert np.std(variable) == pytest.approx(expected, rel=float(tolerance)), name
        else:
            is_norm_weight = name.endswith(('norm1.weight', 'norm2.weight', 'to_rgb.0.weight'))
            np.testing.assert_array_equal(variable, float(is_norm_weight))


@pytest.mark.parametrize('case', CASES)
def test_variables_that_are_assigned_come_back_the_same(case):
    G = Generator(case_config(case))
    weights = arrays(f'starganv2/{case}/weights.npz').part('generator/')
    reference.assign(G, weights)
    back = reference.variables(G)
    has_filter = case == 'celeba64'
    assert set(back) - set(weights) == ({'hpf.filter'} if has_filter else set())
    for name, array in weights.items():
        np.testing.assert_array_equal(back[name], array)
    reference.assign(G, back)
    if has_filter:
        np.testing.assert_array_equal(back['hpf.filter'], [[-1] * 3, [-1, 8, -1], [-1] * 3])


def test_weights_that_do_not_fit_are_all_named_and_nothing_is_assigned():
    F = shared_state('afhq32').F
    weights = reference.variables(F)
    wrong = {**weights, 'shared.0.bias': np.zeros(3), 'more.weight': np.zeros([2, 2]),
             'hpf.filter': np.zeros([3, 3])}
    del wrong['shared.2.weight']
    with pytest.raises(ValueError) as caught:
        reference.assign(F, wrong)
    for name in ('shared.0.bias', 'more.weight', 'shared.2.weight', 'hpf.filter'):
        assert name in str(caught.value)
    np.testing.assert_array_equal(reference.variables(F)['shared.0.bias'],
                                  weights['shared.0.bias'])


def test_lambda_ds_falls_to_zero_and_stays_there():
    config = TranslationConfig(lambda_ds=2.0, ds_iter=4)
    values = [float(lambda_ds_at(i, config)) for i in range(6)]
    assert values == [2, 1.5, 1, 0.5, 0, 0]
    assert float(lambda_ds_at(tf.constant(1, tf.int64), config)) == 1.5


def test_masks_without_mask_fn_are_refused():
    state, batch = shared_state('celeba64'), batch_of('celeba64', 0)
    for options in ({'masks': stored_masks('celeba64')}, {'mask_fn': mask_fn_of('celeba64')}):
        with pytest.raises(ValueError, match='both or neither'):
            g_loss(state, batch, 'latent', 1.0, **options)
    with pytest.raises(ValueError, match='guide'):
        d_loss(state, batch, 'noise')


def test_masks_make_no_difference_without_high_pass():
    state, batch = shared_state('afhq32'), batch_of('afhq32', 0)
    style = state.F(batch.z_trg, batch.y_trg)
    masks = 2 * (tf.ones([4, 256, 256, 1]),)
    np.testing.assert_array_equal(state.G(batch.x_real, style, masks),
                                  state.G(batch.x_real, style))


def test_generator_takes_other_sizes_than_it_was_made_for():
    G = Generator(case_config('afhq32'))
    assert G(tf.zeros([1, 48, 64, 3]), tf.zeros([1, 16])).shape == [1, 48, 64, 3]


@pytest.mark.parametrize('options, field', [
    ({'img_size': 48}, 'img_size'), ({'img_size': 16}, 'img_size'),
    ({'img_size': 64, 'conv_dim_base': 32}, 'conv_dim_base'), ({'num_domains': 0}, 'num_domains'),
    ({'w_hpf': -1.0}, 'w_hpf'), ({'beta2': 1.0}, 'beta2')])
def test_a_config_that_makes_no_sense_is_refused(options, field):
    with pytest.raises(ValueError, match=f'^{field} must be'):
        TranslationConfig(**options)


def test_presets_are_those_of_the_paper():
    afhq, celeba = PRESETS['afhq'], PRESETS['celeba_hq']
    assert (afhq.num_domains, afhq.w_hpf, afhq.lambda_ds, afhq.img_size) == (3, 0, 2, 256)
    assert (celeba.num_domains, celeba.w_hpf, celeba.lambda_ds) == (2, 1, 1)
    assert json.dumps(vars(afhq))
