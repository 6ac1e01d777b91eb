"""Translator: styles by domain, truncation, minibatches; sheets and films show what it draws."""

import numpy as np
import pytest
import tensorflow as tf
from test_translation_steps import TINY, tiny_masks

from formats import sheets as layout
from translation import films, sheets
from translation.sampler import EASING, Translator, between, to_frame, to_still
from translation.state import TranslationState

RANDOM = np.random.RandomState(5)
SOURCES, REFERENCES = RANDOM.uniform(-1, 1, [2, 3, 16, 16, 3]).astype(np.float32)
Z = RANDOM.randn(5, 4).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1])


@pytest.fixture(scope='module')
def translator():
    tf.random.set_seed(1)
    state = TranslationState(TINY)
    for bias in (variable for layer in (state.Fs.unshared0_3, state.Fs.unshared1_3)
                 for variable in layer.bias.variables):
        bias.assign(RANDOM.randn(*bias.shape))
    return Translator(state, minibatch=2)


def test_styles_are_those_of_the_averaged_networks(translator):
    np.testing.assert_allclose(translator.styles_of_latents(Z, Y), translator.Fs(Z, Y), atol=1e-5)
    np.testing.assert_allclose(translator.styles_of_images(REFERENCES, 1),
                               translator.Es(REFERENCES, np.array([1, 1, 1])), atol=1e-5)


def test_psi_pulls_towards_the_average_of_the_styles_own_domain(translator):
    averages, full = translator.averages(), translator.styles_of_latents(Z, Y)
    z = np.random.RandomState(0).randn(10000, 4).astype(np.float32)
    for domain in (0, 1):
        mean = np.mean(translator.Fs(z, np.full(10000, domain)), axis=0)
        np.testing.assert_allclose(averages[domain], mean, atol=1e-4)
    np.testing.assert_allclose(translator.styles_of_latents(Z, Y, 0.7),
                               averages[Y] + 0.7 * (full - averages[Y]), atol=1e-5)
    np.testing.assert_allclose(translator.styles_of_latents(Z, Y, 0, averages), averages[Y],
                               atol=1e-6)


def test_minibatches_and_combinations_show_each_source_in_each_style(translator):
    styles = translator.styles_of_latents(Z, Y)
    images = translator.combinations(SOURCES, styles, convert=np.asarray)
    assert images.shape == (3, 5, 16, 16, 3)
    fewer = translator.combinations(SOURCES, styles[:2], convert=np.asarray)
    for i, source in enumerate(SOURCES):
        expected = translator.Gs(np.tile(source, [5, 1, 1, 1]), styles)
        np.testing.assert_allclose(images[i], expected, atol=1e-4)
        np.testing.assert_allclose(fewer[i], expected[:2], atol=1e-4)


def test_weights_that_have_changed_are_drawn_with():
    state = TranslationState(TINY)
    translator = Translator(state)
    before = translator.averages()
    state.Fs.unshared0_3.bias.variables[0].assign_add(np.ones(4, np.float32))
    np.testing.assert_allclose(translator.averages() - before, [[1] * 4, [0] * 4], atol=1e-4)


def test_pictures_round_and_frames_truncate():
    values = np.float32([-2, -1, 0.0, 0.0021, 0.9999, 3]).reshape(1, 1, 6, 1)
    assert to_still(values).ravel().tolist() == [0, 0, 128, 128, 255, 255]
    assert to_frame(values).ravel().tolist() == [0, 0, 127, 127, 254, 255]


def test_the_easing_is_the_published_one():
    assert len(EASING) == 31 and EASING[0] == 0 and EASING[21:] == (1.0,) * 10
    np.testing.assert_allclose([EASING[1], EASING[11], EASING[20]],
                               [1 / (1 + np.exp(5)), 0.5, 1 / (1 + np.exp(-4.5))])
    way = between(np.zeros(2), np.array([1.0, 2.0]))
    np.testing.assert_allclose(way, np.outer(EASING, [1, 2]), rtol=1e-6)


# Sheets, of images enlarged from 16 to 256 pixels with gaps of 8

def cell(sheet, row, column, lead=0, block=0):
    """One image of a sheet, back at its own size."""
    top = row * 264 + lead * (row > 0) + block * 24
    left = column * 264 + lead * (column > 0)
    return sheet[top:top + 256:16, left:left + 256:16]


def test_a_latent_sheet_has_ten_rows_for_each_domain_of_the_same_latents(translator):
    sheet = sheets.latent_sheet(translator, SOURCES, 0.7)
    assert sheet.shape == (21 * 264 + 2 * 24 - 8, 3 * 264 - 8, 3) and sheet.dtype == np.uint8
    np.testing.assert_array_equal(cell(sheet, 0, 2), to_still(SOURCES)[2])
    z = np.random.RandomState(0).randn(10, 4)
    for domain in (0, 1):
        styles = translator.styles_of_latents(z[3:4], domain, 0.7)
        expected = translator.images(SOURCES, styles, to_still)
        image = cell(sheet, 1 + 10 * domain + 3, 1, block=1 + domain)
        assert np.abs(image.astype(int) - expected[1]).max() <= 1


def test_a_reference_sheet_has_a_white_corner_sources_above_references_at_the_left(translator):
    styles = translator.styles_of_images(REFERENCES[:2], [0, 1])
    sheet = sheets.reference_sheet(translator, SOURCES, REFERENCES[:2], styles)
    assert sheet.shape == (3 * 264, 4 * 264, 3)
    assert (cell(sheet, 0, 0) == layout.WHITE).all()
    np.testing.assert_array_equal(cell(sheet, 0, 3, lead=8), to_still(SOURCES)[2])
    np.testing.assert_array_equal(cell(sheet, 2, 0, lead=8), to_still(REFERENCES)[1])
    expected = translator.images(SOURCES, styles[1:], to_still)
    assert np.abs(cell(sheet, 2, 1, lead=8).astype(int) - expected[0]).max() <= 1


def test_a_cycle_sheet_turns_the_translations_back():
    translator = Translator(TranslationState(TINY), tiny_masks, compiled=False)
    y, target = np.array([0, 1, 0]), np.array([1, 1, 0])
    sheet = sheets.cycle_sheet(translator, SOURCES, y, REFERENCES, target)
    Gs, Es = translator.Gs, translator.Es
    fakes = Gs(SOURCES, Es(REFERENCES, target), tiny_masks(SOURCES))
    back = Gs(fakes, Es(SOURCES, y), tiny_masks(fakes))
    for row, images in enumerate((SOURCES, REFERENCES, fakes, back)):
        assert np.abs(cell(sheet, row, 1).astype(int) - to_still(images)[1]).max() <= 1


def test_wide_sheets_are_not_enlarged_and_large_images_stand_edge_to_edge():
    many = [[[np.zeros([32, 32, 3], np.uint8)] * 32]]
    assert sheets.arranged(many).shape[1] == 32 * 64 + 31 * 2
    large = [[[np.zeros([256, 256, 3], np.uint8)] * 2] * 2]
    assert sheets.arranged(large).shape == (512, 512, 3)


# Films

def test_a_film_goes_between_neighbours_of_a_domain_with_the_next_reference_sliding_in(translator):
    styles = translator.styles_of_images(REFERENCES, [0, 0, 1])
    frames = list(films.frames(translator, SOURCES[:1], styles, [0, 0, 1], REFERENCES))
    assert len(frames) == films.num_frames(films.ways([0, 0, 1])) == round(41 * 30 / 12.5)
    assert all(frame.shape == (520, 520, 3) and frame.dtype == np.uint8 for frame in frames)
    first, last = frames[0], frames[-1]
    assert (cell(first, 0, 0) == layout.WHITE).all()
    np.testing.assert_array_equal(cell(first, 0, 1), to_frame(SOURCES)[0])
    for frame, k in ((first, 0), (last, 1)):
        np.testing.assert_array_equal(cell(frame, 1, 0), to_frame(REFERENCES)[k])
        expected = translator.images(SOURCES[:1], styles[k:k + 1], to_frame)[0]
        assert np.abs(cell(frame, 1, 1).astype(int) - expected).max() <= 1
    half = films.slid(*to_frame(REFERENCES)[:2], 0.5)
    np.testing.assert_array_equal(half[:7], to_frame(REFERENCES)[0, 9:])
    np.testing.assert_array_equal(half[7:9], np.full([2, 16, 3], 255))
    np.testing.assert_array_equal(half[9:], to_frame(REFERENCES)[1, :7])


def test_a_film_of_latents_has_no_strip_and_needs_two_of_a_domain(translator):
    frames = films.frames(translator, SOURCES[:2], translator.styles_of_latents(Z[:2], [1, 1]),
                          [1, 1])
    assert next(frames).shape == (520, 520, 3)
    with pytest.raises(ValueError, match='give two seeds or references'):
        films.ways([0, 1, 0])
