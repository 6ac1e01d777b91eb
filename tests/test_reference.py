"""Network pickles of the reference give its networks, and what is not one gets a verdict."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
import reference_pickles as made
import tensorflow as tf
from parity_data import PARITY, VARIANTS, arrays, assert_close, at_level, config

from training import networks, networks_progan, reference
from training.config import DiscriminatorConfig, GeneratorConfig
from training.sampler import to_uint8

SMALL = {'resolution': 8, 'fmap_base': 64, 'fmap_max': 8, 'latent_size': 6, 'dlatent_size': 5,
         'mapping_fmaps': 7, 'mapping_layers': 2}


def dump(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def small_arrays(**options):
    """Weights of a small generator, by name."""
    return reference.variables(networks.Generator(GeneratorConfig(**{**SMALL, **options})))


def small_generator_pickle(path, name='Gs', **kwargs):
    return dump(path, made.stylegan_generator(name, small_arrays(), {**SMALL, **kwargs}))


@pytest.mark.parametrize('case', ['rgb32', 'gray64cond'])
def test_published_form_gives_the_recorded_weights_and_images(case):
    path = PARITY / case / 'network-snapshot-000123.pkl'
    G, D, Gs = reference.load_pickle(path)
    weights, data = arrays(f'{case}/weights.npz'), arrays(f'{case}/data.npz')
    for network, prefix in ((G, 'G/'), (D, 'D/'), (Gs, 'G/')):
        loaded = reference.variables(network)
        recorded = reference.without_lod(weights.part(prefix))
        assert loaded.keys() == recorded.keys()
        assert all(np.array_equal(loaded[name], recorded[name]) for name in recorded)
    images = Gs(data['z'], data['labels'], truncation_psi=0.7, truncation_cutoff=8,
                randomize_noise=False)
    assert_close(images, at_level(data['trunc_psi0.7_cut8'], 0))
    assert_close(D(at_level(data['images'], 0), data['labels']), data['lod0.00/scores'])


def test_trained_digits_give_the_recorded_pictures():
    _, _, Gs = reference.load_pickle(PARITY / 'digits/network-final.pkl')
    expected = arrays('digits/expected.npz')
    images = Gs(expected['z'], truncation_psi=0.7, truncation_cutoff=8, randomize_noise=False)
    difference = np.abs(to_uint8(images).astype(int) - expected['images_psi07'])
    assert difference.max() <= 1 and difference.mean() < 1e-3


def test_fused_network_through_a_pickle_gives_the_recorded_images(tmp_path):
    case, weights = 'rgb256fused', arrays('rgb256fused/weights.npz')
    kwargs = {'resolution': 256, 'num_channels': 3, 'label_size': 0, **config(case)['kwargs']}
    path = dump(tmp_path / 'fused.pkl', made.stylegan_generator('Gs', weights.part('G/'), kwargs))
    data = arrays(f'{case}/data.npz')
    images = reference.load_networks(path)['Gs'](data['z'], truncation_psi=0.7, truncation_cutoff=8,
                                                 randomize_noise=False)
    assert_close(images, at_level(data['trunc_psi0.7_cut8'], 0))


def test_a_cutoff_of_none_truncates_nothing_as_in_the_reference(tmp_path):
    z = np.random.default_rng(1).normal(size=[3, SMALL['latent_size']]).astype(np.float32)
    path = small_generator_pickle(tmp_path / 'Gs.pkl', truncation_psi=0.5, truncation_cutoff=None)
    Gs = reference.load_networks(path)['Gs']
    Gs.dlatent_avg.assign(tf.ones_like(Gs.dlatent_avg))
    own, asked, all_layers, none = (
        Gs(z, randomize_noise=False, **options) for options in (
            {}, {'truncation_psi': 0.2}, {'truncation_psi': 0.5, 'truncation_cutoff': None},
            {'truncation_psi': None}))
    assert_close(own, none)
    assert_close(asked, none)
    assert np.abs(all_layers - none).max() > 1e-3


@pytest.mark.parametrize('name', VARIANTS)
def test_unusual_configurations_are_told_from_the_file(name, tmp_path):
    """Twelve of them, ProGAN's in its older form, with the arguments that the reference had."""
    variant, recorded = VARIANTS[name], arrays(f'variants/{name}.npz')
    common = {key: variant[key] for key in ('resolution', 'num_channels', 'label_size')}
    G_kwargs, D_kwargs = {**common, **variant['G']}, {**common, **variant['D']}
    G_arrays, D_arrays = recorded.part('weights/G/'), recorded.part('weights/D/')
    if variant['progan']:
        triple = (made.progan('G', 'G_paper', G_arrays, G_kwargs),
                  made.progan('D', 'D_paper', D_arrays, D_kwargs),
                  made.progan('Gs', 'G_paper', G_arrays, G_kwargs))
    else:
        triple = (made.stylegan_generator('G', G_arrays, G_kwargs, version=2),
                  made.stylegan_discriminator(D_arrays, D_kwargs, version=2),
                  made.stylegan_generator('Gs', G_arrays, G_kwargs, version=2))
    _, D, Gs = reference.load_pickle(dump(tmp_path / 'variant.pkl', triple))
    lod = variant['lods'][-1]
    if variant['progan']:
        images = Gs(recorded['z'], recorded['labels'], lod=lod)
    else:
        images = Gs.synthesis(recorded['w'], lod=lod, randomize_noise=False)
    assert_close(images, at_level(recorded[f'lod{lod:.2f}/generated'], int(lod)))
    reals = at_level(recorded['images'], int(lod))
    assert_close(D(reals, recorded['labels'], lod=lod), recorded[f'lod{lod:.2f}/scores'])


@pytest.mark.parametrize('protocol', [3, 4, 5])
def test_every_protocol_that_python_3_writes_arrays_in(protocol, tmp_path):
    expected = small_arrays()
    path = dump(tmp_path / 'Gs.pkl', made.stylegan_generator('Gs', expected, SMALL), protocol)
    loaded = reference.variables(reference.load_networks(path)['Gs'])
    assert all(np.array_equal(loaded[name], expected[name]) for name in expected)


def test_python_2_strings_are_read_as_latin1(tmp_path):
    expected, stream = small_arrays(), io.BytesIO()
    made.Python2Pickler(stream, 2).dump(made.stylegan_generator('Gs', expected, SMALL))
    (tmp_path / 'Gs.pkl').write_bytes(stream.getvalue())
    loaded = reference.variables(reference.load_networks(tmp_path / 'Gs.pkl')['Gs'])
    assert all(np.array_equal(loaded[name], expected[name]) for name in expected)


@pytest.mark.parametrize('module', [b'numpy.core', b'numpy._core'])
def test_the_names_of_numpy_1_and_of_numpy_2_are_read(tmp_path, module):
    content = pickle.dumps(made.stylegan_generator('Gs', small_arrays(), SMALL), 3)
    renamed, count = re.subn(rb'cnumpy\._?core\.', b'c' + module + b'.', content)
    assert count
    (tmp_path / 'Gs.pkl').write_bytes(renamed)
    assert list(reference.load_networks(tmp_path / 'Gs.pkl')) == ['Gs']


def test_wrapped_dictionaries_big_endian_and_fortran_arrays_are_read(tmp_path):
    easy_dict = made.stand_in('dnnlib.util', 'EasyDict', dict)
    expected = small_arrays()
    odd = {name: np.asfortranarray(array).astype('>f4') for name, array in expected.items()}
    path = dump(tmp_path / 'Gs.pkl', made.stylegan_generator('Gs', odd, easy_dict(SMALL)))
    loaded = reference.variables(reference.load_networks(path)['Gs'])
    assert all(np.array_equal(loaded[name], expected[name]) for name in expected)


def test_what_the_arguments_leave_out_is_told_from_the_variables(tmp_path):
    kwargs = {'fmap_base': 64, 'fmap_max': 8, 'latent_size': None}
    path = dump(tmp_path / 'Gs.pkl', made.stylegan_generator('Gs', small_arrays(), kwargs))
    assert reference.load_networks(path)['Gs'].config == GeneratorConfig(**SMALL)


def test_states_are_read_as_data():
    G, D, Gs = reference.read_states(PARITY / 'gray64cond/network-snapshot-000123.pkl')
    assert (G.name, D.name, Gs.name, D.version) == ('G', 'D', 'Gs', 3)
    assert (Gs.build_func_name, D.build_func_name) == ('G_style', 'D_basic')
    assert D.static_kwargs == {'num_channels': 1, 'resolution': 64, 'label_size': 5,
                               'fmap_base': 512, 'fmap_max': 24}
    assert set(G.components) == {'mapping', 'synthesis'}
    assert D.build_module_src == '# source text omitted\n'
    assert G.variables['G_mapping/LabelConcat/weight'].shape == (5, 24)


def test_a_lone_generator_is_gs_whatever_its_name_and_cannot_resume(tmp_path):
    path = small_generator_pickle(tmp_path / 'lone.pkl', name='G')
    assert list(reference.load_networks(path)) == ['Gs']
    with pytest.raises(ValueError, match=r'lone.pkl: Gs only: can generate, cannot resume'):
        reference.load_pickle(path)


def test_a_lone_discriminator_cannot_generate(tmp_path):
    D = networks.Discriminator(DiscriminatorConfig(resolution=8, fmap_base=64, fmap_max=8))
    path = dump(tmp_path / 'D.pkl', [made.stylegan_discriminator(
        reference.variables(D), {'resolution': 8, 'fmap_base': 64, 'fmap_max': 8})])
    with pytest.raises(ValueError, match='D only: cannot generate, cannot resume training'):
        reference.load_pickle(path)


def test_networks_in_another_order_are_told_by_their_names(tmp_path):
    G, D, Gs = reference.read_states(PARITY / 'rgb32/network-snapshot-000123.pkl')
    made_networks = {
        'Gs': made.stylegan_generator('Gs', Gs.variables, Gs.static_kwargs),
        'D': made.stylegan_discriminator(D.variables, D.static_kwargs)}
    path = dump(tmp_path / 'pair.pkl', made_networks)
    loaded = reference.load_networks(path)
    assert isinstance(loaded['D'], networks.Discriminator)
    assert isinstance(loaded['Gs'], networks.Generator)


def test_assign_lists_every_misfit_and_changes_nothing():
    network = networks.Generator(GeneratorConfig(**SMALL))
    before = reference.variables(network)
    given = {name: array + 1 for name, array in before.items()}
    del given['dlatent_avg']
    given['G_mapping/Dense0/bias'] = np.zeros(3)
    given['G_mapping/Dense9/bias'] = np.zeros(4)
    with pytest.raises(ValueError) as error:
        reference.assign(network, given)
    message = str(error.value)
    assert message.startswith('3 of the variables do not fit the network: ')
    for misfit in ('G_mapping/Dense0/bias must be [7], received [3];',
                   'dlatent_avg [5] is missing;', 'G_mapping/Dense9/bias [4] has no place in it.'):
        assert misfit in message
    after = reference.variables(network)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_assign_drops_lod_and_returns_what_it_was_given():
    network = networks.Generator(GeneratorConfig(**SMALL))
    given = {name: np.random.RandomState(3).randn(*array.shape).astype(np.float32)
             for name, array in reference.variables(network).items()}
    reference.assign(network, {**given, 'lod': np.float32(0), 'G_synthesis/lod': np.float32(2)})
    assigned = reference.variables(network)
    assert assigned.keys() == given.keys()
    assert all(np.array_equal(assigned[name], given[name]) for name in given)


@pytest.mark.parametrize('kwargs, words', [
    ({'resolution': 16}, 'its static_kwargs say resolution 16 where its variables say 8'),
    ({'fmap_max': 4}, r"network 'Gs': .*4x4/Conv/weight must be \[3, 3, 4, 4\], "
                      r'received \[3, 3, 8, 8\]'),
    ({'fmap_max': 2 ** 40}, 'a sensible fmap_max; received 1099511627776'),
    ({'fmap_max': 'many'}, "a sensible fmap_max; received 'many'"),
    ({'fmap_decay': float('nan')}, 'a sensible fmap_decay; received nan'),
    ({'mapping_layers': 10 ** 6}, 'mapping_layers 1000000 where its variables say 2'),
    ({'blur_filter': 'many'}, "a sensible blur_filter; received 'many'"),
    ({'use_noise': [1] * 99}, 'a sensible use_noise'),
    ({'nonlinearity': 'swish'}, 'nonlinearity must be one of'),
])
def test_arguments_that_do_not_fit_the_variables_are_refused(kwargs, words, tmp_path):
    path = small_generator_pickle(tmp_path / 'odd.pkl', **kwargs)
    with pytest.raises(ValueError, match=words) as error:
        reference.load_networks(path)
    assert str(error.value).startswith(f'{path}: ') and '\n' not in str(error.value)


def torch_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr(zipfile.ZipInfo('archive/data.pkl'), b'\x80\x02.')  # always the same bytes
    return stream.getvalue()


RECORDED = (PARITY / 'rgb32/network-snapshot-000123.pkl').read_bytes()


@pytest.mark.parametrize('content, words', [
    (b'', 'an empty file'),
    (b'<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>', 'an HTML page'),
    (b'\n  <html>', 'an HTML page'),
    (torch_zip(), 'a PyTorch file'),
    (b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.', 'a PyTorch file'),
    (b'\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00.', 'this is a PyTorch file'),
    (b'\x80\x03ctorch_utils.persistence\n_reconstruct_persistent_obj\n.', 'PyTorch StyleGAN'),
    ((16).to_bytes(8, 'little') + b'{"__metadata__"}' + bytes(64), 'a safetensors file'),
    (b'\x89HDF\r\n\x1a\n', 'an HDF5 file'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'a Git LFS pointer'),
    (RECORDED[:len(RECORDED) // 2], 'it ends in the middle, after 545599 bytes'),
    (RECORDED[:-1], 'it ends in the middle'),
    (b'just text', "not a pickle: it begins with b'j'"),
    (pickle.dumps(3), 'must hold networks; received a int'),
    (pickle.dumps([]), 'must hold 1 to 16 networks; received 0'),
])
def test_what_is_not_a_network_gets_a_verdict(content, words, tmp_path):
    path = tmp_path / 'network.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        reference.load_pickle(path)
    assert words in str(error.value)
    assert str(error.value).startswith(f'{path}: ') and '\n' not in str(error.value)


@pytest.mark.parametrize('func, version, variables', [
    ('G_main', 4, {}), ('G_style', 4, {}), ('D_stylegan2', 3, {}),
    ('mine', 3, {'G_synthesis/4x4/Conv/mod_weight': np.zeros(2, np.float32)})])
def test_a_stylegan2_network_is_called_one(func, version, variables, tmp_path):
    path = dump(tmp_path / 'two.pkl', made.network('dnnlib.tflib.network', 'Gs', func, variables,
                                                   {}, version=version))
    with pytest.raises(ValueError, match='this is a StyleGAN2 network'):
        reference.load_networks(path)


def test_a_network_of_unknown_architecture_is_named(tmp_path):
    path = dump(tmp_path / 'own.pkl', made.network('tfutil', 'Gs', 'G_mine', {}, {}, version=1))
    with pytest.raises(ValueError, match="built by 'G_mine', which must be one of G_style,"):
        reference.load_networks(path)


def test_progan_networks_come_as_progan(tmp_path):
    recorded, variant = arrays('variants/progan.npz'), VARIANTS['progan']
    path = dump(tmp_path / 'Gs.pkl', made.progan('Gs', 'G_paper', recorded.part('weights/G/'),
                                                 {'label_size': 3, **variant['G']}))
    assert isinstance(reference.load_networks(path)['Gs'], networks_progan.Generator)


def test_shapes_are_compared_before_memory_is_taken(tmp_path, monkeypatch):
    path = small_generator_pickle(tmp_path / 'wide.pkl', fmap_base=2 ** 16, fmap_max=2 ** 16)
    monkeypatch.setattr(tf.Variable, 'assign', None)  # nothing may come so far
    with pytest.raises(ValueError, match=r'4x4/Conv/weight must be \[3, 3, 32768, 32768\]'):
        reference.load_networks(path)
