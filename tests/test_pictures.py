"""What a Painter shows is what its network makes; sheets put it where it belongs."""

import numpy as np
import pytest
from parity_data import PARITY, arrays

from pictures import painter as painting
from pictures import sheets, stills, w_files
from training import snapshot
from training.build import build_network
from training.config import GeneratorConfig, ProganGeneratorConfig
from training.images import to_uint8
from training.layers import named_variables


def small_generator(**options):
    """A network with 5 channels at most, whose every part does something."""
    G = build_network(GeneratorConfig(**{
        'resolution': 32, 'num_channels': 1, 'fmap_base': 32, 'fmap_max': 5, 'latent_size': 6,
        'dlatent_size': 7, 'mapping_fmaps': 7, 'mapping_layers': 2, **options}))
    random = np.random.RandomState(3)
    for name, variable in named_variables(G).items():
        if not name.endswith('weight') or 'Noise' in name:
            variable.assign(random.randn(*variable.shape) * 0.5)
    return G


def dlatents(painter, count=3):
    z = np.random.RandomState(1).randn(count, painter.config.latent_size)
    return painter.dlatents(z.astype(np.float32))


@pytest.fixture(scope='module')
def painter():
    return painting.Painter(small_generator())


def test_a_painter_shows_what_the_reference_drew():
    recorded = arrays('digits/expected.npz')
    Gs = snapshot.load(PARITY / 'digits/network-final.pkl').Gs
    digits = painting.Painter(Gs)
    images = digits.images(digits.dlatents(recorded['z'], psi=0.7))
    assert np.abs(images.astype(int) - recorded['images_psi07']).max() <= 1


def test_minibatches_make_no_difference(painter, monkeypatch):
    w = dlatents(painter, 5)
    whole = painter.images(w)
    monkeypatch.setattr(painter, 'minibatch', 2)
    assert np.abs(painter.images(w).astype(int) - whole).max() <= 1


@pytest.mark.parametrize('resolution, minibatch', [(1024, 4), (512, 8), (256, 16), (32, 64)])
def test_minibatches_are_bounded_by_the_largest_layer(resolution, minibatch):
    class OnlyConfig:
        config = GeneratorConfig(resolution=resolution)

    assert painting.Painter(OnlyConfig()).minibatch == minibatch


def test_a_compiled_painter_makes_the_same_images(painter):
    compiled = painting.Painter(painter.Gs, compiled=True)
    for count in (1, 3):
        w = dlatents(painter, count)
        assert np.abs(compiled.images(w).astype(int) - painter.images(w)).max() <= 1


def test_a_growing_network_is_shown_at_the_size_that_it_has():
    Gs = small_generator()
    growing = painting.Painter(Gs, lod=1.25)
    assert growing.shape == (16, 16) and growing.num_layers == 6
    w = dlatents(growing)
    np.testing.assert_array_equal(growing.images(w), to_uint8(
        Gs.synthesis(w, lod=1.25, randomize_noise=False)))


def test_noise_is_stored_or_fresh_or_none(painter):
    Gs, w = painter.Gs, dlatents(painter)
    stored = painter.images(w)
    np.testing.assert_array_equal(stored, to_uint8(Gs.synthesis(w, randomize_noise=False)))
    fresh, none = painting.Painter(Gs), painting.Painter(Gs)
    fresh.noise, none.noise = 'random', 'none'
    first = fresh.images(w)
    assert not np.array_equal(first, stored) and not np.array_equal(first, fresh.images(w))
    np.testing.assert_array_equal(none.images(w), painter.images(w, painter.stored_noise(())))
    again = painting.Painter(Gs)
    again.noise = 'random'
    np.testing.assert_array_equal(again.images(w), first)


def test_noise_of_some_layers_leaves_the_others_without(painter):
    maps, chosen = painter.stored_noise(), painter.stored_noise(range(2, 4))
    for i, (full, part) in enumerate(zip(maps, chosen)):
        np.testing.assert_array_equal(part, full if i in (2, 3) else np.zeros(full.shape))


def test_progan_has_pictures_but_neither_w_nor_truncation():
    Gs = build_network(ProganGeneratorConfig(resolution=16, latent_size=4, fmap_base=32, fmap_max=4,
                                             label_size=2))
    painter, z = painting.Painter(Gs), np.random.RandomState(1).randn(3, 4).astype(np.float32)
    labels = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    np.testing.assert_array_equal(painter.images(painter.dlatents(z, labels)),
                                  to_uint8(Gs(z, labels)))
    painter.check_psi(1.0)
    with pytest.raises(ValueError, match='--trunc=0.5: this is a ProGAN network'):
        painter.check_psi(0.5)


@pytest.mark.parametrize('bar, found', [(0, (0, 512)), (64, (64, 448)), (63, (64, 448)),
                                        (112, (112, 400)), (5, (0, 512))])
def test_black_bars_are_found_to_a_32nd_of_the_height(bar, found):
    samples = np.random.RandomState(1).randint(0, 256, [4, 512, 40, 3]).astype(np.uint8)
    samples[:, :bar] = samples[:, 512 - bar:] = 3
    assert painting.rows_between_bars(samples) == found


def test_black_images_and_a_black_top_alone_are_no_bars():
    assert painting.rows_between_bars(np.zeros([2, 32, 8, 1], np.uint8)) == (0, 32)
    samples = np.full([2, 32, 8, 1], 99, np.uint8)
    samples[:, :8] = 0
    assert painting.rows_between_bars(samples) == (0, 32)


def test_a_crop_is_the_middle_of_each_image(painter):
    w, cropped = dlatents(painter), painting.Painter(painter.Gs)
    cropped.rows = painting.cropped_rows(cropped, '32x24')
    np.testing.assert_array_equal(cropped.images(w), painter.images(w)[:, 4:28])
    assert painting.cropped_rows(cropped, 'full') == (0, 32)
    for wrong in ('24x24', '32x33', '32x0', 'wide'):
        with pytest.raises(ValueError, match=f'--crop={wrong}: must be auto, full or 32xHEIGHT'):
            painting.cropped_rows(cropped, wrong)


@pytest.mark.parametrize('layers, ranges', [
    (18, ((0, 4), (4, 8), (8, 18))), (16, ((0, 4), (4, 8), (8, 16))),
    (14, ((0, 4), (4, 6), (6, 14))), (10, ((0, 2), (2, 4), (4, 10))),
    (8, ((0, 2), (2, 4), (4, 8))), (4, ((0, 1), (1, 2), (2, 4))), (3, ((0, 1), (1, 2), (2, 3)))])
def test_coarse_middle_and_fine_scale_with_the_layers(layers, ranges):
    assert stills.style_ranges(layers) == tuple(range(*ends) for ends in ranges)


def test_mixing_takes_the_layers_of_the_column_and_the_rest_of_the_row(painter):
    w = dlatents(painter)
    sheet = stills.mixing(painter, w[:1], w[1:], [[0, 3]])
    by_hand = w[:1].copy()
    by_hand[0, [0, 3]] = w[2, [0, 3]]
    np.testing.assert_array_equal(sheet[-256:, -256:], sheets.visible(painter.images(by_hand))[0])
    np.testing.assert_array_equal(sheet[-256:, :256], sheets.visible(painter.images(w[:1]))[0])
    np.testing.assert_array_equal(sheet[:256, -256:], sheets.visible(painter.images(w[2:]))[0])
    assert (sheet[:256, :256] == 255).all()


def test_a_sweep_goes_from_the_image_to_the_average(painter):
    w = dlatents(painter)
    sheet = stills.sweep(painter, w, [1, 0])
    np.testing.assert_array_equal(sheet[:256, :256], sheets.visible(painter.images(w[:1]))[0])
    np.testing.assert_array_equal(sheet[:256, -256:], sheet[-256:, -256:])


@pytest.mark.parametrize('strips', ['w', 'z'])
def test_strips_begin_and_end_with_their_images(painter, strips):
    z = np.random.RandomState(1).randn(3, 6).astype(np.float32)
    w = painter.dlatents(z)
    sheet = stills.strips_w(painter, w, 3) if strips == 'w' else stills.strips_z(painter, z, None,
                                                                                None, 3)
    ends = sheets.visible(painter.images(w)).astype(int)
    assert sheet.shape == (2 * 256 + 8, 3 * 256 + 2 * 8, 1)
    for left, expected in ((sheet[:256, :256], ends[0]), (sheet[:256, -256:], ends[1]),
                           (sheet[-256:, -256:], ends[2])):
        assert np.abs(left - expected).max() <= 1
    assert not np.array_equal(sheet[:256, 264:520], sheet[:256, :256])


@pytest.mark.parametrize('styles, layers', [(None, [0, 1]), ([2, 7], [2, 7])])
def test_styles_are_those_asked_for_or_the_coarse_ones(painter, styles, layers):
    assert stills.chosen_layers(painter, styles) == layers


def test_a_style_layer_that_is_not_there_is_refused(painter):
    with pytest.raises(ValueError, match='--styles: layer 8 must be within 0..7'):
        stills.chosen_layers(painter, [0, 8])
    with pytest.raises(ValueError, match='no style layers'):
        stills.chosen_layers(painting.Painter(small_generator(use_styles=False)), [0])


def test_shrinking_what_was_enlarged_gives_it_back():
    images = np.random.RandomState(1).randint(0, 256, [2, 8, 6, 3]).astype(np.uint8)
    np.testing.assert_array_equal(sheets.shrink(sheets.enlarge(images, 4), 4), images)
    assert sheets.visible(images).shape == (2, 256, 192, 3)
    assert sheets.shrink(np.uint8([[[0], [1]], [[1], [1]]]), 2).tolist() == [[[1]]]


def test_w_comes_back_as_it_was_saved(painter, tmp_path):
    w, path = dlatents(painter), str(tmp_path / 'w.npz')
    w_files.save_w(path, w)
    np.testing.assert_array_equal(w_files.load_w(path, painter), w)
    np.savez(path, w=w[0])
    np.testing.assert_array_equal(w_files.load_w(path, painter), w[:1])
    np.testing.assert_array_equal(w_files.load_w(path, painter, 0.0)[0, 0], painter.Gs.dlatent_avg)


@pytest.mark.parametrize('arrays, rule', [
    ({'z': np.zeros([1, 8, 7])}, 'array w of numbers'),
    ({'w': np.array([None])}, 'array w of numbers'), ({'w': np.array(['a'])}, 'array w of numbers'),
    ({'w': np.zeros([1, 8, 6])}, r'\[N, 8, 7\]'), ({'w': np.zeros([0, 8, 7])}, r'\[N, 8, 7\]'),
    ({'w': np.full([1, 8, 7], np.nan)}, 'finite')])
def test_a_file_that_is_no_w_of_this_network_is_refused(painter, tmp_path, arrays, rule):
    path = str(tmp_path / 'w.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f'^--w=.*w.npz: .*{rule}'):
        w_files.load_w(path, painter)
