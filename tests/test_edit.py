"""edit.py: projections come out and are drawn again; bad input is one line and writes nothing."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest
import safetensors.numpy
from commands import ROOT, results_of
from feature_files import lpips_weights, vgg16_weights
from parity_data import PARITY
from test_pictures import small_generator

from training import snapshot
from training.build import build_network
from training.config import ProganGeneratorConfig

DIGITS = f'--network={PARITY}/digits/network-final.pkl'
QUICK = ['--steps=3', '--nofilm']


def write_images(folder):
    folder.mkdir()
    digit = np.zeros([40, 60], np.uint8)
    digit[5:35, 25:35] = 255
    PIL.Image.fromarray(digit).save(folder / 'one.png')
    PIL.Image.fromarray(np.full([8, 8, 3], 200, np.uint8)).save(folder / 'gray.jpg')
    return folder


def save_generator(path, kimg=0, **options):
    snapshot.save(path, None, None, small_generator(**options), kimg=kimg)
    return f'--network={path}'


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('edit')
    images = write_images(folder / 'images')
    small = save_generator(folder / 'small.safetensors', resolution=16)
    classes = save_generator(folder / 'classes.safetensors', resolution=8, label_size=3)
    twin = save_generator(folder / 'twin.safetensors', resolution=16, kimg=7)
    for number in range(12):
        (folder / f'folders/{"ab"[number % 2]}').mkdir(parents=True, exist_ok=True)
        PIL.Image.new('L', (16, 16), 20 * number).save(
            folder / f'folders/{"ab"[number % 2]}/{number}.png')
    np.savez(folder / 'w8.npz', w=np.zeros([1, 8, 7]))
    snapshot.save(folder / 'progan.safetensors', None, None, build_network(ProganGeneratorConfig(
        resolution=8, latent_size=4, fmap_base=16, fmap_max=4)))
    PIL.Image.new('1', (10_000, 10_000)).save(folder / 'huge.png')
    (folder / 'notes.txt').write_text('no image')
    (folder / 'file').write_text('in the way')
    one = f'--target={images}/one.png'
    widths = (2, 3, 4, 4, 5)
    weights = {'vgg16': vgg16_weights([width for width, count in zip(widths, (2, 2, 3, 3, 3))
                                       for _ in range(count)]), 'lpips': lpips_weights(widths)}
    lpips = [f'--{name}={folder}/{name}.safetensors' for name in weights]
    for name, arrays in weights.items():
        safetensors.numpy.save_file(arrays, folder / f'{name}.safetensors')
    lines = {
        'digits': ['project', DIGITS, f'--target={images}', '--space=w+', '--steps=20'],
        'plain': ['project', small, f'--target={images}/gray.jpg,{images}', '--keep_noise', *QUICK],
        'lpips_given': ['project', small, one, *lpips, *QUICK],
        'pixels_chosen': ['project', small, one, '--distance=pixels', *QUICK],
        'class': ['project', classes, one, '--class_idx=2', *QUICK],
        'far_class': ['project', classes, one, '--class_idx=3', *QUICK],
        'no_class': ['project', small, one, '--class_idx=0', *QUICK],
        'progan': ['project', f'--network={folder}/progan.safetensors', one],
        'no_image': ['project', small, f'--target={folder}/notes.txt'],
        'huge': ['project', small, f'--target={folder}/huge.png'],
        'nothing': ['project', small, f'--target={folder}/photo.png'],
        'no_network': ['project', '--network=nowhere.pkl', one],
        'no_steps': ['project', small, one, '--steps=0'],
        'no_vgg': ['project', small, one, '--vgg16=nowhere.pth'],
        'lpips': ['project', classes, one, '--distance=lpips'],
        'sefa': ['directions', small, '--method=sefa', '--count=2', f'--output={folder}/sefa'
                 '.safetensors'],
        'pca': ['directions', small, '--method=pca', '--count=3', '--layers=4x4', '--layers=2-3',
                f'--output={folder}/pca.safetensors'],
        'labels': ['directions', small, '--method=labels', f'--data={folder}/folders', '--steps=2',
                   f'--output={folder}/labels.safetensors', '--conditional'],
        'own_classes': ['directions', classes, '--method=labels', '--max_images=300',
                        f'--output={folder}/classes.safetensors', '--classifier=logistic'],
        'edited': ['project', small, f'--target={images}', '--space=w+', *QUICK],
        'first': ['apply', small, f'--directions={folder}/sefa.safetensors', '--seeds=5',
                  '--trunc=1', '--nofilm', '--strength=0,1'],
        'several': ['apply', small, f'--directions={folder}/sefa.safetensors,{folder}/labels'
                    '.safetensors', f'--w={folder}/edited/w.npz', '--direction=sefa-2:4x4',
                    '--direction=b', '--strength=-1:1:3', '--strength=1', '--save_w'],
        'no_method': ['directions', small],
        'no_data': ['directions', small, '--method=labels'],
        'no_output': ['directions', small, '--method=pca', '--output=d.npz'],
        'no_range': ['directions', small, '--method=sefa', '--layers=64x64'],
        'few': ['directions', small, '--method=labels', f'--data={images},{folder}/folders/a'],
        'no_direction': ['apply', small, f'--directions={folder}/sefa.safetensors',
                         '--direction=smile'],
        'no_strength': ['apply', small, f'--directions={folder}/sefa.safetensors',
                        '--strength=much'],
        'other_size': ['apply', DIGITS, f'--directions={folder}/sefa.safetensors'],
        'other_network': ['apply', twin, f'--directions={folder}/sefa.safetensors'],
        'other_w': ['apply', twin, f'--directions={folder}/sefa.safetensors',
                    f'--w={folder}/edited/w.npz'],
        'no_directions': ['apply', small, f'--directions={folder}/notes.txt'],
        'w_layers': ['apply', small, f'--directions={folder}/sefa.safetensors',
                     f'--w={folder}/w8.npz'],
        'blocked': ['project', small, one, f'--outdir={folder}/file/out'],
    }
    return folder, dict(zip(lines, results_of('edit', [
        [command, f'--output={folder / case}/d.safetensors' if command == 'directions' else
         f'--outdir={folder / case}', *flags] for case, (command, *flags) in lines.items()],
        STYLEGAN_CACHE_DIR=str(folder / 'cache'))))


def pixels(path):
    return np.asarray(PIL.Image.open(path)).astype(int)


def test_a_projection_leaves_its_w_pictures_numbers_and_a_film(outcomes):
    folder, results = outcomes
    code, output, errors = results['digits']
    assert code == 0, errors
    assert output.startswith('Distance: pixels at several scales')
    assert sorted(path.name for path in (folder / 'digits').iterdir()) == [
        'film.mp4', 'gray.png', 'numbers.csv', 'one.png', 'sheet.png', 'w.npz']
    with open(folder / 'digits/numbers.csv', newline='') as file:
        rows = {row['name']: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        target, found = np.split(pixels(folder / f'digits/{name}.png')[::8, ::8], 2, axis=1)
        assert f'{name}: distance {float(row["distance"]):.4f}, pixels ' in output
        rmse = np.sqrt(np.square(target - found).mean())
        assert rmse == pytest.approx(float(row['rmse']), abs=0.5)
    assert float(rows['one']['rmse']) < 70
    assert target.shape == (32, 32) and target[16, 16] == 255 and target[16, 2] == 0


def test_generate_draws_a_projection_with_its_noise(outcomes):
    folder, _ = outcomes
    w, out = f'--w={folder}/digits/w.npz', f'--outdir={folder}/drawn'
    other = f'--network={folder}/other.pkl'
    data = (PARITY / 'digits/network-final.pkl').read_bytes()
    (folder / 'other.pkl').write_bytes(data + b' ')  # the same network in another file
    results = results_of('generate', [
        [DIGITS, w, out], [DIGITS, w, f'--outdir={folder}/none', '--noise=none'], [other, w, out],
        [other, w, f'--outdir={folder}/allowed', '--allow_other_network']])
    assert [code for code, *_ in results] == [0, 0, 1, 0], results
    projected = pixels(folder / 'digits/one.png')[::8, 256::8]
    drawn, without = (pixels(folder / name / 'w0001.png') for name in ('drawn', 'none'))
    assert np.abs(drawn - projected).max() <= 1 < np.abs(without - projected).max()
    assert 'was made with another network file' in results[2][2]
    np.testing.assert_array_equal(pixels(folder / 'allowed/w0001.png'), drawn)


def test_the_distance_is_lpips_where_its_files_are_given(outcomes):
    _, results = outcomes
    for case, words in (('lpips_given', 'Distance: LPIPS (VGG16)'),
                        ('plain', 'Distance: pixels at several scales (no files of LPIPS)'),
                        ('pixels_chosen', 'Distance: pixels at several scales')):
        code, output, errors = results[case]
        assert code == 0 and output.splitlines()[0] == words, (output, errors)


def test_several_paths_are_projected_and_the_networks_noise_kept(outcomes):
    folder, results = outcomes
    assert results['plain'][0] == 0, results['plain'][2]
    assert sorted(path.name for path in (folder / 'plain').iterdir()) == [
        'gray-00000.png', 'gray-00001.png', 'numbers.csv', 'one.png', 'sheet.png', 'w.npz']
    with np.load(folder / 'plain/w.npz') as file:
        assert sorted(file) == ['network_sha256', 'w'] and file['w'].shape == (3, 6, 7)


def test_directions_are_found_by_each_method_and_said(outcomes):
    folder, results = outcomes
    expected = {
        'sefa': ['sefa-1', 'sefa-2', 'sefa-coarse-1', 'sefa-coarse-2', 'sefa-middle-1',
                 'sefa-middle-2', 'sefa-fine-1', 'sefa-fine-2'],
        'pca': [f'pca-{layers}-{i}' for layers in ('4x4', '2-3') for i in (1, 2, 3)],
        'labels': ['b'], 'own_classes': ['0', '1', '2']}
    for case, names in expected.items():
        code, output, errors = results[case]
        assert code == 0, errors
        lines = [line for line in output.splitlines() if not line.startswith('Distance')]
        assert [line.partition(': ')[0] for line in lines[:-1]] == names
        assert lines[-1].startswith(f'Wrote {len(names)} directions to ')
        word = 'explained' if case in ('sefa', 'pca') else 'accuracy'
        assert all(f': {word} ' in line for line in lines[:-1])


def test_apply_shows_the_first_directions_or_those_that_are_named(outcomes):
    folder, results = outcomes
    assert results['first'][0] == results['several'][0] == 0, (results['first'],
                                                               results['several'])
    assert [path.name for path in (folder / 'first').iterdir()] == ['sheet.png']
    assert pixels(folder / 'first/sheet.png').shape == (8 * 296, 2 * 256 + 8)
    assert sorted(path.name for path in (folder / 'several').iterdir()) == [
        'film.mp4', 'sheet.png', 'w.npz']
    sheet = pixels(folder / 'several/sheet.png')
    assert sheet.shape == (2 * 296, 3 * 256 + 16)
    out = f'--outdir={folder}/again'
    result, = results_of('generate', [[f'--network={folder}/small.safetensors', out,
                                       f'--w={folder}/several/w.npz']])
    assert result[0] == 0, result
    for number in range(6):  # what was saved is what is on the sheet
        row, column = divmod(number, 3)
        cell = sheet[row * 296:][:256:16, column * 264:][:, :256:16]
        drawn = pixels(folder / f'again/w{number:04d}.png')
        assert np.abs(cell - drawn).max() <= 1


@pytest.mark.parametrize('case, words', [
    ('no_method', 'give --method (sefa, pca or labels) or --from_ls'),
    ('no_data', '--method=labels: the network has no classes; give --data'),
    ('no_output', '--output=d.npz: must end in .safetensors'),
    ('no_range', '--layers: layer 9 must be within 0..5'),
    ('few', 'a: 6 of 8 images have it; 5 with it and 5 without it'),
    ('no_direction', '--direction=smile: must be one of sefa-1, sefa-2'),
    ('no_strength', '--strength=much: must be FROM:TO:COUNT'),
    ('other_size', 'the direction sefa-1 must be [64]'),
    ('other_network', 'sefa.safetensors: was made with another network file'),
    ('other_w', 'was made with another network file'),
    ('no_directions', 'notes.txt: not a whole safetensors file'),
    ('w_layers', 'w8.npz: w must be [N, 6, 7] for this network; received [1, 8, 7]'),
    ('far_class', '--class_idx=3: must be within 0..2'),
    ('no_class', '--class_idx=0: the network has no classes'),
    ('progan', 'this is a ProGAN network, which has no w'),
    ('no_image', 'notes.txt is not an image in a supported format'),
    ('huge', 'huge.png is 10000x10000, more than 89,478,485 pixels'),
    ('nothing', 'photo.png: there is no such file or folder; nearby:'),
    ('no_network', 'nowhere.pkl: no such file'), ('no_steps', 'expected a whole number'),
    ('no_vgg', '--vgg16=nowhere.pth: there is no such file'),
    ('lpips', '--distance=lpips: images must have 16 pixels'),
    ('blocked', 'cannot be written to (Not a directory); name another folder.')])
def test_bad_input_is_one_line_and_leaves_nothing(outcomes, case, words):
    folder, results = outcomes
    code, output, errors = results[case]
    assert code in (1, 2) and words in errors and 'Traceback' not in errors
    assert len(errors.strip().split('\n')) == 1 or errors.startswith('usage:')
    assert not (folder / case).exists() and (folder / 'file').read_text() == 'in the way'


def test_ctrl_c_writes_the_best_so_far(outcomes, tmp_path):
    folder, _ = outcomes
    process = subprocess.Popen(
        [sys.executable, 'edit.py', 'project', f'--network={folder}/small.safetensors',
         f'--target={folder}/images', '--steps=1000000', f'--outdir={tmp_path}'],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'STYLEGAN_CACHE_DIR': str(folder / 'cache')})
    deadline = time.monotonic() + 60
    while not (tmp_path / 'film.mp4.part').exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert 'interrupted; these are the best so far of 2 of 2 images' in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'film.mp4', 'gray.png', 'numbers.csv', 'one.png', 'sheet.png', 'w.npz']
