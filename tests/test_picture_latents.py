"""Numbers, seeds and classes on the command line mean what they mean everywhere in the field."""

import numpy as np
import pytest
from parity_data import arrays

from pictures import latents
from training.config import GeneratorConfig


def test_numbers_and_ranges_are_written_out_in_their_order():
    assert latents.parse_numbers('0-3,99', 'seeds') == [0, 1, 2, 3, 99]
    assert latents.parse_numbers(' 7 , 5 - 6,7', 'seeds') == [7, 5, 6, 7]


@pytest.mark.parametrize('text', ['', 'a', '1,,2', '5-3', '-1', '1-', '1.5', '0-9999999999', '٣'])
def test_what_is_no_number_is_refused_with_the_flags_name(text):
    with pytest.raises(ValueError, match='^--row_seeds=.*such as --row_seeds=0-35,99; [^\n]*$'):
        latents.parse_numbers(text, 'row_seeds')


def test_a_seeds_latent_is_the_fields():
    z = latents.latents_of([5, 0], 8)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(z[:1], np.random.RandomState(5).randn(1, 8).astype(np.float32))
    np.testing.assert_array_equal(z[1:], np.random.RandomState(0).randn(1, 8).astype(np.float32))


def test_a_seed_that_numpy_does_not_know_is_refused():
    with pytest.raises(ValueError, match='seed 4294967296: must be within 0..4294967295'):
        latents.latents_of([2 ** 32], 8)


def test_without_a_class_each_comes_in_turn():
    config = GeneratorConfig(resolution=8, label_size=3)
    np.testing.assert_array_equal(latents.class_labels(config, None, 4),
                                  [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(latents.class_labels(config, 2, 2), [[0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize('label_size, class_idx, rule', [
    (3, 3, 'within 0..2'), (3, -1, 'within 0..2'), (0, 0, 'has no classes')])
def test_a_class_that_the_network_lacks_is_refused(label_size, class_idx, rule):
    with pytest.raises(ValueError, match=f'--class_idx={class_idx}: .*{rule}'):
        latents.class_labels(GeneratorConfig(resolution=8, label_size=label_size), class_idx, 2)


def test_an_unconditional_network_needs_no_labels():
    assert latents.class_labels(GeneratorConfig(resolution=8), None, 2) is None


def test_lists_of_psi_are_finite_numbers():
    assert latents.parse_floats('1,0.7,-1', 'sweep') == [1, 0.7, -1]
    for text in ('', '1,,2', 'nan', '1;2'):
        with pytest.raises(ValueError, match=f'^--sweep={text}: must be numbers'):
            latents.parse_floats(text, 'sweep')


def test_slerp_turns_evenly_and_keeps_length():
    a, b = np.float32([2, 0]), np.float32([0, 4])
    third = latents.slerp(a, b, 1 / 3)
    np.testing.assert_allclose(third, (2 + 2 / 3) * np.array([np.cos(np.pi / 6), .5]), rtol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, b, 0), a, atol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, b, 1), b, atol=1e-6)


def test_slerp_of_the_reference():
    recorded = arrays('misc/misc.npz').part('slerp/')
    between = latents.slerp(recorded['a'], recorded['b'], recorded['t'])
    np.testing.assert_allclose(between / np.linalg.norm(between, axis=-1, keepdims=True),
                               recorded['out'], atol=1e-5)


@pytest.mark.parametrize('b', [[3, 0], [0, 0], [-1, 0]])
def test_slerp_between_latents_on_one_line_is_finite(b):
    assert np.isfinite(latents.slerp(np.float32([1, 0]), np.float32(b), 0.5)).all()


def test_a_spline_goes_through_its_keys_and_a_straight_one_is_straight():
    keys = np.float32([[0], [1], [2], [3]])
    assert [latents.spline(keys, i, False).item() for i in range(4)] == [0, 1, 2, 3]
    assert latents.spline(keys, 1.5, False).item() == 1.5
    corner = np.float32([[0], [8], [0], [8]])
    assert latents.spline(corner, 1.5, False).item() == 4
    assert latents.spline(corner, 0.5, True).item() == latents.spline(corner, 2.5, True).item()


def test_a_looped_spline_returns_to_its_first_key():
    keys = np.random.RandomState(0).randn(3, 2).astype(np.float32)
    np.testing.assert_allclose(latents.spline(keys, 3, True), keys[0])
    before, after = latents.spline(keys, 2.999, True), latents.spline(keys, 3.001, True)
    np.testing.assert_allclose(after - keys[0], keys[0] - before, atol=1e-4)  # no kink


def test_a_walk_is_normal_at_every_moment():
    walk = latents.Walk([4000], 1, 5)
    for position in (0, 0.3, 0.5, 4.9):
        assert abs(walk.at(position).std() - 1) < 0.05
        assert abs(walk.at(position).mean()) < 0.06


def test_a_walk_is_smooth_and_gets_somewhere_else():
    walk = latents.Walk([4000], 1)
    here = walk.at(7.2)
    assert np.abs(walk.at(7.201) - here).max() < 0.02
    assert abs(np.corrcoef(here, walk.at(8.2))[0, 1] - np.exp(-1)) < 0.1
    assert abs(np.corrcoef(here, walk.at(11.2))[0, 1]) < 0.1


def test_a_looped_walk_ends_where_it_began_and_an_open_one_does_not():
    looped, open_end = latents.Walk([3], 1, 4), latents.Walk([3], 1)
    np.testing.assert_array_equal(looped.at(0), looped.at(4))
    assert not np.allclose(open_end.at(0), open_end.at(4))


def test_a_walk_keeps_no_more_than_the_draws_near_it():
    walk = latents.Walk([1], 1)
    for position in range(0, 10 ** 6, 10 ** 4):
        walk.at(position)
    assert len(walk._draws) == 2 * walk.REACH
