"""Measures of latent space: perceptual path length and linear separability."""

import numpy as np
import parity_data
import pytest
import sklearn.svm

from metrics import linear_separability, perceptual_path_length

MISC = parity_data.arrays('misc/misc.npz')


def test_slerp_equals_the_reference():
    out = perceptual_path_length.slerp(MISC['slerp/a'], MISC['slerp/b'], MISC['slerp/t'])
    np.testing.assert_allclose(out, MISC['slerp/out'], rtol=1e-5, atol=1e-6)


def test_slerp_by_hand():
    half = perceptual_path_length.slerp(np.array([[2.0, 0]]), np.array([[0, 5.0]]), 0.5)
    np.testing.assert_allclose(half, [[0.5 ** 0.5, 0.5 ** 0.5]])


def test_lerp_ends_at_its_ends():
    points = [perceptual_path_length.lerp(2.0, 6.0, t) for t in (0, 0.25, 1)]
    assert points == [2, 3, 6]


def test_path_length_drops_the_ends_as_the_reference_does():
    np.testing.assert_allclose(perceptual_path_length.path_length(MISC['ppl/dist']),
                               MISC['ppl/out'], rtol=1e-6)


def test_path_length_percentiles_are_rounded_outwards():
    distances = np.arange(150.0)  # percentiles 1.49 and 147.51: 1 and 148 are the last ones kept
    distances[[0, 149]] = [-1e6, 1e7]
    assert perceptual_path_length.path_length(distances) == np.mean(np.arange(1, 149))


def test_crop_is_where_a_face_is():
    places = np.arange(16 * 16).reshape(1, 16, 16, 1)
    crop = perceptual_path_length.crop_to_face(places)
    assert crop.shape == (1, 8, 8, 1)
    assert crop[0, 0, 0, 0] == 6 * 16 + 4 and crop[0, -1, -1, 0] == 13 * 16 + 11


def test_conditional_entropy_equals_the_reference():
    for table, expected in zip(MISC['ls/tables'], MISC['ls/cond_entropy']):
        np.testing.assert_allclose(linear_separability.conditional_entropy(table), expected,
                                   rtol=1e-5, atol=1e-9)


def test_conditional_entropy_is_given_the_first_axis():
    # Rows: of 3 a third and two thirds, of 1 all. H = 3/4 * (log2(3) - 2/3).
    value = linear_separability.conditional_entropy([[1, 2], [1, 0]])
    np.testing.assert_allclose(value, 0.75 * (np.log2(3) - 2 / 3))


def test_the_surest_half_is_furthest_from_zero():
    logits = np.array([0.1, -5, 3, -0.2, 4, 0])
    assert set(linear_separability.surest_half(logits)) == {1, 2, 4}


def test_decisions_too_sure_for_float32_to_tell_apart_stay_in_order():
    logits = np.array([1, 9, -30, 2, 12, -9, 8, 1], np.float32)
    assert linear_separability.surest_half(logits).tolist() == [1, 2, 4, 5]
    assert linear_separability.surest_half(-logits[::-1]).tolist() == [2, 3, 5, 6]


def test_the_svm_is_the_dual_one_of_the_published_numbers(monkeypatch):
    made = []

    class Recorded(sklearn.svm.LinearSVC):
        def __init__(self, **options):
            made.append(options)
            super().__init__(**options)

    monkeypatch.setattr(sklearn.svm, 'LinearSVC', Recorded)
    latents = np.random.RandomState(0).randn(50, 3)
    linear_separability.attribute_entropy(latents, latents[:, 0])
    assert made[0]['dual'] is True


def test_separable_attributes_score_one_and_hidden_ones_two_each():
    random = np.random.RandomState(0)
    latents = random.randn(400, 3).astype(np.float32)
    seen = linear_separability.attribute_entropy(latents, 10 * latents[:, 0])
    hidden = linear_separability.attribute_entropy(latents, random.randn(400))
    assert seen < 0.05 and hidden > 0.95
    assert linear_separability.attribute_entropy(latents, np.ones(400)) == 0, 'one class only'
    assert linear_separability.separability([0, 1, 1]) == pytest.approx(4)
