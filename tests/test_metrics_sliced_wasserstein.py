"""ProGAN's sliced Wasserstein distance, against SciPy step by step and on damaged digits."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from sklearn.datasets import load_digits

from metrics import sliced_wasserstein

TAPS = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def smoothed(image, taps):
    """SciPy's `mirror` does not repeat the border's pixel."""
    return scipy.ndimage.convolve(image, taps, mode='mirror')


def pyramid_by_scipy(image, num_levels):
    """The textbook form, [H, W]: smooth and drop; put zeros and smooth; subtract."""
    levels = []
    for _ in range(num_levels - 1):
        smaller = smoothed(image, TAPS)[::2, ::2]
        spread = np.zeros_like(image)
        spread[::2, ::2] = smaller
        levels.append(image - smoothed(spread, 4 * TAPS))
        image = smaller
    return levels + [image]


@pytest.fixture(scope='module')
def digits():
    """uint8 [600, 16, 16, 1], shuffled: scikit-learn's order goes round the classes."""
    digits = np.rint(load_digits().images[:600] * (255 / 16)).astype(np.uint8)
    digits = digits[np.random.RandomState(0).permutation(len(digits))]
    return digits.repeat(2, axis=1).repeat(2, axis=2)[..., np.newaxis]


def damage(images, kind, strength):
    """`images` blurred, with noise, or with few modes (fewer different images)."""
    wide = images.astype(np.float64)
    if kind == 'blur':
        wide = scipy.ndimage.gaussian_filter(wide, [0, strength, strength, 0])
    elif kind == 'noise':
        wide = wide + np.random.RandomState(0).normal(scale=20 * strength, size=wide.shape)
    else:
        wide = np.resize(wide[:int(40 / strength)], wide.shape)
    return np.clip(np.rint(wide), 0, 255).astype(np.uint8)


def test_laplacian_pyramid_equals_scipy():
    images = np.random.RandomState(0).randint(256, size=[2, 64, 64, 3]).astype(np.float32)
    levels = sliced_wasserstein.laplacian_pyramid(images, 3)
    assert [level.shape[1] for level in levels] == [64, 32, 16]
    for n, c in ((0, 0), (1, 2)):
        expected = pyramid_by_scipy(images[n, :, :, c].astype(np.float64), 3)
        for level, plane in zip(levels, expected):
            np.testing.assert_allclose(level[n, :, :, c], plane, atol=1e-4)


def test_patches_are_parts_of_the_levels():
    images = np.arange(2 * 16 * 16 * 3).reshape(2, 16, 16, 3).astype(np.uint8)  # one level: itself
    patches = sliced_wasserstein.Patches(2, 16, 3, seed=0)
    patches.add(images)
    cut = patches._levels[0].reshape(2, 128, 7, 7, 3) / sliced_wasserstein.UNITS
    windows = np.lib.stride_tricks.sliding_window_view(images, (7, 7), axis=(1, 2))
    corners = set()
    for n in range(2):
        windows_n = windows[n].transpose(0, 1, 3, 4, 2)
        for patch in cut[n]:
            same = np.argwhere((windows_n == patch).all(axis=(2, 3, 4)))
            assert len(same) == 1
            corners.add(tuple(same[0]))
    assert len(corners) > 80, 'of 100 places'
    assert {0, 9} <= {y for y, _ in corners} & {x for _, x in corners}, 'up to the borders'


def test_each_channel_is_normalised_over_the_whole_set():
    random = np.random.RandomState(0)
    images = random.randint(60, size=[30, 32, 32, 3]) * [1, 2, 4] + [3, 40, 0]
    patches = sliced_wasserstein.Patches(30, 32, 3, seed=0)
    patches.add(images[:20].astype(np.uint8))
    patches.add(images[20:].astype(np.uint8))
    for level in range(2):
        values = np.concatenate(list(patches.normalised(level))).reshape(-1, 49, 3)
        np.testing.assert_allclose(values.mean(axis=(0, 1)), 0, atol=1e-4)
        np.testing.assert_allclose(values.std(axis=(0, 1)), 1, rtol=1e-4)
        largest = np.linalg.norm(values.reshape(-1, 147), axis=1).max()
        np.testing.assert_allclose(patches.largest_norm(level), largest, rtol=1e-5)


def test_distances_equal_those_of_sorted_projections(digits, monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, 'DIRECTIONS', 128)  # for the time that it takes
    sides = []
    for side, images in enumerate((digits[:100], digits[100:200])):
        sides.append(sliced_wasserstein.Patches(100, 16, 1, [0, side]))
        sides[side].add(images)
    directions = np.random.default_rng([0, 128]).standard_normal([128, 49], np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    a, b = (np.concatenate(list(side.normalised(0))) @ directions.T for side in sides)
    expected = np.mean([scipy.stats.wasserstein_distance(x, y) for x, y in zip(a.T, b.T)])
    value = sliced_wasserstein.distance(*sides, seed=0)['mean']
    np.testing.assert_allclose(value, 1e3 * expected, rtol=1e-4)


def test_a_constant_channel_counts_as_no_difference():
    black, white = np.zeros([4, 16, 16, 1], np.uint8), np.full([4, 16, 16, 1], 255, np.uint8)
    assert sliced_wasserstein.swd(black, white) == {16: 0.0, 'mean': 0.0}


def test_the_same_seed_gives_the_same_number(digits):
    a, b = digits[:50], digits[50:100]
    first = sliced_wasserstein.swd(a, b, seed=1)
    assert first == sliced_wasserstein.swd(a, b, seed=1)
    assert first != sliced_wasserstein.swd(a, b, seed=2)


def test_images_in_parts_give_the_number_of_the_whole(digits, monkeypatch):
    whole = sliced_wasserstein.swd(digits[:50], digits[50:100])
    monkeypatch.setattr(sliced_wasserstein, 'PATCHES_AT_A_TIME', 1000)
    parts = sliced_wasserstein.swd(digits[:50], digits[50:100])
    assert abs(parts['mean'] / whole['mean'] - 1) < 1e-4


@pytest.mark.parametrize('kind', ['blur', 'noise', 'modes'])
def test_more_damage_is_further_away(digits, kind, monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, 'DIRECTIONS', 64)  # for the time that it takes
    reals, others = digits[::2], digits[1::2]
    values = [sliced_wasserstein.swd(reals, images)['mean']
              for images in (others, *(damage(others, kind, strength) for strength in (1, 2, 4)))]
    assert values == sorted(values) and values[1] > 1.2 * values[0], values


def test_a_resolution_without_a_pyramid_is_refused():
    assert sliced_wasserstein.levels_of(1024) == [1024, 512, 256, 128, 64, 32, 16]
    for resolution in (8, 48):
        with pytest.raises(ValueError, match=f'power of two.*received {resolution}'):
            sliced_wasserstein.levels_of(resolution)


def test_sets_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r'one shape; received \(16, 16, 1\) and \(32, 32, 1\)'):
        sliced_wasserstein.swd(np.zeros([2, 16, 16, 1], 'u1'), np.zeros([2, 32, 32, 1], 'u1'))
