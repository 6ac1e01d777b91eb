"""rank_images.py --nearest: copies are found, and lie nearer than images of a collection do."""

import csv

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from commands import results_of
from small_data import write_dataset
from test_train_flags import network_file

from conversion import decode
from pictures import nearest
from pictures.image_sources import Source

SIZE = 16


def source_of(images, unusable=()):
    def read(index):
        if index in unusable:
            raise decode.Unusable('is odd')
        return images[index]

    return Source(tuple(f'{i}.png' for i in range(len(images))), None, read)


def images_of(count, seed=1, size=SIZE, channels=1):
    return np.random.RandomState(seed).randint(0, 256, [count, size, size, channels]
                                               ).astype(np.uint8)


def distance(a, b):
    """As the docstring has it, scale by scale."""
    a, b, values = a.astype(np.float64), b.astype(np.float64), []
    while len(a) >= nearest.COARSEST:
        if len(a) <= nearest.FINEST:
            values.append(np.mean((a - b) ** 2))
        half = len(a) // 2
        a, b = (x.reshape(half, 2, half, 2, -1).mean(axis=(1, 3)) for x in (a, b))
    return np.sqrt(np.mean(values))


@pytest.mark.parametrize('size, channels', [(4, 1), (16, 3), (128, 1)])
def test_the_distance_is_that_of_the_pixels_at_all_scales(size, channels):
    a, b = images_of(2, size=size, channels=channels)
    first, second = nearest.scales(np.stack([a, b]))
    assert np.linalg.norm(first - second) == pytest.approx(distance(a, b), rel=1e-4)


def test_a_small_shift_matters_less_than_other_content():
    y, x = np.mgrid[:32, :32]
    disc = np.uint8(255 * (np.hypot(x - 16, y - 16) < 8))[:, :, None]
    shifted, ring = np.roll(disc, 1, axis=1), np.uint8(255 * (np.hypot(x - 16, y - 16) > 8))
    assert distance(disc, shifted) < distance(disc, ring[:, :, None]) / 4


def test_copies_are_found_among_all_others_in_any_number_of_pools():
    images = images_of(40)
    queries = nearest.scales(images[[3, 17, 39]])
    for at_a_time in (1, 7, 1000):
        found, _ = nearest.search(source_of(images), queries, np.full(3, -1), at_a_time, iter)
        assert list(found.indices[:, 0]) == [3, 17, 39]
        np.testing.assert_allclose(found.distances[:, 0], 0, atol=0.2)
        assert (np.diff(found.distances, axis=1) >= 0).all()
        expected = [distance(images[3], images[i]) for i in found.indices[0, 1:]]
        np.testing.assert_allclose(found.distances[0, 1:], expected, rtol=1e-3)


def test_a_real_is_not_its_own_neighbour():
    images = np.concatenate([images_of(5), images_of(1)])   # the last is the first again
    comparison = nearest.compare(images_of(3, seed=2), source_of(images), iter)
    assert np.sum(comparison.of_reals < 1) == 2
    assert (comparison.of_fakes.distances[:, 0] > 30).all()


def test_a_network_that_copies_is_nearer_than_reals_are():
    images = images_of(30)
    copies = np.clip(images[:6].astype(int) + 2, 0, 255).astype(np.uint8)
    comparison = nearest.compare(copies, source_of(images), iter)
    assert comparison.of_fakes.distances[:, 0].max() < 5 < comparison.of_reals.min()
    assert 'images are 2.0 grey levels from the nearest' in nearest.summary(comparison)


def test_images_that_cannot_be_read_are_told_and_never_near():
    comparison = nearest.compare(images_of(2), source_of(images_of(9), unusable=(0, 1)), iter)
    assert comparison.unusable == {'0.png': 'is odd', '1.png': 'is odd'}
    near = comparison.of_fakes.indices[np.isfinite(comparison.of_fakes.distances)]
    assert not {0, 1} & set(near) and len(near) == 2 * 7
    with pytest.raises(ValueError, match='1 images are too few'):
        nearest.compare(images_of(2), source_of(images_of(3), unusable=(0, 1)), iter)


class Opposite:
    """In place of LPIPS: what is farthest by pixels is nearest."""

    @staticmethod
    def distances(a, b):
        return 1 / (1 + tf.reduce_mean(tf.abs(a - b), axis=[1, 2, 3]))


@pytest.mark.parametrize('lpips', [None, Opposite])
def test_the_sheet_shows_the_nearest_beside_each(lpips, tmp_path):
    images = images_of(12)
    fakes = images[[5, 2, 9]]
    comparison = nearest.compare(fakes, source_of(images), iter)
    sheet = nearest.contact_sheet(comparison, source_of(images), lpips)
    first = sheet[40:40 + 128, 128 + 20:][:, :128]   # below the title, right of the image
    (seed,) = (number for number in range(3) if np.array_equal(
        sheet[40:40 + 128, :128], fakes[number].repeat(8, axis=0).repeat(8, axis=1)))
    near = np.array_equal(first, fakes[seed].repeat(8, axis=0).repeat(8, axis=1))
    assert near == (lpips is None)
    nearest.write_table(tmp_path / 'nearest.csv', comparison, source_of(images))
    with open(tmp_path / 'nearest.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['name'] for row in rows if row['rank'] == '1'] == ['5.png', '2.png', '9.png']
    assert len(rows) == 3 * nearest.NEIGHBOURS


def test_a_sheet_of_a_collection_of_few_images_has_white_places():
    images = images_of(3)
    comparison = nearest.compare(images_of(1, seed=2), source_of(images), iter)
    sheet = nearest.contact_sheet(comparison, source_of(images))
    assert (sheet[40:40 + 128, -128:] == 255).all()


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('nearest')
    shape = {'resolution': 16, 'num_channels': 1}
    plain = network_file(folder / 'plain.safetensors', lod=0, **shape)
    cond = network_file(folder / 'cond.safetensors', lod=1, label_size=3, **shape)
    dataset = write_dataset(folder / 'spots')
    lines = {
        'plain': [f'--network={plain}', f'--data={dataset}'],
        'growing': [f'--network={cond}', f'--data={dataset}'],
        'class': [f'--network={cond}', f'--data={dataset}', '--class_idx=7'],
        'drop': [f'--network={plain}', f'--data={dataset}', '--drop_worst=3'],
        'lpips': [f'--network={plain}', f'--data={dataset}', '--lpips=nowhere.pth'],
    }
    results = results_of('rank_images', [
        [*line, '--nearest', f'--outdir={folder / "out" / name}'] for name, line in lines.items()],
        STYLEGAN_CACHE_DIR=str(folder / 'cache'))
    return folder / 'out', dict(zip(lines, results))


@pytest.mark.parametrize('case', ['plain', 'growing'])
def test_the_script_writes_a_sheet_and_a_table_and_no_scores(outcomes, case):
    folder, results = outcomes
    code, output, errors = results[case]
    assert code == 0, errors
    assert {path.name for path in (folder / case).iterdir()} == {'nearest.png', 'nearest.csv'}
    assert 'no files of LPIPS' in output and 'A network that copies' in output
    assert PIL.Image.open(folder / case / 'nearest.png').size[0] > 1200


@pytest.mark.parametrize('case, words', [
    ('class', '--class_idx=7'), ('drop', '--drop_worst=3'), ('lpips', '--lpips=nowhere.pth')])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, words):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and words in errors and errors.count('\n') == 1
    assert not (folder / case).exists()
