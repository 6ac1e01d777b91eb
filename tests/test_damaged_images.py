"""The numbers mean something: each kind of damage makes them worse, the more the stronger it is."""

import numpy as np
import pytest
import scipy.ndimage
from sklearn.datasets import load_digits

from metrics import sliced_wasserstein
from metrics.ms_ssim import ms_ssim

RANDOM = np.random.RandomState(0)
DIGITS = load_digits()
ORDER = RANDOM.permutation(len(DIGITS.images))
IMAGES = (DIGITS.images[ORDER] * (255 / 16)).repeat(2, axis=1).repeat(2, axis=2)[..., np.newaxis]
REALS, OTHERS = IMAGES[:400], IMAGES[400:800]
CLASSES = DIGITS.target[ORDER][400:800]
NOISE = RANDOM.randn(*OTHERS.shape)


def as_uint8(images):
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def blurred(deviation):
    return scipy.ndimage.gaussian_filter(OTHERS, [0, deviation, deviation, 0])


def noisy(deviation):
    return OTHERS + deviation * NOISE


def of_classes(count):
    return np.resize(OTHERS[CLASSES < count], OTHERS.shape)


@pytest.mark.parametrize('damaged, strengths', [
    (blurred, (0.5, 1, 2)), (noisy, (16, 32, 64)), (of_classes, (7, 4, 1))])
def test_more_damage_is_a_larger_distance(damaged, strengths, monkeypatch):
    monkeypatch.setattr(sliced_wasserstein, 'DIRECTIONS', 128)
    sides = [OTHERS, *map(damaged, strengths)]
    values = [sliced_wasserstein.swd(as_uint8(REALS), as_uint8(side))['mean'] for side in sides]
    assert values == sorted(values), values
    assert values[-1] > 3 * values[0]


def test_fewer_classes_are_more_alike():
    a, b = RANDOM.randint(400, size=[2, 3000])
    values = [ms_ssim(as_uint8(side)[a], as_uint8(side)[b]).mean()
              for side in (OTHERS, of_classes(7), of_classes(4), of_classes(1))]
    assert values == sorted(values), values
