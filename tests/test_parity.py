"""With the reference's weights and inputs the networks give the reference's numbers."""

import numpy as np
import pytest
import tensorflow as tf
from parity_data import VARIANTS, arrays, assert_close, at_level, config

from training import losses, networks, networks_progan
from training.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.layers import named_variables
from training.reference import assign

CASES = ('rgb32', 'gray64cond', 'rgb256fused')
LODS = [(case, lod) for case in CASES for lod in config(case)['lods']]
_built = {}


def recorded_networks(case):
    """G and D of one recorded case with its weights; built once."""
    if case not in _built:
        options = config(case)
        shape = {name: options[name] for name in ('resolution', 'num_channels', 'label_size')}
        fmaps = {name: options['kwargs'][name] for name in ('fmap_base', 'fmap_max')}
        G = networks.Generator(GeneratorConfig(**shape, **options['kwargs']))
        D = networks.Discriminator(DiscriminatorConfig(**shape, **fmaps))
        weights = arrays(f'{case}/weights.npz')
        assign(G, weights.part('G/'))
        assign(D, weights.part('D/'))
        _built[case] = G, D
    return _built[case]


@pytest.mark.parametrize('case', CASES)
def test_mapping(case):
    G, _ = recorded_networks(case)
    data = arrays(f'{case}/data.npz')
    assert_close(G.mapping(data['z'], data['labels']), data['w'])


def test_numpys_own_float64_is_taken():
    G, D = recorded_networks('gray64cond')
    data = {name: np.asarray(arrays('gray64cond/data.npz')[name], np.float64)
            for name in ('z', 'labels', 'w', 'images')}
    assert_close(G.mapping(data['z'], data['labels']), data['w'])
    assert G.synthesis(data['w'], lod=4).shape == (8, 4, 4, 1)
    assert G(data['z'], data['labels'], lod=4).shape == (8, 4, 4, 1)
    assert D(at_level(data['images'], 4).astype(np.float64), data['labels'], lod=4).shape == (8, 1)


@pytest.mark.parametrize('case, lod', LODS)
def test_synthesis_at_each_lod(case, lod):
    G, _ = recorded_networks(case)
    data = arrays(f'{case}/data.npz')
    images = G.synthesis(data['w'], lod=lod, randomize_noise=False)
    assert_close(images, at_level(data[f'lod{lod:.2f}/synthesis'], int(lod)))


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('name, psi, cutoff', [
    ('trunc_psi0.7_cut8', 0.7, 8), ('trunc_psi0.5_cut4', 0.5, 4),
    ('trunc_psi-0.5_cutall', -0.5, None)])
def test_truncated_output(case, name, psi, cutoff):
    G, _ = recorded_networks(case)
    data = arrays(f'{case}/data.npz')
    images = G(data['z'], data['labels'], truncation_psi=psi, truncation_cutoff=cutoff,
               randomize_noise=False)
    assert_close(images, at_level(data[name], 0))


@pytest.mark.parametrize('case, lod', LODS)
def test_scores_image_gradients_and_penalty(case, lod):
    _, D = recorded_networks(case)
    data, level = arrays(f'{case}/data.npz'), int(lod)
    images = tf.constant(at_level(data['images'], level))
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = D(images, data['labels'], lod=lod)
    assert_close(scores, data[f'lod{lod:.2f}/scores'])
    _, penalty = losses.scores_and_penalty(lambda x: D(x, data['labels'], lod=lod), images, level)
    assert_close(penalty[:, 0], data[f'lod{lod:.2f}/r1_penalty'])
    if f'lod{lod:.2f}/score_grad_images' in data:
        recorded = at_level(data[f'lod{lod:.2f}/score_grad_images'], level) * 4 ** level
        assert_close(tape.gradient(scores, images), recorded)


def inputs_at_train_lod(case):
    """(G, D, data, lod, level, reals, D as a function of images)."""
    G, D = recorded_networks(case)
    data = arrays(f'{case}/data.npz')
    lod = round(float(data['train_lod']), 6)
    reals = tf.constant(at_level(data['images'], int(lod)))
    return G, D, data, lod, int(lod), reals, lambda x: D(x, data['labels'], lod=lod)


def fakes_of(G, data, z, lod):
    return G.synthesis(G.mapping(z, data['labels']), lod=lod, randomize_noise=False)


@pytest.mark.parametrize('case', CASES)
def test_losses(case):
    G, _, data, lod, level, reals, D = inputs_at_train_lod(case)
    fakes, mixing = fakes_of(G, data, data['z_d'], lod), data['wgan_mixing']
    values = {
        'D_logistic': losses.D_logistic(D, reals, fakes),
        'D_logistic_simplegp': losses.D_logistic_simplegp(D, reals, fakes, level, 10.0, 3.0),
        'D_wgan': losses.D_wgan(D, reals, fakes),
        'D_wgan_gp': losses.D_wgan_gp(D, reals, fakes, level, mixing),
        'D_hinge': losses.D_hinge(D, reals, fakes),
        'D_hinge_gp': losses.D_hinge_gp(D, reals, fakes, level, mixing)}
    fake_scores = D(fakes_of(G, data, data['z_g'], lod))
    for name in ('G_wgan', 'G_logistic_saturating', 'G_logistic_nonsaturating'):
        values[name] = getattr(losses, name)(fake_scores)
    assert sorted(values) == sorted(data.part('loss/'))
    for name, value in values.items():
        assert value.shape == (len(data['z']), 1), name
        assert abs(float(tf.reduce_mean(value)) - data[f'loss/{name}']) <= 1e-5, name


def assert_gradients_close(variables, tape, loss, recorded):
    """Whole vector within 2e-4; 95% of the variables within 1e-2 of their deviation; same zeros."""
    trainable = {name: v for name, v in variables.items() if v.trainable}
    assert sorted(trainable) == sorted(recorded)
    gradients = tape.gradient(loss, trainable,
                              unconnected_gradients=tf.UnconnectedGradients.ZERO)
    gradients = {name: gradient.numpy() for name, gradient in gradients.items()}
    difference = np.concatenate([(gradients[n] - recorded[n]).ravel() for n in recorded])
    whole = np.concatenate([recorded[n].ravel() for n in recorded])
    assert np.linalg.norm(difference) <= 2e-4 * np.linalg.norm(whole)
    near = [np.abs(gradients[n] - recorded[n]).max() <= 1e-2 * recorded[n].std() + 1e-9
            for n in recorded]
    assert np.mean(near) >= 0.95, [n for n, ok in zip(recorded, near) if not ok]
    for name, gradient in recorded.items():
        if not gradient.any():
            assert not gradients[name].any(), f'{name} has a gradient where the reference has none'


@pytest.mark.parametrize('case', CASES)
def test_gradients_of_D(case):
    G, D, data, lod, level, reals, score = inputs_at_train_lod(case)
    fakes = fakes_of(G, data, data['z_d'], lod)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(losses.D_logistic_simplegp(score, reals, fakes, level, 10.0))
    assert_gradients_close(named_variables(D), tape, loss, data.part('grad_D/'))


@pytest.mark.parametrize('case', CASES)
def test_gradients_of_G(case):
    G, _, data, lod, _, _, score = inputs_at_train_lod(case)
    with tf.GradientTape() as tape:
        fakes = fakes_of(G, data, data['z_g'], lod)
        loss = tf.reduce_mean(losses.G_logistic_nonsaturating(score(fakes)))
    assert_gradients_close(named_variables(G), tape, loss, data.part('grad_G/'))


def variant_networks(name):
    """(generate(lod) -> images, D, data, lods) of one of the twelve unusual configurations."""
    variant, data = VARIANTS[name], arrays(f'variants/{name}.npz')
    shape = {key: variant[key] for key in ('resolution', 'num_channels', 'label_size')}
    if variant['progan']:
        G = networks_progan.Generator(ProganGeneratorConfig(**shape, **variant['G']))
        D = networks_progan.Discriminator(ProganDiscriminatorConfig(**shape, **variant['D']))
        def generate(lod):
            return G(data['z'], data['labels'], lod=lod)
    else:
        G = networks.Generator(GeneratorConfig(**shape, **variant['G']))
        D = networks.Discriminator(DiscriminatorConfig(**shape, **variant['D']))
        def generate(lod):
            assert_close(G.mapping(data['z'], data['labels']), data['w'])
            return G.synthesis(data['w'], lod=lod, randomize_noise=False)
    assign(G, data.part('weights/G/'))
    assign(D, data.part('weights/D/'))
    return generate, D, data, variant['lods']


@pytest.mark.parametrize('name', VARIANTS)
def test_unusual_configuration(name):
    generate, D, data, lods = variant_networks(name)
    for lod in lods:
        level = int(lod)
        assert_close(generate(lod), at_level(data[f'lod{lod:.2f}/generated'], level))
        scores = D(at_level(data['images'], level), data['labels'], lod=lod)
        assert_close(scores, data[f'lod{lod:.2f}/scores'])


def trainable_count(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def test_full_size_networks_have_the_papers_parameters_and_run():
    G, D = networks.Generator(GeneratorConfig()), networks.Discriminator(DiscriminatorConfig())
    assert trainable_count(G.mapping) == 2_101_248
    assert trainable_count(G) == 26_219_627
    assert trainable_count(D) == 23_087_249
    images = G(np.zeros([1, 512], np.float32), randomize_noise=False)
    assert images.shape == (1, 1024, 1024, 3)
    assert np.isfinite(D(images).numpy()).all()
