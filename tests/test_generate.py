"""generate.py: every kind of picture comes out, w comes back, bad input is one line."""

import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_train_flags import network_file

from training import snapshot
from training.build import build_network
from training.config import ProganGeneratorConfig

DIGITS = f'--network={PARITY}/digits/network-final.pkl'


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pictures')
    cond = network_file(folder / 'c.safetensors', resolution=16, num_channels=3, label_size=3)
    cond = f'--network={cond}'
    progan = str(folder / 'progan.safetensors')
    snapshot.save(progan, None, None, build_network(ProganGeneratorConfig(
        resolution=8, latent_size=4, fmap_base=16, fmap_max=4)))
    w = f'--w={folder / "images/w.npz"}'
    lines = {
        'images': [DIGITS, '--seeds=0-2,99', '--save_w'],
        'w': [DIGITS, w],
        'random': [DIGITS, '--seeds=99', '--noise=random'],
        'sweep': [DIGITS, w, '--sweep=1,0'],
        'mixing': [DIGITS, '--row_seeds=1-2', '--col_seeds=3-5', '--styles=0-3'],
        'strip': [DIGITS, w, '--strip=w', '--steps=3'],
        'strip_z': [DIGITS, '--seeds=1,2', '--strip=z', '--steps=4'],
        'turns': [cond, '--seeds=7,7,8', '--trunc=1'],
        'class': [cond, '--seeds=8', '--class_idx=2', '--trunc=1'],
        'progan': [f'--network={progan}', '--seeds=0-1'],
        'progan_strip': [f'--network={progan}', '--seeds=0-1', '--strip=z'],
        'progan_sweep': [f'--network={progan}', '--sweep=1,0'],
        'progan_trunc': [f'--network={progan}', '--trunc=0.5'],
        'two_modes': [DIGITS, '--sweep=1,0', '--strip=w'],
        'half_mixing': [DIGITS, '--row_seeds=1'],
        'mixing_w': [DIGITS, '--row_seeds=1', '--col_seeds=2', '--save_w'],
        'layers': [DIGITS, '--row_seeds=1', '--col_seeds=2', '--styles=8'],
        'lonely_styles': [DIGITS, '--styles=1'],
        'sweep_trunc': [DIGITS, '--sweep=1,0', '--trunc=1'],
        'psis': [DIGITS, '--sweep=1,x'],
        'one_strip': [DIGITS, '--seeds=1', '--strip=z'],
        'w_strip_z': [DIGITS, w, '--strip=z'],
        'no_w': [DIGITS, '--w=nowhere.npz'],
        'stray': [DIGITS, 'more'],
    }
    results = results_of('generate', [[*line, f'--outdir={folder / name}']
                                      for name, line in lines.items()])
    return folder, dict(zip(lines, results))


def picture(folder, case, name):
    return np.asarray(PIL.Image.open(folder / case / name)).astype(int)


def test_each_seed_is_an_image_and_w_brings_it_back(outcomes):
    folder, results = outcomes
    assert results['images'][0] == results['w'][0] == 0
    assert sorted(path.name for path in (folder / 'images').iterdir()) == [
        'seed0000.png', 'seed0001.png', 'seed0002.png', 'seed0099.png', 'w.npz']
    image = picture(folder, 'images', 'seed0099.png')
    assert image.shape == (32, 32) and image.std() > 40
    np.testing.assert_array_equal(picture(folder, 'w', 'w0003.png'), image)
    assert not np.array_equal(picture(folder, 'random', 'seed0099.png'), image)


@pytest.mark.parametrize('case, name, columns, rows', [
    ('sweep', 'sweep', 2, 4), ('strip', 'strip-w', 3, 3), ('strip_z', 'strip-z', 4, 1)])
def test_sheets_have_a_cell_for_each_image(outcomes, case, name, columns, rows):
    folder, results = outcomes
    assert results[case][0] == 0, results[case][2]
    sheet = picture(folder, case, f'{name}.png')
    assert sheet.shape == (rows * 264 - 8, columns * 264 - 8)
    if case != 'strip_z':
        first = picture(folder, 'images', 'seed0000.png')
        assert np.abs(sheet[:256:8, :256:8] - first).max() <= 1


def test_mixing_has_its_sources_on_top_and_at_the_left(outcomes):
    folder, results = outcomes
    assert results['mixing'][0] == 0, results['mixing'][2]
    sheet = picture(folder, 'mixing', 'mixing.png')
    assert sheet.shape == (3 * 264, 4 * 264)  # the first row and column are a gap farther away
    first = picture(folder, 'images', 'seed0001.png')
    assert np.abs(sheet[272:528:8, :256:8] - first).max() <= 1


def test_classes_take_turns_or_are_all_the_one_asked_for(outcomes):
    folder, results = outcomes
    assert results['turns'][0] == 0, results['turns'][2]
    turns = picture(folder, 'turns', 'seed0008.png')  # the third: class 2
    np.testing.assert_array_equal(picture(folder, 'class', 'seed0008.png'), turns)
    assert turns.shape == (8, 8, 3)  # the file is of a network that has grown so far


def test_progan_networks_have_pictures_too(outcomes):
    folder, results = outcomes
    assert results['progan'][0] == results['progan_strip'][0] == 0
    assert picture(folder, 'progan', 'seed0001.png').shape == (8, 8, 3)


@pytest.mark.parametrize('case, error', [
    ('progan_sweep', 'which a ProGAN network does not have'),
    ('progan_trunc', '--trunc=0.5: this is a ProGAN network'),
    ('two_modes', 'sweep and strip at once'), ('half_mixing', 'both --row_seeds and --col_seeds'),
    ('mixing_w', '--save_w is not for style mixing'),
    ('layers', '--styles: layer 8 must be within 0..7'), ('lonely_styles', '--styles is for style'),
    ('sweep_trunc', '--trunc is what --sweep changes'), ('psis', '--sweep=1,x: must be numbers'),
    ('one_strip', 'two seeds or more'), ('w_strip_z', '--w holds no seeds'),
    ('no_w', '--w=nowhere.npz: there is no such file'), ('stray', "'more' is not a flag")])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and errors.startswith('generate.py: error: ') and error in errors
    assert errors.count('\n') == 1 and not (folder / case).exists()
