"""MS-SSIM, against TensorFlow's where that takes the size, and as a measure of diversity."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from metrics import ms_ssim


def pairs_of_clouds(size):
    """Two uint8 [3, size, size, 3]: smooth images, and the same ones with noise."""
    random = np.random.RandomState(0)
    clouds = scipy.ndimage.gaussian_filter(random.rand(3, size, size, 3), [0, 4, 4, 0])
    clouds = 255 * (clouds - clouds.min()) / np.ptp(clouds)
    noisy = np.clip(clouds + 20 * random.randn(*clouds.shape), 0, 255)
    return clouds.astype(np.uint8), noisy.astype(np.uint8)


def test_ms_ssim_equals_tensorflows():
    a, b = pairs_of_clouds(192)
    b[2] = a[1]
    np.testing.assert_allclose(ms_ssim.ms_ssim(a, b), tf.image.ssim_multiscale(a, b, 255),
                               rtol=1e-4)


@pytest.mark.parametrize('size', [16, 32])
def test_small_images_have_smaller_windows(size):
    a, b = pairs_of_clouds(size)
    np.testing.assert_allclose(ms_ssim.ms_ssim(a, a), 1, rtol=1e-5)
    different = ms_ssim.ms_ssim(a, b)
    assert np.all(different < 0.99) and np.all(different > 0)
    with pytest.raises(ValueError, match='received 8x8'):
        ms_ssim.ms_ssim(a[:, :8, :8], b[:, :8, :8])


def test_the_last_scale_of_the_smallest_images_by_hand():
    a, b = (np.full([1, 16, 16, 1], grey, np.uint8) for grey in (100, 200))
    # Flat: the structure is 1, and the luminance counts at the last scale only.
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 100 * 200 + c1) / (100 ** 2 + 200 ** 2 + c1)
    np.testing.assert_allclose(ms_ssim.ms_ssim(a, b), [luminance ** 0.1333], rtol=1e-4)


def test_diversity_pairs_neighbours_whatever_the_batches():
    images, _ = pairs_of_clouds(16)
    images = np.concatenate([images, images[:, ::-1]])
    expected = ms_ssim.ms_ssim(images[::2], images[1::2]).mean()
    for batches in ([6], [3, 3], [1, 1, 4]):
        diversity = ms_ssim.Diversity()
        for part in np.split(images, np.cumsum(batches)[:-1]):
            diversity.add(part)
        np.testing.assert_allclose(diversity.value, expected, rtol=1e-6)


def test_fewer_modes_are_less_diverse():
    random = np.random.RandomState(0)
    images = random.randint(256, size=[64, 16, 16, 1]).astype(np.uint8)
    values = []
    for modes in (64, 4, 1):
        diversity = ms_ssim.Diversity()
        diversity.add(images[random.randint(modes, size=200)])
        values.append(diversity.value)
    assert values == sorted(values) and values[2] == pytest.approx(1)
