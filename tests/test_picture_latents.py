"""Numbers, seeds and classes on the command line mean what they mean everywhere in the field."""

import numpy as np
import pytest

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
