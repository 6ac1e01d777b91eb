"""generate.py: every kind of picture comes out, w comes back, bad input is one line."""

import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_pictures import small_generator
from test_train_flags import network_file

from training import snapshot
from training.build import build_network
from training.config import ProganGeneratorConfig
from training.sampler import Sampler

DIGITS = f'--network={PARITY}/digits/network-final.pkl'


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pictures')
    cond = network_file(folder / 'c.safetensors', resolution=16, num_channels=3, label_size=3)
    cond = f'--network={cond}'
    progan = str(folder / 'progan.safetensors')
    snapshot.save(progan, None, None, build_network(ProganGeneratorConfig(
        resolution=8, latent_size=4, fmap_base=16, fmap_max=4)))
    large = str(folder / 'large.safetensors')
    snapshot.save(large, None, None, small_generator(resolution=64))
    large = f'--network={large}'
    w = f'--w={folder / "images/w.npz"}'
    lines = {
        'images': [DIGITS, '--seeds=0-2,99', '--save_w'],
        'many': [DIGITS, '--seeds=0-1000'],
        'average': [large, '--seeds=0-3', '--trunc=0', '--trunc_cutoff=all'],
        'psi_0': [large, '--seeds=0-3', '--trunc=0'],
        'w_cutoff': [DIGITS, w, '--trunc=0', '--trunc_cutoff=3'],
        'lod': [DIGITS, '--seeds=3', '--lod=1'],
        'G': [DIGITS, '--seeds=99', '--which=G'],
        'by_resolution': [DIGITS, '--row_seeds=1-2', '--col_seeds=3-5', '--styles=4x4-8x8'],
        'jpg': [DIGITS, '--seeds=99', '--format=jpg'],
        'rough_jpg': [DIGITS, '--seeds=99', '--format=jpg', '--quality=5'],
        'jpg_sheet': [DIGITS, w, '--strip=w', '--steps=3', '--format=jpg'],
        'no_jpg': [DIGITS, '--quality=80'],
        'skipped_sheet': [DIGITS, '--sweep=1,0', '--skip_existing'],
        'skipped_twice': [DIGITS, '--seeds=1,2,1', '--skip_existing'],
        'cutoff': [DIGITS, '--trunc_cutoff=most'],
        'far_cutoff': [DIGITS, '--trunc_cutoff=9'],
        'far_lod': [DIGITS, '--lod=4'],
        'far_seed': [DIGITS, '--seeds=0,4294967296'],
        'progan_cutoff': [f'--network={progan}', '--trunc_cutoff=all'],
        'resolutions': [DIGITS, '--row_seeds=1', '--col_seeds=2', '--styles=64x64'],
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
        'mixing_files': [DIGITS, w.replace('--', '--row_'), '--col_seeds=3-5', '--styles=0-3'],
        'two_rows': [DIGITS, '--row_seeds=1', '--row_w=nowhere.npz', '--col_seeds=2'],
        'no_row_w': [DIGITS, '--row_w=nowhere.npz', '--col_seeds=2'],
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


def test_many_images_are_those_of_few(outcomes):
    folder, results = outcomes
    assert results['many'][0] == 0, results['many'][2]
    assert 'Wrote 1001 images' in results['many'][1]
    for name in ('seed0001.png', 'seed0099.png'):
        difference = picture(folder, 'many', name) - picture(folder, 'images', name)
        assert np.abs(difference).max() <= 1  # compiled, it is rounded in another order


def test_psi_0_is_one_image_for_all_seeds_only_with_all_layers(outcomes):
    folder, results = outcomes
    assert results['average'][0] == results['psi_0'][0] == 0, results['average'][2]
    for case, distinct in (('average', 1), ('psi_0', 4)):
        files = [path.read_bytes() for path in (folder / case).iterdir()]
        assert len(files) == 4 and len(set(files)) == distinct


def test_a_saved_w_is_truncated_in_the_layers_asked_for(outcomes):
    folder, results = outcomes
    assert results['w_cutoff'][0] == 0, results['w_cutoff'][2]
    Gs = snapshot.load(PARITY / 'digits/network-final.pkl').Gs
    w = np.load(folder / 'images/w.npz')['w']
    w[:, :3] = Gs.dlatent_avg
    expected = Sampler(Gs).images(w)[3, :, :, 0].astype(int)
    assert np.abs(picture(folder, 'w_cutoff', 'w0003.png') - expected).max() <= 1


def test_a_coarser_level_has_images_of_its_own_size(outcomes):
    folder, results = outcomes
    assert results['lod'][0] == 0, results['lod'][2]
    assert picture(folder, 'lod', 'seed0003.png').shape == (16, 16)


def test_g_and_its_moving_average_draw_alike_but_not_the_same(outcomes):
    folder, results = outcomes
    assert results['G'][0] == 0, results['G'][2]
    difference = np.abs(picture(folder, 'G', 'seed0099.png')
                        - picture(folder, 'images', 'seed0099.png')).mean()
    assert 0 < difference < 40


def test_styles_by_resolution_are_those_of_its_layers(outcomes):
    folder, _ = outcomes
    np.testing.assert_array_equal(picture(folder, 'by_resolution', 'mixing.png'),
                                  picture(folder, 'mixing', 'mixing.png'))


def test_jpegs_are_as_good_as_asked_for(outcomes):
    folder, results = outcomes
    assert [results[case][0] for case in ('jpg', 'rough_jpg', 'jpg_sheet')] == [0, 0, 0]
    original = picture(folder, 'images', 'seed0099.png')
    fine, rough = (np.abs(picture(folder, case, 'seed0099.jpg') - original).mean()
                   for case in ('jpg', 'rough_jpg'))
    assert fine < 5 < rough
    with PIL.Image.open(folder / 'jpg_sheet/strip-w.jpg') as sheet:
        assert sheet.format == 'JPEG' and sheet.size == (3 * 264 - 8, 3 * 264 - 8)


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


def test_files_of_w_are_mixed_as_their_seeds_are(outcomes):
    folder, results = outcomes
    assert results['mixing_files'][0] == 0, results['mixing_files'][2]
    sheet = picture(folder, 'mixing_files', 'mixing.png')  # of the seeds 0, 1, 2 and 99
    seeds = picture(folder, 'mixing', 'mixing.png')        # of 1 and 2
    assert sheet.shape == (5 * 264, 4 * 264)
    assert np.abs(sheet[536:1056] - seeds[272:792]).max() <= 1


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
    ('two_rows', 'both name the images of one side'),
    ('no_row_w', '--row_w=nowhere.npz: there is no such file'),
    ('mixing_w', '--save_w is not for style mixing'),
    ('layers', '--styles: layer 8 must be within 0..7'), ('lonely_styles', '--styles is for style'),
    ('sweep_trunc', '--trunc is what --sweep changes'), ('psis', '--sweep=1,x: must be numbers'),
    ('one_strip', 'two seeds or more'), ('w_strip_z', '--w holds no seeds'),
    ('no_w', '--w=nowhere.npz: there is no such file'), ('stray', "'more' is not a flag"),
    ('cutoff', '--trunc_cutoff=most: must be all or a number of layers'),
    ('far_cutoff', '--trunc_cutoff=9: must be all or within 0..8'),
    ('far_lod', '--lod=4: must be within 0..3'), ('far_seed', 'seed 4294967296: must be within'),
    ('progan_cutoff', '--trunc_cutoff=all: this is a ProGAN network'),
    ('resolutions', '--styles: layer 9 must be within 0..7'),
    ('no_jpg', '--quality=80: is of JPEG'), ('skipped_sheet', '--skip_existing is for images'),
    ('skipped_twice', '--skip_existing: seed 1 stands in --seeds twice')])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and errors.startswith('generate.py: error: ') and error in errors
    assert errors.count('\n') == 1 and not (folder / case).exists()
