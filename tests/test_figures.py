"""The paper's figures: its numbers at its size, their shares at others; every network has them."""

import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_pictures import small_generator
from test_train_flags import network_file

from formats import sheets
from pictures import figures
from training.config import GeneratorConfig
from training.sampler import Sampler, Truncation

DIGITS = f'--network={PARITY}/digits/network-final.pkl'


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator())


def cell(sheet, left, top):
    """The 256x256 pixels of a sheet that begin at (left, top)."""
    return sheet[top:top + 256, left:left + 256]


@pytest.mark.parametrize('height, width, box', [
    (1024, 1024, (650, 180, 906, 436)), (512, 512, (325, 90, 453, 218)),
    (384, 512, (325, 68, 421, 164)), (32, 32, (20, 6, 28, 14)), (4, 4, (3, 1, 4, 2))])
def test_the_detail_of_figure_4_scales(height, width, box):
    assert figures.detail_box(height, width) == box


@pytest.mark.parametrize('rows, counts', [
    (6, (3, 2, 1)), (1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (5, (2, 2, 1))])
def test_any_number_of_rows_is_divided_among_coarse_middle_and_fine(rows, counts):
    assert figures.rows_of_each_range(rows) == counts


def test_uncurated_columns_hold_rows_times_2_to_the_lod_images(sampler):
    z = np.random.RandomState(5).randn(81, 6).astype(np.float32)
    images = sheets.visible(sampler.images(sampler.w(z)))
    sheet = figures.FIGURES[2].draw(sampler, figures.Options())
    np.testing.assert_array_equal(cell(sheet, 0, 2 * 264), images[2])
    np.testing.assert_array_equal(sheet[:128, 264:392], sheets.shrink(images[3], 2))
    np.testing.assert_array_equal(sheet[-32:, -32:], sheets.shrink(images[80], 8))


@pytest.mark.parametrize('number, seed, rows, lods', [
    (2, 5, 3, (0, 1, 2, 2, 3, 3)), (10, 0, 5, (0, 0, 1, 1, 2, 2, 2)),
    (11, 2, 4, (0, 1, 2, 2, 3, 3)), (12, 1, 5, (0, 0, 1, 1, 2, 2, 2))])
def test_photographs_stand_edge_to_edge_as_in_the_paper(number, seed, rows, lods):
    class Photographs(Sampler):
        def w(self, z, labels=None, truncation=None):
            self.z = z
            return np.arange(len(z))

        def batches(self, w, noise=None):
            yield np.repeat(w, 256 * 256).reshape(-1, 256, 256, 1).astype(np.uint8)

    class OnlyConfig:
        config, has_w = GeneratorConfig(resolution=256, latent_size=6), True

    photographs = Photographs(OnlyConfig())
    sheet = figures.FIGURES[number].draw(photographs, figures.Options())
    counts = [rows << lod for lod in lods]
    assert sheet.shape == (rows * 256, sum(256 >> lod for lod in lods), 1)
    assert [*dict.fromkeys(sheet[:, :, 0].T.ravel().tolist())] == [i % 256 for i in
                                                                  range(sum(counts))]
    np.testing.assert_array_equal(photographs.z[0], np.float32(
        np.random.RandomState(seed).randn(sum(counts), 6)[0]))


def test_figure_3_mixes_the_ranges_of_the_rows(sampler):
    options = figures.Options(row_seeds=(1, 2, 3), col_seeds=(4,))
    sheet = figures.FIGURES[3].draw(sampler, options)
    row, column = (np.array(sampler.w(
        np.float32(np.random.RandomState(seed).randn(1, 6)), truncation=Truncation(1)))
                   for seed in (3, 4))
    row[:, 4:] = column[:, 4:]  # the last row: fine styles
    np.testing.assert_array_equal(sheet[-256:, -256:], sheets.visible(sampler.images(row))[0])


def test_figure_4_shows_the_deviation_over_the_noise(sampler):
    sheet = figures.FIGURES[4].draw(sampler, figures.Options(seeds=(7,)))
    assert sheet.shape == (256, 3 * 256 + 2 * 8, 1)
    w = sampler.w(np.float32(np.random.RandomState(7).randn(1, 6)), truncation=Truncation(1))
    draws = sampler.images(np.repeat(w, 60, axis=0), sampler.random_noise(60, [1, 2]))
    own = draws.std(axis=0) * 4
    shown = sheet[::8, -256::8].astype(float)
    assert own.mean() > 5  # this network's noise does something
    assert 0.9 < shown.mean() / own.clip(0, 255).mean() < 1.1
    firsts, deviation = figures._noise_draws(sampler, w[0], 7)
    assert len({image.tobytes() for image in firsts}) == 4 and deviation.shape == (32, 32)
    detail = sheet[128 + 2:254, 264 + 128 + 2:264 + 254]  # of the fourth draw, inside of the cross
    np.testing.assert_array_equal(detail, sheets.enlarge(firsts[3, 6:14, 20:28], 16)[2:-2, 2:-2])


def test_figure_5_has_four_quarters_and_mirrors_the_papers_second_image(sampler):
    sheet = figures.FIGURES[5].draw(sampler, figures.Options())
    w = sampler.w(np.float32(np.concatenate(
        [np.random.RandomState(seed).randn(1, 6) for seed in (1967, 1555)])),
        truncation=Truncation(1))
    for left, top, layers in ((0, 0, range(8)), (536, 0, ()), (0, 272, range(4, 8)),
                              (536, 272, range(4))):
        images = sheets.visible(sampler.images(w, sampler.stored_noise(layers)))
        np.testing.assert_array_equal(cell(sheet, left, top), images[0])
        np.testing.assert_array_equal(cell(sheet, left + 264, top), images[1, :, ::-1])
    own = figures.FIGURES[5].draw(sampler, figures.Options(seeds=(1967, 1555)))
    np.testing.assert_array_equal(cell(own, 264, 0), cell(sheet, 264, 0)[:, ::-1])


def test_figure_8_truncates_all_layers(sampler):
    sheet = figures.FIGURES[8].draw(sampler, figures.Options(seeds=(3,)))
    w = sampler.w(np.float32(np.random.RandomState(3).randn(1, 6)), truncation=Truncation(1))
    average = sampler.Gs.dlatent_avg.numpy()
    for i, psi in enumerate((1, 0.7, 0.5, 0, -0.5, -1)):
        expected = sampler.images(np.float32(average + (w - average) * np.float32(psi)))
        shown = sheet[::8, i * 264:i * 264 + 256:8].astype(int)
        assert np.abs(shown - expected[0]).max() <= 1


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('figures')
    growing = network_file(folder / 'g.safetensors', resolution=8, num_channels=3, label_size=3)
    whole = network_file(folder / 'w.safetensors', resolution=64, num_channels=3)
    (folder / 'again').mkdir()
    (folder / 'again/figure08-truncation.png').write_bytes(b'earlier')
    lines = {
        'digits': [DIGITS],
        'growing': [f'--network={growing}', '--class_idx=1'],
        'again': [f'--network={whole}', '--figures=8', '--crop=32x24', '--trunc=0.5'],
        'coarser': [f'--network={whole}', '--figures=3', '--lod=2', '--which=G', '--trunc=0',
                    '--trunc_cutoff=all'],
        'bad_lod': [f'--network={whole}', '--lod=0.5'],
        'bad_cutoff': [DIGITS, '--trunc_cutoff=-1'],
        'impossible': [f'--network={growing}', '--figures=8,3'],
        'unknown': [DIGITS, '--figures=2,9'],
        'bad_class': [f'--network={growing}', '--class_idx=3'],
        'bad_seed': [DIGITS, '--figures=2', '--grid_seed=-1'],
        'bad_crop': [DIGITS, '--crop=16x16'],
        'bad_seeds': [DIGITS, '--col_seeds=x'],
        'no_network': ['--network=nowhere.pkl'],
    }
    results = results_of('generate_figures', [[*line, f'--outdir={folder / name}']
                                              for name, line in lines.items()])
    return folder, dict(zip(lines, results))


def test_a_network_of_32_gray_pixels_has_all_figures_at_a_size_to_look_at(outcomes):
    folder, results = outcomes
    assert results['digits'][0] == 0, results['digits'][2]
    shown = {path.name: PIL.Image.open(path) for path in (folder / 'digits').iterdir()}
    assert sorted(shown) == sorted(figure.file_name for figure in figures.FIGURES.values())
    for picture in shown.values():
        assert picture.mode == 'L' and min(picture.size) >= 512 and np.asarray(picture).std() > 40


def test_a_network_that_grows_still_has_the_figures_that_it_can_have(outcomes):
    folder, results = outcomes
    code, output, _ = results['growing']
    assert code == 0
    assert 'Figure 3 left out: the network has no three style layers.' in output
    assert len(list((folder / 'growing').iterdir())) == 7


def test_an_earlier_figure_is_replaced(outcomes):
    folder, results = outcomes
    assert results['again'][0] == 0, results['again'][2]
    assert [path.name for path in (folder / 'again').iterdir()] == ['figure08-truncation.png']
    picture = PIL.Image.open(folder / 'again/figure08-truncation.png')
    assert picture.size == (6 * 256 + 5 * 8, 2 * 192 + 8)  # the middle 24 of 32 rows


def test_a_coarser_level_with_all_layers_at_psi_0_mixes_only_average_images(outcomes):
    folder, results = outcomes
    assert results['coarser'][0] == 0, results['coarser'][2]
    sheet = np.asarray(PIL.Image.open(folder / 'coarser/figure03-style-mixing.png'))
    np.testing.assert_array_equal(sheet[-256:, -256:], sheet[272:528, 272:528])
    blocks = sheet[-256:, -256:].reshape(16, 16, 16, 16, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()  # 16x16 pixels, enlarged


@pytest.mark.parametrize('case, error', [
    ('bad_lod', r'--lod=0.5: must be within 1..4 for this network, 32x32 to 4x4 pixels; finer'),
    ('bad_cutoff', r'--trunc_cutoff=-1: must be all or a number of layers'),
    ('impossible', r'--figures=8,3: figure 3 cannot be drawn, the network has no three style'),
    ('unknown', r'--figures=2,9: there is no figure 9 to draw; choose from 2, 3, 4, 5, 8, 10'),
    ('bad_class', r'--class_idx=3: must be within 0..2'),
    ('bad_seed', r'seed -1: must be within'),
    ('bad_crop', r'--crop=16x16: must be auto, full or 32xHEIGHT'),
    ('bad_seeds', r'--col_seeds=x: must be integers'),
    ('no_network', r'nowhere.pkl: no such file')])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and errors.startswith('generate_figures.py: error: ') and error in errors
    assert errors.count('\n') == 1 and not (folder / case).exists()
