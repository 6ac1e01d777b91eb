"""The face network and its masks: recorded numbers, and masks made by plain NumPy loops."""

import functools
import zlib

import feature_files
import numpy as np
import pytest
import tensorflow as tf
from parity_data import arrays

from translation import face_masks, reference
from translation.config import TranslationConfig
from translation.wing import PARTS, FaceNetwork, masks_of_heatmaps

LIMIT = 2e-4   # of tests/parity/starganv2/README.md


def recorded():
    return arrays('starganv2/wing/wing.npz')


def weight_of(name, shape):
    """The rule by which the recorded network's weights were made."""
    random = np.random.RandomState(zlib.crc32((str(recorded()['salt']) + name).encode()))
    if len(shape) == 4:
        return random.randn(*shape) * np.sqrt(2 / np.prod(shape[1:]))
    if name.endswith('running_var'):
        return 1 + .5 * random.rand(*shape)
    if name.endswith(('bias', 'running_mean')):
        return .1 * random.randn(*shape)
    return 1 + .1 * random.randn(*shape)


@functools.cache
def face_network():
    network = FaceNetwork()
    reference.assign(network, {name: weight_of(name, array.shape) for name, array in
                               reference.variables(network).items()})
    return network


def recorded_images():
    return tf.constant(recorded()['images'].transpose(0, 2, 3, 1))


def test_face_network_gives_the_recorded_heatmaps():
    images = tf.image.resize(recorded_images(), [256, 256]) / 2 + 0.5
    heatmaps = face_network()(images)
    assert heatmaps.shape == [2, 64, 64, 99]
    expected = recorded()['f64/raw_heatmaps'].transpose(0, 2, 3, 1)
    limit = LIMIT * (expected.std() + 0.05 * np.sqrt(np.mean(expected ** 2)))
    assert np.abs(heatmaps[:, ::8, ::8] - expected).max() < limit


def test_face_network_has_the_published_number_of_parameters():
    learned = [variable for name, variable in reference.named_variables(face_network()).items()
               if 'running' not in name]
    assert sum(np.prod(variable.shape) for variable in learned) == 6333603


def heatmaps_around(centres):
    """[N, 98, 2] (row, column) -> [N, 64, 64, 98]."""
    at = np.arange(64)
    rows = (at[None, :, None, None] - centres[:, None, None, :, 0]) ** 2
    columns = (at[None, None, :, None] - centres[:, None, None, :, 1]) ** 2
    return np.exp(-(rows + columns) / (2 * 1.5 ** 2)).astype(np.float32)


def test_masks_of_recorded_landmarks_are_the_recorded_ones():
    masks = masks_of_heatmaps(heatmaps_around(recorded()['centres']))
    for k, mask in enumerate(masks):
        expected = recorded()[f'masks{k}_of_heatmaps'].transpose(0, 2, 3, 1)
        assert np.abs(mask - expected).max() < LIMIT


def resized(heatmap):
    """[64, 64] -> [256, 256], bilinear, the corners on the corners."""
    at = np.arange(256) * 63 / 255
    weights = np.stack([np.interp(at, np.arange(64), pixel) for pixel in np.eye(64)], axis=1)
    return weights @ heatmap @ weights.T


def plain_masks(heatmaps):
    """The masks of one image [64, 64, 98], step by step as starganv2's description says them."""
    maps = np.stack([resized(heatmaps[..., i]) for i in range(98)])
    maps[maps < 0.1] = 0
    for i in range(98):
        maps[i] = (maps[i] - maps[i].min()) / (maps[i].max() - maps[i].min() + 1e-6)
    maps[8:25] = maps[8:25] ** 3
    for first, last, down, power in ((33, 50, 7, 2), (55, 59, -8, 4), (77, 81, 8, 4),
                                     (83, 87, -8, 4), (88, 95, 2, 3)):
        maps[first:last + 1] = np.roll(maps[first:last + 1], down, axis=1) ** power
    for i in (*range(8), *range(25, 33), 33, 46, 76, 82):
        maps[i] = 0
    maps[52:55] = np.roll(maps[52:55], -4, axis=1)
    maps[60:76] = np.roll(maps[60:76], 8, axis=1) ** 3 + np.roll(maps[60:76], 24, axis=1)
    inner = [i for i in range(98) if not (8 <= i <= 24 or 33 <= i <= 50 or 76 <= i <= 95)]
    return np.clip(maps.sum(axis=0), 0, 1), np.clip(maps[inner].sum(axis=0), 0, 1)


def test_masks_of_any_heatmaps_are_those_of_plain_numpy():
    heatmaps = np.random.RandomState(3).rand(2, 64, 64, 98).astype(np.float32) ** 8 * 0.3
    for image, *masks in zip(heatmaps, *masks_of_heatmaps(heatmaps)):
        for mask, expected in zip(masks, plain_masks(image.astype(np.float64))):
            assert 0 < expected.mean() < 1
            assert np.abs(mask[..., 0] - expected).max() < LIMIT


LANDMARKS = (0, 10, 33, 40, 46, 51, 53, 57, 65, 79, 85, 90, 97)


def place_of(point):
    """(row, column) in a heatmap: so far from the others that no two meet in a mask."""
    number = LANDMARKS.index(point)
    return 16 + 32 * (number % 2), 4 + 9 * (number // 2)


@functools.cache
def masks_of_landmarks():
    """The masks of an image that has these landmarks alone: ours, and plain_masks'."""
    centres, heatmaps = np.zeros([1, 98, 2]), np.zeros([1, 64, 64, 98], np.float32)
    for point in LANDMARKS:
        centres[0, point] = place_of(point)
    heatmaps[..., LANDMARKS] = heatmaps_around(centres)[..., LANDMARKS]
    return [mask[0, ..., 0] for mask in masks_of_heatmaps(heatmaps)], plain_masks(heatmaps[0])


@pytest.mark.parametrize('point', LANDMARKS)
def test_each_landmark_goes_where_its_part_says(point):
    row, column = place_of(point)
    around = slice(4 * row - 64, 4 * row + 64), slice(4 * column - 16, 4 * column + 20)
    for mask, expected in zip(*masks_of_landmarks()):
        assert np.abs(mask[around] - expected[around]).max() < LIMIT
        is_used = any(part.first <= point <= part.last for part in PARTS)
        assert is_used or not expected[around].any()


def test_masks_of_images_have_no_gradient_and_their_range():
    images = recorded_images()[:1]
    with tf.GradientTape() as tape:
        tape.watch(images)
        masks = face_network().masks(images)
    assert tape.gradient(masks, images) is None
    for mask in masks:
        assert mask.shape == [1, 256, 256, 1]
        assert 0 <= float(tf.reduce_min(mask)) <= float(tf.reduce_max(mask)) <= 1


@pytest.mark.parametrize('write', [feature_files.write_legacy_pth, feature_files.write_zip_pth])
def test_the_published_file_is_read_and_other_names_in_it_are_passed(tmp_path, write):
    weights = reference.variables(face_network())
    more = {'conv1.bn.num_batches_tracked': np.arange(1), 'l0.more': np.ones(2, np.float32)}
    write(tmp_path / 'wing.ckpt', {'epoch': 7, 'state_dict': {**weights, **more}})
    loaded = reference.variables(face_masks.load(tmp_path / 'wing.ckpt'))
    assert list(loaded) == list(weights)
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize('content, message', [
    ({'model': {}}, 'holds no state_dict'),
    ({'state_dict': {'l0.bias': np.ones(98, np.float32)}}, r'l0.bias must be \[99\]')])
def test_a_file_of_another_network_is_refused(tmp_path, content, message):
    path = tmp_path / 'wing.ckpt'
    feature_files.write_zip_pth(path, content)
    with pytest.raises(ValueError, match=message) as caught:
        face_masks.load(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)


def test_masks_are_for_networks_with_a_high_pass(tmp_path, capsys):
    plain, high_pass = (TranslationConfig(w_hpf=w_hpf) for w_hpf in (0.0, 1.0))
    assert face_masks.mask_fn(plain, None) is None and not capsys.readouterr().out
    assert face_masks.mask_fn(high_pass, None) is None
    assert 'Without --face_network' in capsys.readouterr().out
    with pytest.raises(ValueError, match='Leave the flag out'):
        face_masks.mask_fn(plain, 'wing.ckpt')
    with pytest.raises(FileNotFoundError, match='there is no such face network'):
        face_masks.mask_fn(high_pass, tmp_path / 'wing.ckpt')
