"""rank_images.py: strangers among the images come last, every image is scored among others."""

import csv

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from commands import results_of
from parity_data import PARITY
from small_data import write_dataset
from test_train_flags import network_file

from conversion import decode
from pictures import image_sources, ranking
from training.build import build_network
from training.config import DiscriminatorConfig
from training.dataset import process_reals

DIGITS = f'--network={PARITY}/digits/network-final.pkl'


def small_discriminator(**options):
    tf.random.set_seed(1)
    return build_network(DiscriminatorConfig(**{'resolution': 8, 'num_channels': 1, 'fmap_base': 32,
                                                'fmap_max': 6, **options}))


def source_of(count, labels=None, unusable=()):
    images = np.random.RandomState(1).randint(0, 256, [count, 8, 8, 1]).astype(np.uint8)

    def read(index):
        if index in unusable:
            raise decode.Unusable('is odd')
        return images[index]

    return image_sources.Source(tuple(f'{i}.png' for i in range(count)), labels, read), images


def rank(D, source, groups=3, lod=0.0):
    return ranking.rank(D, lod, source, groups, iter)


def test_without_minibatch_stddev_a_score_is_the_discriminators_own():
    D, (source, images) = small_discriminator(mbstd_group_size=0), source_of(7)
    scores = rank(D, source)
    own = D(process_reals(images, 0.0, False)).numpy()[:, 0]
    np.testing.assert_allclose(scores.means, own[scores.indices], atol=1e-5)
    np.testing.assert_allclose(scores.spreads, 0, atol=1e-5)
    assert sorted(scores.indices) == list(range(7)) and (np.diff(scores.means) <= 0).all()


def test_a_growing_network_scores_at_its_level_of_detail():
    D, (source, images) = small_discriminator(mbstd_group_size=0), source_of(4)
    small = images[:, ::2, ::2]
    scores = rank(D, source._replace(read=lambda index: small[index]), lod=1.0)
    own = D(process_reals(small, 1.0, False), lod=1.0).numpy()[:, 0]
    np.testing.assert_allclose(scores.means, own[scores.indices], atol=1e-5)


def test_labels_go_with_their_images():
    D = small_discriminator(mbstd_group_size=0, label_size=3)
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
    source, images = source_of(5, labels)
    own = D(process_reals(images, 0.0, False), labels).numpy()[:, 0]
    scores = rank(D, source)
    np.testing.assert_allclose(scores.means, own[scores.indices], atol=1e-5)


@pytest.mark.parametrize('count', [4, 10, 23])
def test_every_image_is_scored_in_whole_groups_of_different_images(count):
    groups = []

    def score(images, labels):
        groups.append(images[:, 0, 0, 0].astype(int))
        return tf.zeros([len(images)])

    images = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    minibatch = ranking._minibatch(DiscriminatorConfig(resolution=8), 0, count)
    assert minibatch % 4 == 0 and 4 <= minibatch <= count
    ranking._scores_in_groups(score, images, None, minibatch, 5, np.random.RandomState(0))
    assert all(len(set(group)) == len(group) == minibatch for group in groups)
    per_round = -(-count // minibatch)
    for i in range(5):
        assert set(np.concatenate(groups[i * per_round:(i + 1) * per_round])) == set(range(count))
    assert len({tuple(group) for group in groups}) == len(groups)


@pytest.mark.parametrize('resolution, most', [(1024, 4), (512, 8), (32, 64)])
def test_minibatches_are_bounded_by_the_largest_layer(resolution, most):
    assert ranking._minibatch(DiscriminatorConfig(resolution=resolution), 0, 1000) == most


def test_images_that_cannot_be_read_are_told_and_left_out():
    scores = rank(small_discriminator(), source_of(9, unusable=(2, 5))[0])
    assert scores.unusable == {'2.png': 'is odd', '5.png': 'is odd'}
    assert sorted(scores.indices) == [0, 1, 3, 4, 6, 7, 8]


def test_fewer_images_than_a_group_are_refused():
    with pytest.raises(ValueError, match='3 images are too few .* at 4 at once'):
        rank(small_discriminator(), source_of(3)[0])


@pytest.mark.parametrize('text, number', [('5%', 10), ('12', 12), ('0.5%', 1), ('199', 199)])
def test_the_worst_are_a_share_or_a_number(text, number):
    assert ranking.number_to_drop(text, 200) == number


@pytest.mark.parametrize('text', ['0', '200', '100%', '0.1%', '1.5', '-3', 'all', ''])
def test_a_number_of_worst_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError, match=f'^--drop_worst={text}: must be a share such as 5%'):
        ranking.number_to_drop(text, 200)


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranking')
    images = folder / 'photos'
    for name in ('0', '1', 'strange'):
        (images / name).mkdir(parents=True)
    from sklearn.datasets import load_digits
    digits = load_digits()
    for i in range(40):
        image = PIL.Image.fromarray(np.uint8(digits.images[i] * 15.9))
        image.resize((32, 32), PIL.Image.LANCZOS).save(images / str(i % 2) / f'{i}.png')
    random = np.random.RandomState(0)
    for i in range(3):  # of another size and shape too
        noise = random.randint(0, 256, [48, 40, 3]).astype(np.uint8)
        PIL.Image.fromarray(noise).save(images / 'strange' / f'{i}.png')
    (images / 'strange/torn.png').write_bytes(b'x')
    cond = network_file(folder / 'c.safetensors', resolution=16, num_channels=1, label_size=3)
    cond = f'--network={cond}'
    dataset = write_dataset(folder / 'spots', label_size=3)
    lines = {
        'photos': [DIGITS, f'--data={images}', '--drop_worst=3', '--groups=3'],
        'dataset': [cond, f'--data={dataset}', '--groups=1'],
        'folders': [cond, f'--data={images}', '--labels=folders', '--groups=1'],
        'one_class': [cond, f'--data={images}', '--class_idx=2', '--groups=1'],
        'no_class': [cond, f'--data={images}'],
        'bad_class': [cond, f'--data={images}', '--class_idx=3'],
        'small': [DIGITS, f'--data={dataset}'],
        'nothing': [DIGITS, f'--data={folder / "nowhere"}'],
        'share': [DIGITS, f'--data={images}', '--drop_worst=100%'],
    }
    results = results_of('rank_images', [[*line, f'--outdir={folder / "out" / name}']
                                         for name, line in lines.items()])
    return folder / 'out', dict(zip(lines, results))


def test_strangers_among_the_images_come_last(outcomes):
    folder, results = outcomes
    code, output, errors = results['photos']
    assert code == 0, errors
    with open(folder / 'photos/scores.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert [int(row['rank']) for row in table] == list(range(1, 44))
    scores = [float(row['score']) for row in table]
    assert scores == sorted(scores, reverse=True)
    strange = {f'strange/{i}.png' for i in range(3)}
    assert {row['name'] for row in table[-3:]} == strange
    assert set((folder / 'photos/worst.txt').read_text().split()) == strange
    assert "'strange/torn.png'" in errors and 'Advice only' in output


def test_the_contact_sheet_has_the_best_and_the_worst(outcomes):
    sheet = np.asarray(PIL.Image.open(outcomes[0] / 'photos/sheet.png'))
    assert sheet.shape == (2 * (40 + 3 * 148 + 2 * 4), 8 * 128 + 7 * 4)
    name = (outcomes[0] / 'photos/scores.csv').read_text().split('\n')[-2].split(',')[1]
    data = (outcomes[0].parent / 'photos' / name).read_bytes()
    image = decode.decode(data, decode.Rules(32, 1, crop='center'))[0]
    worst = sheet[40 + 3 * 148 + 2 * 4 + 40:][:128, :128]
    np.testing.assert_array_equal(worst, image.repeat(4, axis=0).repeat(4, axis=1))


@pytest.mark.parametrize('case', ['dataset', 'folders', 'one_class'])
def test_a_conditional_network_takes_its_labels_from_where_they_are(outcomes, case):
    folder, results = outcomes
    assert results[case][0] == 0, results[case][2]
    assert not (folder / case / 'worst.txt').exists()


@pytest.mark.parametrize('case, error', [
    ('no_class', 'the network knows 3 classes and must be told'),
    ('bad_class', '--class_idx within 0..2'), ('small', 'more than there is'),
    ('nothing', 'no such folder or zip file'), ('share', '--drop_worst=100%: must be a share')])
def test_errors_are_one_line_and_come_before_anything_is_written(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and errors.startswith('rank_images.py: error: ') and error in errors
    assert errors.count('\n') == 1 and not (folder / case).exists()
