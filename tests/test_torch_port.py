"""Checkpoints of the PyTorch port: its pictures and scores, and both ways to the last bit.

tests/parity/torch_port was recorded with PyTorch itself; its record.py tells how.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from commands import results_of
from parity_data import PARITY, arrays

from export import torch_checkpoint
from formats import torch_file
from training import reference, snapshot
from training.sampler import Sampler

CHECKPOINT = str(PARITY / 'torch_port/train_step-3.model')
DIGITS = str(PARITY / 'digits/network-final.pkl')
PARTS = list(torch_checkpoint.PARTS)


@pytest.fixture(scope='module')
def converted(tmp_path_factory):
    """The network file that convert_network.py makes of the checkpoint."""
    path = tmp_path_factory.mktemp('converted') / 'network.safetensors'
    [(code, printed, errors)] = results_of('convert_network', [[CHECKPOINT, str(path)]])
    assert code == 0, errors
    assert 'G, D and Gs' in printed
    return str(path)


def nhwc(name):
    return arrays('torch_port/expected.npz')[name].transpose(0, 2, 3, 1)


def noise_maps(count):
    """That port has one for each size, for both layers."""
    return [nhwc(f'noise{i // 2}') for i in range(count)]


def close(result, expected):
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_pictures_and_scores_are_those_of_pytorch(converted):
    recorded, file = arrays('torch_port/expected.npz'), snapshot.load(converted)
    sampler = Sampler(file.Gs)
    close(sampler.drawn(sampler.mapped(recorded['z']), noise_maps(8)).numpy(), nhwc('images'))
    close(file.D(nhwc('images')).numpy(), recorded['scores'])


def test_finer_layers_than_were_trained_are_left_out(tmp_path):
    target = tmp_path / 'coarser.safetensors'
    [(code, _, errors)] = results_of('convert_network', [
        [CHECKPOINT, str(target), '--resolution=16']])
    assert code == 0, errors
    file = snapshot.load(target)
    sampler = Sampler(file.Gs)
    z = arrays('torch_port/expected.npz')['z']
    close(sampler.drawn(sampler.mapped(z), noise_maps(6)).numpy(), nhwc('coarser'))
    assert file.D.config.resolution == file.G.config.resolution == 16


def test_the_average_w_is_that_of_many(converted):
    Gs = snapshot.load(converted).Gs
    w = Gs.mapping(np.random.RandomState(7).randn(10_000, 8).astype(np.float32)).numpy()[:, 0]
    assert np.abs(Gs.dlatent_avg.numpy() - w.mean(axis=0)).max() < 0.1 * w.std()


def test_a_checkpoint_comes_back_to_the_last_bit(converted, tmp_path):
    [(code, _, errors)] = results_of('export_network', [
        [f'--network={converted}', '--format=torchstate', f'--outdir={tmp_path / "out"}']])
    assert code == 0, errors
    before = torch_file.read_state_dicts(CHECKPOINT, PARTS)
    after = torch_file.read_state_dicts(tmp_path / 'out/network.pt', PARTS)
    assert list(after) == PARTS
    for part in PARTS:
        assert after[part].keys() == before[part].keys()
        assert all(np.array_equal(after[part][name], before[part][name]) for name in before[part])
        assert all(array.dtype == np.float32 for array in after[part].values())


def test_a_network_comes_back_to_the_last_bit_with_its_config_and_place(tmp_path):
    file = snapshot.load(DIGITS)
    snapshot.save(tmp_path / 'in.safetensors', file.G, file.D, file.Gs, kimg=12.5, lod=0.25)
    [(code, _, errors)] = results_of('export_network', [
        [f'--network={tmp_path / "in.safetensors"}', '--format=torchstate',
         f'--outdir={tmp_path / "out"}']])
    assert code == 0, errors
    [(code, _, errors)] = results_of('convert_network', [
        [str(tmp_path / 'out/network.pt'), str(tmp_path / 'back.safetensors')]])
    assert code == 0, errors
    back = snapshot.load(tmp_path / 'back.safetensors')
    assert (back.kimg, back.lod) == (12.5, 0.25)
    for role in ('G', 'D', 'Gs'):
        theirs, ours = getattr(file, role), getattr(back, role)
        assert theirs.config == ours.config
        before, after = reference.variables(theirs), reference.variables(ours)
        assert all(np.array_equal(after[name], before[name]) for name in before)


def test_weights_that_changed_in_pytorch_are_taken_as_they_are(tmp_path):
    file = snapshot.load(DIGITS)
    path, name = tmp_path / 'changed.pt', 'style.1.linear.weight_orig'
    torch_checkpoint.save(path, {'Gs': file.Gs})
    parts = torch_file.read_state_dicts(path, ['g_running', torch_checkpoint.EXACT])
    parts['g_running'][name] = parts['g_running'][name] * 2
    torch_file.write_state_dicts(path, parts)
    Gs = torch_checkpoint.load(path).networks['Gs']
    ratio = reference.variables(Gs)['G_mapping/Dense0/weight'] / reference.variables(file.Gs)[
        'G_mapping/Dense0/weight']
    np.testing.assert_allclose(ratio, 2, rtol=1e-5)
    assert Gs.config.bias_before_blur


def test_a_generator_alone_is_for_generating(tmp_path):
    state = {f'module.{name}': array for name, array in torch_file.read_state_dicts(
        CHECKPOINT, ['g_running'])['g_running'].items()}
    torch_file.write_state_dicts(tmp_path / 'g.pt', {'generator': state})
    [(code, printed, errors)] = results_of('convert_network', [
        [str(tmp_path / 'g.pt'), str(tmp_path / 'g.safetensors')]])
    assert code == 0 and 'Gs only: can generate' in printed, errors


def changed(states, change):
    """A copy of {name: array} where `change` has been."""
    state = dict(states)
    change(state)
    return state


@pytest.mark.parametrize('change, words', [
    (lambda state: state.pop('style.3.linear.bias'), 'style.3.linear.bias [8] is missing'),
    (lambda state: state.update({'generator.to_rgb.1.conv.bias': np.zeros(4, 'f')}),
     'generator.to_rgb.1.conv.bias must be [3], received [4]'),
    (lambda state: state.update(more=np.zeros(4, 'f')), 'more [4] has no place in it'),
    (lambda state: state.update({'generator.progression.1.conv1.2.weight': np.ones(
        [8, 1, 3, 3], 'f')}), 'must be the blur (1, 2, 1), normalized')])
def test_what_does_not_fit_is_named(change, words, tmp_path):
    state = torch_file.read_state_dicts(CHECKPOINT, ['g_running'])['g_running']
    path = tmp_path / 'wrong.pt'
    torch_file.write_state_dicts(path, {'g_running': changed(state, change)})
    with pytest.raises(ValueError) as error:
        torch_checkpoint.load(path)
    assert str(error.value).startswith(f'{path}: ') and words in str(error.value)


@pytest.mark.parametrize('name, words', [
    ('convs.0.conv.weight', 'a PyTorch file of StyleGAN2, of PyTorch'),
    ('encode.0.conv1.weight', 'StarGAN v2, which translate.py takes'),
    ('synthesis.b4.conv1.weight', 'StyleGAN2-ADA or later'),
    ('layer1.weight', 'another network; its names must be those')])
def test_other_files_of_pytorch_are_refused_by_name(name, words, tmp_path):
    path = tmp_path / 'other.pt'
    torch_file.write_state_dicts(path, {'generator': {name: np.zeros(3, 'f')}})
    [(code, printed, errors)] = results_of('convert_network', [
        [str(path), str(tmp_path / 'out.safetensors')]])
    assert code == 1 and errors.count('\n') == 1 and words in errors
    assert not (tmp_path / 'out.safetensors').exists()


@pytest.mark.parametrize('flags, words', [
    ([CHECKPOINT, 'OUT', '--resolution=64'], '--resolution=64: must be a power of two within'),
    ([DIGITS, 'OUT', '--resolution=16'], '--resolution=16: is for PyTorch checkpoints')])
def test_a_wrong_resolution_is_one_line(flags, words, tmp_path):
    flags = [str(tmp_path / 'out.safetensors') if flag == 'OUT' else flag for flag in flags]
    [(code, _, errors)] = results_of('convert_network', [flags])
    assert code == 1 and errors.count('\n') == 1 and words in errors
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('network, words', [
    ('gray64cond/network-snapshot-000123.pkl', 'it has label_size 5, 0 there')])
def test_a_network_that_port_cannot_have_is_refused(network, words, tmp_path):
    [(code, _, errors)] = results_of('export_network', [
        [f'--network={PARITY / network}', '--format=torchstate', f'--outdir={tmp_path / "out"}']])
    assert code == 1 and errors.count('\n') == 1 and words in errors
    assert os.listdir(tmp_path) == []


def test_the_lines_of_the_readme_run_with_pytorch(converted, tmp_path):
    pytest.importorskip('torch')
    [(code, _, errors)] = results_of('export_network', [
        [f'--network={converted}', '--format=torchstate', f'--outdir={tmp_path / "out"}']])
    assert code == 0, errors
    readme = (tmp_path / 'out/README.md').read_text()
    done = subprocess.run([sys.executable, '-I', '-c', readme.split('```')[1][len('python'):]],
                          cwd=tmp_path / 'out', capture_output=True, text=True)
    assert done.returncode == 0 and 'style.1.linear.weight_orig (8, 8)' in done.stdout
