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
from commands import ROOT, results_of
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


def save_generator(path, **options):
    snapshot.save(path, None, None, small_generator(**options))
    return f'--network={path}'


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('edit')
    images = write_images(folder / 'images')
    small = save_generator(folder / 'small.safetensors', resolution=16)
    classes = save_generator(folder / 'classes.safetensors', resolution=8, label_size=3)
    snapshot.save(folder / 'progan.safetensors', None, None, build_network(ProganGeneratorConfig(
        resolution=8, latent_size=4, fmap_base=16, fmap_max=4)))
    PIL.Image.new('1', (10_000, 10_000)).save(folder / 'huge.png')
    (folder / 'notes.txt').write_text('no image')
    (folder / 'file').write_text('in the way')
    one = f'--target={images}/one.png'
    lines = {
        'digits': ['project', DIGITS, f'--target={images}', '--space=w+', '--steps=20'],
        'plain': ['project', small, f'--target={images}/gray.jpg,{images}', '--keep_noise', *QUICK],
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
        'blocked': ['project', small, one, f'--outdir={folder}/file/out'],
    }
    return folder, dict(zip(lines, results_of('edit', [
        [command, f'--outdir={folder / case}', *flags]
        for case, (command, *flags) in lines.items()],
        STYLEGAN_CACHE_DIR=str(folder / 'cache'))))


def pixels(path):
    return np.asarray(PIL.Image.open(path)).astype(int)


def test_a_projection_leaves_its_w_pictures_numbers_and_a_film(outcomes):
    folder, results = outcomes
    code, output, errors = results['digits']
    assert code == 0, errors
    assert output.startswith('Distance: pixels at several scales')
    assert sorted(path.name for path in (folder / 'digits').iterdir()) == [
        'film.mp4', 'gray.png', 'numbers.csv', 'one.png', 'w.npz']
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


def test_several_paths_are_projected_and_the_networks_noise_kept(outcomes):
    folder, results = outcomes
    assert results['plain'][0] == 0, results['plain'][2]
    assert sorted(path.name for path in (folder / 'plain').iterdir()) == [
        'gray-00000.png', 'gray-00001.png', 'numbers.csv', 'one.png', 'w.npz']
    with np.load(folder / 'plain/w.npz') as file:
        assert sorted(file) == ['network_sha256', 'w'] and file['w'].shape == (3, 6, 7)


@pytest.mark.parametrize('case, words', [
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
        'film.mp4', 'gray.png', 'numbers.csv', 'one.png', 'w.npz']
