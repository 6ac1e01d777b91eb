"""Network files: what is written is read back, and what is not a network gets one clear line."""

import errno
import json
import os

import numpy as np
import pytest
import safetensors.numpy

from training import snapshot
from training.build import build_network
from training.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.layers import named_variables

SHAPE = {'resolution': 16, 'num_channels': 1, 'label_size': 2, 'fmap_base': 64, 'fmap_max': 8}
STYLEGAN = (GeneratorConfig(**SHAPE, latent_size=8, dlatent_size=8, mapping_fmaps=8,
                            mapping_layers=2, blur_filter=None),
            DiscriminatorConfig(**SHAPE, mbstd_group_size=2))
PROGAN = (ProganGeneratorConfig(**SHAPE, latent_size=8), ProganDiscriminatorConfig(**SHAPE))


def networks_of(configs):
    return build_network(configs[0]), build_network(configs[1]), build_network(configs[0])


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp('networks') / 'whole.safetensors'
    networks = networks_of(STYLEGAN)
    snapshot.save(path, *networks, kimg=12.5, lod=0.75)
    return path, networks


@pytest.mark.parametrize('configs', [STYLEGAN, PROGAN], ids=['stylegan', 'progan'])
def test_what_is_saved_is_loaded(configs, tmp_path):
    networks = networks_of(configs)
    path = tmp_path / 'x.safetensors'
    snapshot.save(path, *networks, kimg=12.5, lod=0.75)
    loaded = snapshot.load(path)
    assert (loaded.kimg, loaded.lod) == (12.5, 0.75)
    for ours, theirs in zip(networks, loaded):
        assert ours.config == theirs.config
        expected = named_variables(ours)
        assert list(expected) == list(named_variables(theirs))
        for name, variable in named_variables(theirs).items():
            np.testing.assert_array_equal(variable, expected[name])
    assert os.listdir(tmp_path) == ['x.safetensors']


def test_the_file_has_the_references_names(saved):
    arrays = safetensors.numpy.load_file(saved[0])
    assert arrays['G/G_synthesis/4x4/Const/const'].shape == (1, 8, 4, 4)
    assert arrays['Gs/G_mapping/LabelConcat/weight'].shape == (2, 8)
    assert arrays['D/4x4/Dense1/weight'].shape == (8, 2)


def test_a_file_for_generating_only(saved, tmp_path):
    snapshot.save(tmp_path / 'Gs.safetensors', None, None, saved[1][2])
    loaded = snapshot.load(tmp_path / 'Gs.safetensors')
    assert loaded.G is None and loaded.D is None and loaded.Gs.config == STYLEGAN[0]


def rewritten(saved, tmp_path, change):
    """The saved file with its arrays and metadata changed by `change(arrays, metadata)`."""
    with safetensors.safe_open(saved[0], framework='np') as file:
        metadata = file.metadata()
    arrays = safetensors.numpy.load_file(saved[0])
    change(arrays, metadata)
    path = tmp_path / 'changed.safetensors'
    safetensors.numpy.save_file(arrays, path, metadata)
    return path


def with_config(**fields):
    def change(_, metadata):
        metadata['G_config'] = json.dumps({**json.loads(metadata['G_config']), **fields})
    return change


@pytest.mark.parametrize('change, message', [
    (lambda arrays, _: arrays.pop('G/dlatent_avg'), 'G/dlatent_avg .*expected .8,., found none'),
    (lambda arrays, _: arrays.update(x=np.zeros(3, np.float32)), 'x for one: expected none'),
    (lambda arrays, _: arrays.update({'G/dlatent_avg': np.zeros(8)}), 'F64'),
    (with_config(resolution=1024, fmap_base=4096, fmap_max=512), 'do not fit'),
    (with_config(resolution=8192), 'fmap_base'),
    (with_config(resolution=2**40), 'resolution'),
    (with_config(mapping_layers=10**9), 'mapping_layers'),
    (with_config(latent_size='os.system'), 'metadata is damaged'),
    (with_config(surprise=1), "no field 'surprise'"),
    (lambda _, metadata: metadata.update(architecture='os'), 'architecture'),
    (lambda _, metadata: metadata.update(kimg='nan'), 'kimg nan'),
    (lambda _, metadata: metadata.update(G_config='[' * 100000), 'metadata is damaged'),
    (lambda _, metadata: metadata.pop('format'), 'not of networks of this project')])
def test_a_foreign_or_hostile_file_is_refused(saved, tmp_path, change, message):
    path = rewritten(saved, tmp_path, change)
    with pytest.raises(ValueError, match=message) as caught:
        snapshot.load(path)
    assert str(path) in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('damage', [
    lambda data: data[:len(data) // 2], lambda data: data[:5], lambda data: b'',
    lambda data: b'\xff' * 8 + data[8:], lambda data: b'<html>quota exceeded</html>' * 40])
def test_a_truncated_or_other_file_is_refused(saved, tmp_path, damage):
    path = tmp_path / 'damaged.safetensors'
    path.write_bytes(damage(saved[0].read_bytes()))
    with pytest.raises(ValueError, match='damaged.safetensors') as caught:
        snapshot.load(path)
    assert '\n' not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nothing.safetensors'):
        snapshot.load(tmp_path / 'nothing.safetensors')


def test_a_full_disk_leaves_the_previous_file(saved, tmp_path):
    path = tmp_path / 'x.safetensors'
    path.write_bytes(saved[0].read_bytes())
    os.symlink('/dev/full', f'{path}.part')  # where every write says: no space left on device
    with pytest.raises(OSError, match='what was there before is untouched') as caught:
        snapshot.save(path, *saved[1])
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == saved[0].read_bytes()
    assert os.listdir(tmp_path) == ['x.safetensors']


def test_weights_that_are_not_finite_are_not_written(saved, tmp_path):
    G, D, Gs = networks_of(STYLEGAN)
    D.trainable_variables[0].assign(np.full(D.trainable_variables[0].shape, np.nan))
    with pytest.raises(ValueError, match='D/FromRGB'):
        snapshot.save(tmp_path / 'x.safetensors', G, D, Gs)
    assert not os.listdir(tmp_path)
