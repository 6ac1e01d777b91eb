"""pretrained_example.py: seeds are images, classes take turns, bad input is one line."""

import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_train_flags import network_file

DIGITS = f'--network={PARITY}/digits/network-final.pkl'


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('examples')
    cond = network_file(folder / 'cond.safetensors', lod=0, resolution=8, num_channels=3,
                        label_size=3)
    large = network_file(folder / 'large.safetensors', lod=0, resolution=64, num_channels=3)
    lines = {
        'digits': [DIGITS, '--seeds=0-2,99'],
        'one': [DIGITS, '--seeds=99'],
        'noise': [DIGITS, '--seeds=99', '--randomize_noise'],
        'average': [DIGITS, '--seeds=0-1', '--trunc=0'],
        'average_64': [f'--network={large}', '--seeds=0-1', '--trunc=0', '--trunc_cutoff=all'],
        'coarse': [DIGITS, '--seeds=1', '--lod=1', '--which=G'],
        'bad_cutoff': [DIGITS, '--trunc_cutoff=9'],
        'bad_lod': [DIGITS, '--lod=3.5'],
        'turns': [f'--network={cond}', '--seeds=7,7,7,7', '--trunc=1'],
        'class': [f'--network={cond}', '--seeds=7', '--class_idx=1', '--trunc=1'],
        'bad_seeds': [DIGITS, '--seeds=3-1'],
        'bad_class': [f'--network={cond}', '--class_idx=3'],
        'no_classes': [DIGITS, '--class_idx=3'],
        'no_file': ['--network=nowhere.safetensors'],
        'stray': [DIGITS, 'more'],
    }
    results = results_of('pretrained_example', [[*line, f'--outdir={folder / name}']
                                                for name, line in lines.items()])
    return folder, dict(zip(lines, results))


def picture(folder, case, name):
    return np.asarray(PIL.Image.open(folder / case / name))


def test_each_seed_is_an_image_wherever_it_is_asked_for(outcomes):
    folder, results = outcomes
    assert results['digits'][0] == 0, results['digits'][2]
    assert sorted(path.name for path in (folder / 'digits').iterdir()) == [
        'samples.png', 'seed0000.png', 'seed0001.png', 'seed0002.png', 'seed0099.png']
    image = picture(folder, 'digits', 'seed0099.png')
    np.testing.assert_array_equal(image, picture(folder, 'one', 'seed0099.png'))
    assert image.shape == (32, 32) and image.std() > 40
    np.testing.assert_array_equal(picture(folder, 'digits', 'samples.png')[32:, 32:], image)
    assert not np.array_equal(image, picture(folder, 'noise', 'seed0099.png'))


@pytest.mark.parametrize('case', ['average', 'average_64'])
def test_psi_0_in_all_layers_gives_the_average_image_for_every_seed(outcomes, case):
    folder, results = outcomes
    assert results[case][0] == 0, results[case][2]
    np.testing.assert_array_equal(picture(folder, case, 'seed0000.png'),
                                  picture(folder, case, 'seed0001.png'))


def test_g_is_drawn_at_the_level_asked_for(outcomes):
    folder, results = outcomes
    assert results['coarse'][0] == 0, results['coarse'][2]
    assert results['coarse'][1].startswith('G ')
    assert picture(folder, 'coarse', 'seed0001.png').shape == (16, 16)


def test_without_a_class_each_class_has_its_turn(outcomes):
    folder, results = outcomes
    assert results['turns'][0] == 0, results['turns'][2]
    cells = picture(folder, 'turns', 'samples.png').reshape(2, 8, 2, 8, 3).swapaxes(1, 2)
    first, second, third, fourth = cells.reshape(4, 8, 8, 3)
    np.testing.assert_array_equal(first, fourth)  # classes 0, 1, 2, 0 of the same latent
    assert not np.array_equal(first, second) and not np.array_equal(second, third)
    np.testing.assert_array_equal(second, picture(folder, 'class', 'seed0007.png'))


def test_the_layers_are_listed(outcomes):
    assert 'G_synthesis/4x4/Const' in outcomes[1]['digits'][1]
    assert '343,556' in outcomes[1]['digits'][1]
    assert 'pretrained_example.py --network=ffhq --seeds=5' in outcomes[1]['digits'][1]


@pytest.mark.parametrize('case, words', [
    ('bad_seeds', ['--seeds=3-1', 'backwards']), ('bad_class', ['class_idx', '3']),
    ('bad_cutoff', ['--trunc_cutoff=9', '0..8']), ('bad_lod', ['--lod=3.5', '0..3']),
    ('no_classes', ['class_idx']), ('no_file', ['nowhere.safetensors']), ('stray', ["'more'"])])
def test_bad_input_is_one_clear_line(outcomes, case, words):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and len(errors.strip().splitlines()) == 1, errors
    for word in words:
        assert word in errors
    assert not (folder / case).exists()
