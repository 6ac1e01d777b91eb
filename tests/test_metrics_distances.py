"""Statistics of features: Frechet and kernel distance, precision and recall, Inception score."""

import numpy as np
import parity_data
import pytest
import scipy.linalg

from metrics import frechet, inception_score, kernel, manifold


def moments(features, batch=64):
    result = frechet.Moments(features.shape[1])
    for start in range(0, len(features), batch):
        result.add(features[start:start + batch])
    return result


def distance(reals, fakes):
    real, fake = moments(reals), moments(fakes)
    return frechet.frechet_distance(real.mean, real.covariance, fake.mean, fake.covariance)


def distance_by_sqrtm(reals, fakes):
    covariances = [np.cov(side, rowvar=False) for side in (reals, fakes)]
    root = scipy.linalg.sqrtm(covariances[1] @ covariances[0])
    return (np.square(reals.mean(axis=0) - fakes.mean(axis=0)).sum()
            + np.trace(sum(covariances) - 2 * root).real)


def test_frechet_distance_equals_the_reference():
    case = parity_data.arrays('misc/misc.npz')
    np.testing.assert_allclose(distance(case['fid/reals'], case['fid/fakes']), case['fid/out'],
                               rtol=1e-7)


def test_frechet_distance_of_two_features_by_hand():
    reals, fakes = np.ones([100, 2]), np.full([100, 2], 9.0)
    reals[:50, 0] = fakes[50:, 0] = 2
    # Means differ by (4, 8); deviations, with N - 1, are 0.5 and 3.5 times sqrt(100/99).
    np.testing.assert_allclose(distance(reals, fakes), 80 + 9 * 100 / 99, rtol=1e-12)


def test_frechet_distance_of_equal_covariances_is_that_of_the_means():
    reals = np.random.RandomState(0).randn(200, 16)
    np.testing.assert_allclose(distance(reals, reals + 3), 16 * 9, rtol=1e-12)


def test_frechet_distance_agrees_with_scipys_square_root():
    random = np.random.RandomState(0)
    reals, fakes = random.randn(500, 64), random.randn(400, 64) @ random.randn(64, 64) * 0.1
    np.testing.assert_allclose(distance(reals, fakes), distance_by_sqrtm(reals, fakes), rtol=1e-10)


def test_frechet_distance_of_fewer_images_than_features():
    random = np.random.RandomState(0)
    reals, fakes = random.randn(100, 256), random.randn(100, 256)
    # Exact without a square root: its trace is the sum of the singular values of this product.
    a, b = (side - side.mean(axis=0) for side in (reals, fakes))
    root = np.linalg.svd(a @ b.T / 99, compute_uv=False).sum()
    exact = (np.square(reals.mean(axis=0) - fakes.mean(axis=0)).sum()
             + (np.square(a).sum() + np.square(b).sum()) / 99 - 2 * root)
    np.testing.assert_allclose(distance(reals, fakes), exact, rtol=1e-6)
    assert abs(distance(reals, reals)) < 1e-4


def test_streamed_moments_keep_float64_precision():
    features = (1000 + np.random.RandomState(0).randn(999, 8)).astype(np.float32)
    result = moments(features, batch=50)
    np.testing.assert_allclose(result.mean, features.mean(axis=0, dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(result.covariance, np.cov(features.astype(np.float64).T), atol=1e-8)
    assert result.count == 999


def test_frechet_distance_of_different_networks_is_refused():
    with pytest.raises(ValueError, match='received 3 and 4'):
        frechet.frechet_distance(np.zeros(3), np.eye(3), np.zeros(4), np.eye(4))
    with pytest.raises(ValueError, match='two images or more; received 1'):
        _ = moments(np.ones([1, 4])).covariance


def test_squared_mmd_by_hand():
    # One feature: k(x, y) = (xy + 1)^3. Within: k(1, 2) = 27, k(0, 3) = 1; across: 1, 64, 1, 343.
    value = kernel.squared_mmd(np.array([[1.0], [2.0]]), np.array([[0.0], [3.0]]))
    np.testing.assert_allclose(value, 27 + 1 - 2 * (1 + 64 + 1 + 343) / 4)


def test_kernel_distance_is_unbiased():
    random = np.random.RandomState(0)
    values = [kernel.kernel_distance(*random.randn(2, 60, 4), seed=0) for _ in range(40)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(40)
    assert min(values) < 0, 'unbiased means negative at times'


def test_kernel_distance_draws_subsets_of_both_sides(monkeypatch):
    monkeypatch.setattr(kernel, 'SUBSETS', 3)  # for the time that it takes
    random = np.random.RandomState(0)
    reals, fakes = random.randn(1500, 4), random.randn(1200, 4) + 0.5
    value = kernel.kernel_distance(reals, fakes, seed=3)
    assert value == kernel.kernel_distance(reals, fakes, seed=3)
    assert value != kernel.kernel_distance(reals, fakes, seed=4)
    whole = kernel.squared_mmd(reals[:1200], fakes)
    np.testing.assert_allclose(value, whole, rtol=0.2)
    everything = kernel.kernel_distance(reals[:50], fakes[:50], seed=0)
    np.testing.assert_allclose(everything, kernel.squared_mmd(reals[:50], fakes[:50]), rtol=1e-12)


def precision_recall_by_definition(reals, fakes):
    def within(probes, points):
        distances = np.linalg.norm(points[:, np.newaxis] - points, axis=2)
        radii = np.sort(distances, axis=1)[:, 3]
        return (np.linalg.norm(probes[:, np.newaxis] - points, axis=2) <= radii).any(axis=1).mean()
    return within(fakes, reals), within(reals, fakes)


@pytest.mark.parametrize('block', [7, 1024])
def test_precision_and_recall_equal_their_definition(block, monkeypatch):
    monkeypatch.setattr(manifold, 'BLOCK', block)
    random = np.random.RandomState(0)
    reals, fakes = random.randn(90, 5), 0.8 * random.randn(70, 5) + 0.5
    np.testing.assert_allclose(manifold.precision_recall(reals, fakes),
                               precision_recall_by_definition(reals, fakes))


def test_precision_and_recall_of_tight_fakes_and_of_equal_sets():
    random = np.random.RandomState(0)
    reals, fakes = 3 * random.randn(200, 16), 0.1 * random.randn(200, 16)
    precision, recall = manifold.precision_recall(reals, fakes)
    assert precision > 0.8 and recall < 0.3
    assert manifold.precision_recall(reals, reals) == (1, 1)
    assert manifold.precision_recall(reals, reals + 1000) == (0, 0)
    with pytest.raises(ValueError, match='more than 3 images; received 200 and 3'):
        manifold.precision_recall(reals, fakes[:3])


def test_inception_score_of_sure_and_of_unsure_classes():
    sure = np.tile(np.eye(5), [20, 1])
    np.testing.assert_allclose(inception_score.inception_score(sure), (5, 0), atol=1e-12)
    unsure = np.full([100, 5], 0.2)
    np.testing.assert_allclose(inception_score.inception_score(unsure), (1, 0), atol=1e-12)


def test_inception_score_is_taken_part_by_part():
    probabilities = np.repeat(np.eye(2), 50, axis=0)  # each part holds one class only
    assert inception_score.inception_score(probabilities) == (1, 0)
    assert inception_score.inception_score(probabilities, splits=1) == (2, 0)
    with pytest.raises(ValueError, match='10 images or more; received 9'):
        inception_score.inception_score(np.ones([9, 2]))
