"""Directions are what NumPy makes of weights and w; moves go along them, in their layers only."""

import math

import numpy as np
import PIL.Image
import pytest
from small_data import write_dataset
from test_pictures import small_generator

from editing import directions, labelled, labels, latents, moves
from formats import sheets
from metrics import linear_separability
from pictures import films
from pictures.latents import latents_of
from pictures.opening import open_sampler
from pictures.w_files import SavedW
from training import snapshot
from training.layers import named_variables
from training.sampler import Sampler

RANDOM = np.random.RandomState(6)


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator(resolution=16))


@pytest.fixture(scope='module')
def statistics(sampler):
    return latents.statistics(sampler, count=2000)


def w_of(sampler, count=2):
    return sampler.w(latents_of(range(count), sampler.config.latent_size), truncation=None)


def saved_of(sampler, count=2):
    noise = [RANDOM.randn(count, *maps.shape[1:]).astype(np.float32)
             for maps in sampler.stored_noise()]
    return SavedW(w_of(sampler, count), noise)


# How directions are found

def stacked(sampler, layers):
    """The style layers' weights by their names, scaled by hand: [styles, D]."""
    arrays = {name: variable.numpy() for name, variable in named_variables(sampler.Gs).items()}
    names = ['4x4/Const', '4x4/Conv', '8x8/Conv0_up', '8x8/Conv1', '16x16/Conv0_up', '16x16/Conv1']
    # Equalized learning rate with gain 1: 1 / sqrt(fan in).
    return np.concatenate([arrays[f'G_synthesis/{names[i]}/StyleMod/weight'].T / math.sqrt(7)
                           for i in layers])


@pytest.mark.parametrize('layers', [range(6), [2, 3], [5]])
def test_sefa_is_the_singular_vectors_of_the_scaled_style_weights(sampler, statistics, layers):
    A = stacked(sampler, layers).astype(np.float64)
    found = directions.sefa(sampler, layers, 4, statistics)
    _, values, vectors = np.linalg.svd(A)
    assert [one.name for one in found] == ['sefa-1', 'sefa-2', 'sefa-3', 'sefa-4']
    for one, value, vector in zip(found, values, vectors):
        assert one.layers == tuple(layers) and np.abs(one.vector).max() == one.vector.max()
        assert abs(one.vector @ vector) == pytest.approx(1, abs=1e-4)
        assert one.measures['explained'] == pytest.approx(value ** 2 / np.sum(values ** 2))
        assert np.linalg.norm(A @ one.vector) == pytest.approx(value, rel=1e-4)


def test_no_direction_changes_the_styles_more_than_the_first_of_sefa(sampler, statistics):
    A = stacked(sampler, range(6))
    first = directions.sefa(sampler, range(6), 1, statistics)[0].vector
    others = RANDOM.randn(200, 7)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert np.linalg.norm(A @ first) > np.linalg.norm(others @ A.T, axis=1).max()


def test_the_deviation_is_that_of_w_along_the_direction(sampler, statistics):
    w = np.concatenate(list(latents.mapped(sampler, 2000)))
    for one in directions.sefa(sampler, [0, 1], 3, statistics, 'coarse'):
        assert one.name.startswith('sefa-coarse-')
        assert one.deviation == pytest.approx(np.std(w @ one.vector), rel=1e-3)


def test_pca_is_that_of_all_w_at_once(sampler, statistics):
    w = np.concatenate(list(latents.mapped(sampler, 3000))).astype(np.float64)
    _, values, vectors = np.linalg.svd(w - w.mean(0), full_matrices=False)
    found = directions.pca(sampler, range(6), 7, statistics, num_w=3000)
    for one, value, vector in zip(found, values, vectors):
        assert abs(one.vector @ vector) == pytest.approx(1, abs=1e-3)
        assert one.measures['explained'] == pytest.approx(value ** 2 / np.sum(values ** 2),
                                                          rel=1e-3)
    assert sum(one.measures['explained'] for one in found) == pytest.approx(1)


def test_a_network_without_styles_has_no_directions(statistics):
    plain = Sampler(small_generator(resolution=8, use_styles=False, const_input_layer=False))
    with pytest.raises(ValueError, match='^--network: it has no style layers'):
        directions.sefa(plain, [0], 1, statistics)


# By labels

def planted(statistics, count=400):
    """(w [N, D], two attributes that share a direction, one by chance)."""
    points = RANDOM.randn(count, 7)
    attributes = {'wide': points[:, 0] > 0, 'tall': points[:, 0] + points[:, 1] > 0.5,
                  'lucky': RANDOM.rand(count) > 0.5}
    return (statistics.mean + points * statistics.deviation).astype(np.float32), attributes


@pytest.mark.parametrize('classifier', labels.CLASSIFIERS)
def test_a_planted_attribute_is_found_and_chance_is_not(statistics, classifier):
    w, attributes = planted(statistics)
    wide, tall, lucky = labels.fitted(w, attributes, [0, 1], statistics, classifier)
    assert wide.vector[0] > 0.97 and tall.vector[:2] @ [0.707, 0.707] > 0.97
    assert min(wide.measures['accuracy'], tall.measures['accuracy']) > 0.93
    assert abs(lucky.measures['accuracy'] - 0.5) < 0.2
    assert wide.layers == (0, 1) and wide.measures['images'] == attributes['wide'].sum()
    assert np.linalg.norm(wide.vector) == pytest.approx(1)


def test_a_conditional_direction_is_orthogonal_to_the_others(statistics):
    w, attributes = planted(statistics)
    plain = labels.fitted(w, attributes, [0], statistics)
    found = labels.fitted(w, attributes, [0], statistics, conditional=True)
    for i, one in enumerate(found):
        for j, other in enumerate(plain):
            assert i == j or abs(one.vector @ other.vector) < 1e-5
    assert found[1].vector[1] > 0.9  # tall without wide
    with pytest.raises(ValueError, match='^--conditional: a direction lies wholly within'):
        labels.without(np.float64([1, 0, 0]), np.eye(3)[:2])


def test_the_border_makes_the_fewest_errors_on_both_sides():
    values, has = np.float64([1, 2, 3, 4, 5, 6]), np.array([False, False, True, False, True, True])
    border = labels.threshold(values, has)
    assert border in (2.5, 4.5)
    assert labels.accuracy(values, has, border) == pytest.approx(5 / 6)


def test_an_attribute_of_too_few_images_is_refused():
    with pytest.raises(ValueError, match='^rare: 4 of 50 images have it; 5 with it'):
        labels.check_counts({'rare': np.arange(50) < 4})


def write_folder(path, names):
    for number, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new('L', (20, 20), 10 * number).save(path / name)
    return str(path)


def test_labelled_images_come_from_folders_files_and_data_sets(sampler, tmp_path):
    folder = write_folder(tmp_path / 'all', ['a/0.png', 'a/1.png', 'b/2.png', 'b/3.png', 'c/4.png'])
    found = labelled.open_labelled([folder], sampler)
    assert {name: has.tolist() for name, has in found.attributes.items()} == {
        'a': [1, 1, 0, 0, 0], 'b': [0, 0, 1, 1, 0], 'c': [0, 0, 0, 0, 1]}
    np.testing.assert_allclose(found.read([3, 1])[:, 0, 0, 0], np.float32([30, 10]) / 127.5 - 1)
    (tmp_path / 'labels.csv').write_text('b/3.png,dark: yes\na/1.png,no\na/0.png,dark: yes\n')
    found = labelled.open_labelled([folder], sampler, str(tmp_path / 'labels.csv'))
    assert found.count == 3 and list(found.attributes) == ['no']
    assert found.attributes['no'].tolist() == [False, True, False]
    found = labelled.open_labelled([f'{folder}/b', f'{folder}/a'], sampler)
    assert list(found.attributes) == ['a'] and found.attributes['a'].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(found.read(range(4))[:, 0, 0, 0] * 127.5 + 127.5, [20, 30, 0, 10],
                               atol=1e-4)
    some = found.some(2)
    assert some.count == 2 and len(some.read([0, 1])) == 2 == len(some.attributes['a'])
    data = write_dataset(tmp_path / 'data', 16, count=12, label_size=3)
    found = labelled.open_labelled([data], sampler)
    assert found.count == 12 and list(found.attributes) == ['0', '1', '2']
    assert found.read(range(3)).shape == (3, 16, 16, 1) and abs(found.read([1])).max() <= 1


def test_a_data_set_without_labels_is_refused(sampler, tmp_path):
    with pytest.raises(ValueError, match='^--data=.*plain: has no labels'):
        labelled.open_labelled([write_dataset(tmp_path / 'plain', 16)], sampler)


def test_planes_of_ls_become_directions(sampler, statistics, tmp_path):
    w = np.concatenate(list(latents.mapped(sampler, 300)))
    logits = 3 * (w[:, 2] - w[:, 2].mean()) / w[:, 2].std()
    planes = linear_separability.Planes()
    linear_separability.attribute_entropy(
        w, logits, lambda *plane: planes.add('smiling', *plane))
    path = str(tmp_path / 'ls-planes.safetensors')
    planes.write(path, 'abc')
    [one], network_sha256 = directions.from_planes(path, sampler, statistics, range(6))
    assert network_sha256 == 'abc' and one.name == 'smiling' and one.layers == tuple(range(6))
    agrees = (w @ planes.planes['smiling'][:-1] + planes.planes['smiling'][-1] > 0) == (logits > 0)
    assert one.measures['agreement'] == pytest.approx(np.mean(agrees))
    assert one.measures['agreement'] > 0.95 and one.vector[2] > 0.7
    planes.planes['smiling'] = planes.planes['smiling'][:4]
    planes.write(path, 'abc')
    with pytest.raises(ValueError, match='the plane smiling must be 8 finite numbers'):
        directions.from_planes(path, sampler, statistics, range(6))


# Files

def test_directions_come_back_as_they_were_saved(sampler, statistics, tmp_path):
    found = directions.sefa(sampler, [2, 3], 2, statistics) + directions.pca(
        sampler, range(6), 1, statistics, num_w=500)
    path = str(tmp_path / 'd.safetensors')
    directions.save(path, found)
    loaded = directions.load(path, sampler)
    assert list(loaded) == ['sefa-1', 'sefa-2', 'pca-1']
    for one in found:
        same = loaded[one.name]
        np.testing.assert_array_equal(same.vector, one.vector)
        assert same._replace(vector=None) == one._replace(vector=None)


def test_directions_of_another_network_are_refused(sampler, statistics, tmp_path):
    path, files = str(tmp_path / 'd.safetensors'), []
    for kimg in (0, 1):
        files.append(tmp_path / f'{kimg}.safetensors')
        snapshot.save(files[-1], None, None, sampler.Gs, kimg=kimg)
    one, other = (open_sampler(str(file), 'full') for file in files)
    directions.save(path, directions.sefa(sampler, [5], 1, statistics), one.network_sha256)
    assert directions.load(path, one) and directions.load(path, other, allow_other_network=True)
    with pytest.raises(ValueError, match='d.safetensors: was made with another network file'):
        directions.load(path, other)
    for options, words in (
            ({'dlatent_size': 9}, r'the direction sefa-1 must be \[9\], .*received \[7\]'),
            ({'resolution': 8}, r'is for the layers \[5\], this network has 0..3')):
        smaller = Sampler(small_generator(**{'resolution': 16, **options}))
        with pytest.raises(ValueError, match=words):
            directions.load(path, smaller)
    with pytest.raises(ValueError, match='this is a StyleGAN or ProGAN network, .* here it must'):
        directions.load(str(files[0]), one)


# Moves

def direction(name='d', layers=(1, 2), vector=None, deviation=2.0):
    vector = np.eye(7, dtype=np.float32)[0] if vector is None else vector
    return directions.Direction(name, vector, layers, deviation, {})


def test_w_moves_by_deviations_in_the_layers_alone(sampler):
    w = RANDOM.randn(2, 6, 7).astype(np.float32)  # of W+
    one, other = direction(), direction('e', (2, 5), np.eye(7, dtype=np.float32)[3], 0.5)
    both = [moves.Move(one, one.layers), moves.Move(other, other.layers)]
    expected = w.copy()
    expected[:, 1, 0] += 6
    expected[:, 2, 0] += 6
    expected[:, 2, 3] -= 1
    expected[:, 5, 3] -= 1
    np.testing.assert_allclose(moves.moved(w, both, [3, -2]), expected, rtol=1e-6)
    np.testing.assert_array_equal(moves.moved(w, both, [0, 0]), w)


def test_a_move_names_its_direction_and_perhaps_layers():
    known = {'d': direction()}
    assert moves.parse_move('d', known, 6).layers == (1, 2)
    move = moves.parse_move('d:8x8,5', known, 6)
    assert move.layers == (2, 3, 5) and move.text == 'd:2,3,5'
    with pytest.raises(ValueError, match='^--direction=e: must be one of d, which the file has'):
        moves.parse_move('e', known, 6)
    with pytest.raises(ValueError, match='^--direction: layer 7 must be within 0..5'):
        moves.parse_move('d:7', known, 6)


@pytest.mark.parametrize('text, values', [('-3:3:7', [-3, -2, -1, 0, 1, 2, 3]), ('2', [2]),
                                          ('0:1:2', [0, 1]), ('-1,0.5', [-1, 0.5])])
def test_strengths_are_a_range_or_numbers(text, values):
    assert moves.parse_strengths(text).tolist() == values


@pytest.mark.parametrize('text', ['', 'x', '1:2', '1:2:1', '0:1:100', 'nan', '0:inf:3', '1:2:3:4'])
def test_what_is_no_strength_is_refused(text):
    with pytest.raises(ValueError, match=f'^--strength={text}: must be FROM:TO:COUNT'):
        moves.parse_strengths(text)


def test_one_strength_serves_all_and_a_single_number_is_held():
    assert moves.strengths_of(['0:1:3'], 2).tolist() == [[0, 0.5, 1], [0, 0.5, 1]]
    assert moves.strengths_of(['0:1:3', '2'], 2).tolist() == [[0, 0.5, 1], [2, 2, 2]]
    with pytest.raises(ValueError, match='^--strength is given 2 times for 3 directions'):
        moves.strengths_of(['1', '2'], 3)
    with pytest.raises(ValueError, match='^--strength=0:1:2: all must be as many numbers, here 3'):
        moves.strengths_of(['0:1:2', '0:1:3'], 2)


def test_strength_0_is_the_image_itself_with_its_noise(sampler):
    saved = saved_of(sampler)
    chosen = [moves.Move(direction(), (1, 2)), moves.Move(direction('e'), (4,))]
    strengths = moves.strengths_of(['-1:1:3'], 2)
    own = sheets.visible(sampler.images(saved.w, saved.noise_of))
    step = 256 + sheets.gap(256)
    for each, rows in ((False, [0, 1]), (True, [0, 0, 1, 1])):
        sheet = moves.sheet(sampler, saved, chosen, strengths, each)
        assert sheet.shape == ((256 + moves.WORDS) * len(rows), 2 * step + 256, 1)
        for place, number in enumerate(rows):
            cell = sheet[place * (256 + moves.WORDS):][:256, step:step + 256]
            np.testing.assert_array_equal(cell, own[number])
        w, noise = moves.all_w(saved, chosen, strengths, each)
        assert len(w) == 3 * len(rows) == len(noise[0])
        np.testing.assert_array_equal(w[1::3], saved.w[rows])
        np.testing.assert_array_equal(noise[3][::3], saved.noise[3][rows])


def test_a_film_goes_from_the_first_strength_to_the_last_and_back(sampler):
    saved = saved_of(sampler)
    chosen = [moves.Move(direction(), (1, 2)), moves.Move(direction('e'), (4,))]
    strengths = moves.strengths_of(['-1:3:3', '1:2:3'], 2)
    film = moves.film(saved, chosen, strengths)
    for t, ends in ((0, [-1, 1]), (0.5, [3, 2]), (1, [-1, 1])):
        np.testing.assert_allclose(film.w_at(t), moves.moved(saved.w, chosen, ends), atol=1e-5)
    each = moves.film(saved, chosen, strengths, each=True)
    np.testing.assert_allclose(each.w_at(0.5)[3:], moves.moved(saved.w[1:], chosen[1:], [2]),
                               atol=1e-5)
    frames = list(films.frames(sampler, each, films.Timing(0.2, 10, True), 2))
    assert len(frames) == 2
    first = sampler.images(each.w_at(0), each.noise_at(0))
    np.testing.assert_array_equal(frames[0][:256, :256], sheets.visible(first)[0])
