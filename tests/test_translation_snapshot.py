"""Network files of translation: what is written is read back; official files are read too."""

import json
import os

import feature_files
import numpy as np
import pytest
import safetensors.numpy
from parity_data import PARITY, arrays
from test_snapshot import STYLEGAN, networks_of
from test_translation_parity import LIMIT, batch_of, case_config, data, error, mask_fn_of
from test_translation_steps import TINY, weights_of

from training import snapshot as stylegan_snapshot
from translation import reference, snapshot
from translation.sampler import Translator
from translation.state import TranslationState

DOMAINS = ('day', 'night')


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp('translation') / 'whole.safetensors'
    state = TranslationState(TINY)
    snapshot.save(path, state, DOMAINS, kimg=12.5, iteration=1562)
    return path, state


def test_what_is_saved_is_loaded(saved):
    path, state = saved
    loaded = snapshot.load(path)
    assert loaded.config == TINY and loaded.domains == DOMAINS
    assert (loaded.kimg, loaded.iteration) == (12.5, 1562)
    expected, received = weights_of(state), weights_of(loaded)
    assert list(expected) == list(received)
    for name, array in received.items():
        np.testing.assert_array_equal(array, expected[name])
    assert os.listdir(path.parent) == [path.name]
    assert snapshot.load_to_train_on(path).D is not None and snapshot.is_translation(path)


def test_the_file_has_the_official_names_and_layouts(saved):
    stored = safetensors.numpy.load_file(saved[0])
    assert stored['Gs/from_rgb.weight'].shape == (4, 3, 3, 3)
    assert stored['G/hpf.filter'][1, 1] == 8 and stored['F/unshared.1.6.weight'].shape == (4, 8)
    np.testing.assert_array_equal(stored['Es/unshared.0.weight'],
                                  saved[1].Es.unshared0.linear.weight.numpy().T)


def test_averages_alone_translate_and_are_not_trained_on(saved, tmp_path):
    path = tmp_path / 'small.safetensors'
    snapshot.save(path, saved[1], DOMAINS, for_training=False)
    assert path.stat().st_size < 0.6 * saved[0].stat().st_size
    for loaded in (snapshot.load(path), snapshot.load(saved[0], averages_only=True)):
        assert loaded.G is loaded.F is loaded.E is loaded.D is None
        np.testing.assert_array_equal(loaded.Es.variables[0], saved[1].Es.variables[0])
    with pytest.raises(ValueError, match='small.safetensors: .* training needs G, F, E and D too'):
        snapshot.load_to_train_on(path)


@pytest.mark.parametrize('domains', [('day',), ('day', 'day'), ('day', ''), ('day', 2)])
def test_domains_must_be_as_many_names_as_the_network_has(saved, tmp_path, domains):
    with pytest.raises(ValueError, match='domains must be 2 different names'):
        snapshot.save(tmp_path / 'x.safetensors', saved[1], domains)
    assert not os.listdir(tmp_path)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    state = TranslationState(TINY)
    state.E.variables[0].assign(np.full(state.E.variables[0].shape, np.nan))
    with pytest.raises(ValueError, match='not finite: E/shared'):
        snapshot.save(tmp_path / 'x.safetensors', state, DOMAINS)
    assert not os.listdir(tmp_path)


def refusal(load, path):
    """The one line with which `load` refuses a file."""
    with pytest.raises(ValueError) as caught:
        load(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('change, message', [
    (lambda arrays, _: arrays.pop('D/main.0.weight'), 'tensors do not fit'),
    (lambda arrays, _: arrays.update(extra=np.ones(3, np.float32)), 'extra for one'),
    (lambda arrays, _: arrays.update({'Gs/from_rgb.bias': np.ones(5, np.float32)}),
     'Gs/from_rgb.bias for one'),
    (lambda _, metadata: metadata.update(config='{"img_size": 24}'), 'img_size'),
    (lambda _, metadata: metadata.update(config='[' * 100000), 'metadata is damaged'),
    (lambda _, metadata: metadata.update(domains='["day"]'), '2 different names'),
    (lambda _, metadata: metadata.update(domains='3'), 'metadata is damaged'),
    (lambda _, metadata: metadata.update(kimg='nan'), 'kimg nan'),
    (lambda _, metadata: metadata.pop('iteration'), 'iteration'),
    (lambda _, metadata: metadata.pop('format'), 'not of networks of this project')])
def test_a_foreign_or_hostile_file_is_refused(saved, tmp_path, change, message):
    stored = safetensors.numpy.load_file(saved[0])
    with safetensors.safe_open(saved[0], 'np') as file:
        metadata = file.metadata()
    change(stored, metadata)
    path = tmp_path / 'x.safetensors'
    safetensors.numpy.save_file(stored, path, metadata)
    assert message in refusal(snapshot.load, path)


def test_a_truncated_file_is_refused(saved, tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(saved[0].read_bytes()[:-5])
    assert 'not a whole safetensors file' in refusal(snapshot.load, path)


def test_each_kind_of_network_is_refused_by_the_other_with_the_script_that_takes_it(
        saved, tmp_path):
    stylegan = tmp_path / 'stylegan.safetensors'
    stylegan_snapshot.save(stylegan, *networks_of(STYLEGAN))
    assert 'generate.py takes' in refusal(snapshot.load, stylegan)
    assert 'generate.py takes' in refusal(snapshot.load, PARITY / 'digits/network-final.pkl')
    assert 'translate.py takes' in refusal(stylegan_snapshot.load, saved[0])
    official = write_official(tmp_path / '100000_nets_ema.ckpt', 'afhq32')
    assert 'translate.py takes' in refusal(stylegan_snapshot.load, official)
    assert not snapshot.is_translation(stylegan) and snapshot.is_translation(official)


# Official files

def official_states(case):
    """What is in an official file, of recorded weights; a face network lies there too."""
    weights = arrays(f'starganv2/{case}/weights.npz')
    states = {name: dict(weights.part(f'{name}/')) for name in snapshot.OFFICIAL}
    w_hpf = case_config(case).w_hpf
    if w_hpf:
        filter_ = np.full([3, 3], -1 / w_hpf, np.float32)
        filter_[1, 1] = 8 / w_hpf
        states['generator']['hpf.filter'] = filter_
    return {**states, 'fan': {'conv1.conv.weight': np.ones([2, 3], np.float32)}}


def write_official(path, case, write=feature_files.write_zip_pth, change=lambda states: None):
    states = official_states(case)
    change(states)
    write(path, states)
    return path


@pytest.mark.parametrize('case, write', [('afhq32', feature_files.write_zip_pth),
                                         ('celeba64', feature_files.write_legacy_pth)])
def test_an_official_file_translates_as_recorded(tmp_path, case, write):
    loaded = snapshot.load(write_official(tmp_path / '100000_nets_ema.ckpt', case, write))
    expected = case_config(case)
    for field in ('img_size', 'num_domains', 'latent_dim', 'hidden_dim', 'style_dim',
                  'conv_dim_base', 'max_conv_dim', 'w_hpf'):
        assert getattr(loaded.config, field) == getattr(expected, field), field
    assert loaded.domains == (('cat', 'dog', 'wild') if case == 'afhq32' else ('female', 'male'))
    batch, truth = batch_of(case, 0), data(case).part('f64/generated/')
    translator = Translator(loaded, minibatch=2, compiled=False)
    styles = translator.styles_of_latents(batch.z_trg, batch.y_trg)
    assert error(translator.images(batch.x_real, styles),
                 truth['latent' if case == 'afhq32' else 'latent_nomask']) < LIMIT


def test_an_official_file_is_not_trained_on_because_no_discriminator_was_published(tmp_path):
    path = write_official(tmp_path / '100000_nets_ema.ckpt', 'afhq32')
    assert 'published the averages alone, no discriminator' in refusal(
        snapshot.load_to_train_on, path)


@pytest.mark.parametrize('change, message', [
    (lambda states: states.pop('style_encoder'), 'without style_encoder'),
    (lambda states: states['generator'].pop('to_rgb.2.bias'), 'to_rgb.2.bias [3] is missing'),
    (lambda states: states['mapping_network'].update(more=np.ones(2, np.float32)),
     'more [2] has no place'),
    (lambda states: states['generator'].pop('from_rgb.weight'), "'from_rgb.weight'"),
    (lambda states: states['style_encoder'].clear(), 'for images of 16 to'),
    (lambda states: states['mapping_network'].update(
        {'shared.0.weight': np.ones(2, np.float32)}),
     'not a network of StarGAN v2'),
    (lambda states: states['generator'].update({'from_rgb.bias': np.full(8, np.nan, np.float32)}),
     'not finite, generator.from_rgb.bias'),
    (lambda states: states['generator'].update({'from_rgb.bias': feature_files.Tensor(
        feature_files.Storage(np.ones(1, np.float32), '5'), 0, [10 ** 12], [0])}),
     'must not repeat its 1 numbers')])
def test_a_damaged_official_file_is_refused(tmp_path, change, message):
    path = write_official(tmp_path / 'x.ckpt', 'afhq32', change=change)
    assert message in refusal(snapshot.load, path)


def test_what_is_saved_of_an_official_file_translates_only(tmp_path):
    official = snapshot.load(write_official(tmp_path / 'x.ckpt', 'afhq32'))
    path = tmp_path / 'ours.safetensors'
    snapshot.save(path, official, official.domains, notes={'licence': 'CC BY-NC 4.0'})
    again = snapshot.load(path)
    assert again.D is None and again.domains == official.domains
    for ours, theirs in zip(again[2:5], official[2:5]):
        np.testing.assert_array_equal(ours.variables[0], theirs.variables[0])
    with safetensors.safe_open(path, 'np') as file:
        assert file.metadata()['licence'] == 'CC BY-NC 4.0'
        assert json.loads(file.metadata()['config'])['num_domains'] == 3


def test_a_high_pass_of_any_strength_is_read_from_the_filter(tmp_path):
    def change(states):
        states['generator']['hpf.filter'] = reference.HIGH_PASS / np.float32(3)
    path = write_official(tmp_path / 'x.ckpt', 'celeba64', change=change)
    assert snapshot.load(path).config.w_hpf == 3


def test_masks_reach_the_generator_of_an_official_file(tmp_path):
    loaded = snapshot.load(write_official(tmp_path / 'x.ckpt', 'celeba64'))
    batch, mask_fn = batch_of('celeba64', 0), mask_fn_of('celeba64')
    translator = Translator(loaded, mask_fn, compiled=False)
    styles = translator.styles_of_latents(batch.z_trg, batch.y_trg)
    expected = loaded.Gs(batch.x_real, styles, mask_fn(batch.x_real))
    np.testing.assert_allclose(translator.images(batch.x_real, styles), expected, atol=1e-4)
