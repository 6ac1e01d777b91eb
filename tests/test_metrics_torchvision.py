"""torchvision's Inception-v3 and AlexNet: their numbers, and the distances made of them."""

import hashlib
import itertools

import feature_files as files
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf
import torchvision_weights as weights
from PIL import Image

from metrics import features
from metrics.alexnet import AlexNet, Diversity
from metrics.inception_v3 import LAYERS, InceptionV3, average, scaled
from metrics.vgg16 import LPIPS_DEVIATION, LPIPS_MEAN

IMAGES = np.random.RandomState(0).randint(0, 256, [2, 40, 64, 3]).astype(np.uint8)
OUTPUTS = np.random.RandomState(1).uniform(-1.2, 1.2, [4, 3, 40, 48, 3]).astype(np.float32)


def test_features_are_those_of_torchvision():
    """Recorded with torchvision 0.13.1: its network and its transforms, the same weights."""
    arrays = weights.inception_v3_weights()
    assert sum(arrays[f'{layer}.conv.weight'].size for layer in LAYERS) == 21_751_136
    found = InceptionV3(arrays).features(scaled(IMAGES)).numpy()
    assert found.shape == (2, 2048)
    np.testing.assert_allclose(found[:, [0, 500, 1000, 1500]], [
        [0.47996309, 7.92560244, 11.95401192, 0.96873933],
        [0.55348653, 8.01389980, 12.00829315, 0.79608500]], rtol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), [17923.8359, 18162.8535], rtol=1e-5)


def convolved(x, layer, arrays, padding, stride=1):
    """Convolution, normalisation, ReLU in float64; padding: pixels (rows, columns)."""
    x = np.pad(x, [[0, 0], *([size, size] for size in padding), [0, 0]])
    kernel = arrays[f'{layer}.conv.weight']
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(1, 2))
    x = np.einsum('nhwcij,ocij->nhwo', windows[:, ::stride, ::stride], kernel, optimize=True)
    gamma, beta, mean, variance = (arrays[f'{layer}.bn.{part}'] for part in (
        'weight', 'bias', 'running_mean', 'running_var'))
    return np.maximum((x - mean) / np.sqrt(variance + 0.001) * gamma + beta, 0)


def test_a_block_with_branches_equals_numpy():
    arrays = weights.narrow_inception_v3()
    x = np.random.RandomState(2).rand(2, 9, 8, 768 // 16).astype(np.float32)
    around = np.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    pooled = sum(around[:, i:i + 9, j:j + 8] for i in range(3) for j in range(3)) / 9
    np.testing.assert_allclose(average(x), pooled, rtol=1e-5)
    branches = [x, x, x, pooled]
    for number, layers in enumerate((
            [('branch1x1', (0, 0))],
            [('branch7x7_1', (0, 0)), ('branch7x7_2', (0, 3)), ('branch7x7_3', (3, 0))],
            [('branch7x7dbl_1', (0, 0)), ('branch7x7dbl_2', (3, 0)), ('branch7x7dbl_3', (0, 3)),
             ('branch7x7dbl_4', (3, 0)), ('branch7x7dbl_5', (0, 3))],
            [('branch_pool', (0, 0))])):
        for layer, padding in layers:
            branches[number] = convolved(branches[number], f'Mixed_6c.{layer}', arrays, padding)
    np.testing.assert_allclose(InceptionV3(arrays).block(tf.constant(x), 'Mixed_6c'),
                               np.concatenate(branches, axis=3), rtol=1e-3, atol=1e-4)


def shrunk_by_numpy(image, size):
    """Bilinear with antialiasing: a tent as wide as two pixels of the result; [H, W, C]."""
    for axis in (0, 1):
        length = image.shape[axis]
        scale = max(length / size, 1)
        places = (np.arange(size) + 0.5) * length / size
        tent = np.maximum(1 - np.abs(places[:, None] - (np.arange(length) + 0.5)) / scale, 0)
        image = np.moveaxis(np.tensordot(tent / tent.sum(axis=1, keepdims=True), image,
                                         (1, axis)), 0, axis)
    return image


def test_images_come_to_256_and_then_to_299_with_antialiasing():
    large = np.random.RandomState(3).randint(0, 256, [1, 700, 520, 3]).astype(np.uint8)
    expected = shrunk_by_numpy(shrunk_by_numpy(large[0].astype(float), 256), 299)
    assert np.abs(scaled(large)[0] - expected).max() < 2
    assert np.abs(scaled(large)[0] - shrunk_by_numpy(large[0].astype(float), 299)).max() > 8
    at_size = np.random.RandomState(4).randint(0, 256, [1, 256, 256, 3]).astype(np.uint8)
    np.testing.assert_array_equal(scaled(at_size)[0], np.asarray(
        Image.fromarray(at_size[0]).resize((299, 299), Image.Resampling.BILINEAR)))


def test_diversity_is_the_mean_lpips_distance_of_all_pairs():
    """Recorded with torchvision 0.13.1's AlexNet, pair by pair."""
    diversity = Diversity(AlexNet(weights.alexnet_weights()), weights.lpips_alex_weights())
    found = diversity.of_outputs(tf.constant(OUTPUTS)).numpy()
    np.testing.assert_allclose(found, [0.97637528, 0.99060339, 0.98407692], rtol=1e-5)
    pairs = []
    for a, b in itertools.combinations(OUTPUTS, 2):
        sides = [diversity.alexnet.activations(((side + 1) * 127.5 - LPIPS_MEAN) / LPIPS_DEVIATION)
                 for side in (a, b)]
        pairs.append(sum(
            np.square(np.subtract(*(x / np.sqrt(np.sum(np.square(x), -1, keepdims=True) + 1e-10)
                                    for x in layer))).dot(linear.numpy()).mean(axis=(1, 2))
            for linear, *layer in zip(diversity.linear, *sides)))
    np.testing.assert_allclose(found, np.mean(pairs, axis=0), rtol=1e-5)
    same = diversity.of_outputs(tf.repeat(OUTPUTS[:1], 10, axis=0)).numpy()
    np.testing.assert_allclose(same, 0, atol=1e-9)


def test_feature_networks_read_files_of_the_published_layouts(tmp_path):
    files.write_zip_pth(tmp_path / 'alexnet.pth', weights.alexnet_weights())
    files.write_legacy_pth(tmp_path / 'alex.pth', weights.lpips_alex_weights())
    narrow = weights.narrow_inception_v3()
    narrow['Conv2d_1a_3x3.bn.num_batches_tracked'] = np.array(7, np.int64)
    safetensors.numpy.save_file(narrow, tmp_path / 'inception.safetensors')
    given = {'inception_v3': tmp_path / 'inception.safetensors',
             'alexnet': tmp_path / 'alexnet.pth', 'lpips_alex': tmp_path / 'alex.pth'}
    networks = features.FeatureNetworks(given)
    found = [some for some in networks.inception_v3([IMAGES, IMAGES[:1]])]
    assert [some.shape for some in found] == [(2, 128), (1, 128)]
    np.testing.assert_allclose(found[1], found[0][:1], rtol=1e-4)
    assert networks.damaged('lpips_alex') == [
        (str(given[key]), features.SOURCES[key].url) for key in ('alexnet', 'lpips_alex')]
    with pytest.raises(ValueError, match=r'alexnet.pth: its sha256 must be 7be5be79\.\.\.; rec'):
        list(networks.diversities([OUTPUTS]))


def test_of_torchvision_the_beginning_of_the_sha256_is_known(tmp_path):
    path = tmp_path / 'a.pth'
    files.write_zip_pth(path, weights.lpips_alex_weights())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(features.read_weights(path, digest[:8] + '...')) == 5
    with pytest.raises(ValueError, match='its sha256 must be'):
        features.read_weights(path, digest[:8])
    for key in ('inception_v3', 'alexnet'):
        source = features.SOURCES[key]
        assert source.file_name == source.url.split('/')[-1]
        assert source.file_name.endswith(f'-{source.sha256[:-3]}.pth')


@pytest.mark.parametrize('network, arrays, name', [
    (InceptionV3, weights.narrow_inception_v3(), 'Mixed_7c.branch_pool.bn.bias'),
    (AlexNet, weights.alexnet_weights(), 'features.8.bias')])
def test_missing_weights_are_named(network, arrays, name):
    del arrays[name]
    with pytest.raises(ValueError, match=f'1 of its weights are missing, {name}.*torchvision'):
        network(arrays)
