"""What a Sampler shows is what its network makes; sheets put it where it belongs."""

import numpy as np
import pytest
import tensorflow as tf
from parity_data import PARITY, arrays

from formats import sheets
from pictures import opening, stills, style_layers, w_files
from training import snapshot
from training.build import build_network
from training.config import DiscriminatorConfig, GeneratorConfig, ProganGeneratorConfig
from training.devices import ONE_DEVICE, Devices
from training.layers import named_variables
from training.sampler import (
    ALL_LAYERS,
    OWN,
    Sampler,
    Truncation,
    to_float,
    to_png_uint8,
    to_uint8,
)


def small_generator(**options):
    """A network with 5 channels at most, whose every part does something; always the same one.

    (Of random ones, a few have a pixel so near to the border of two levels that the size of the
    minibatch decides which: in TensorFlow 2.21, two of 60.)
    """
    tf.keras.utils.set_random_seed(1)
    G = build_network(GeneratorConfig(**{
        'resolution': 32, 'num_channels': 1, 'fmap_base': 32, 'fmap_max': 5, 'latent_size': 6,
        'dlatent_size': 7, 'mapping_fmaps': 7, 'mapping_layers': 2, **options}))
    random = np.random.RandomState(3)
    for name, variable in named_variables(G).items():
        if not name.endswith('weight') or 'Noise' in name:
            variable.assign(random.randn(*variable.shape) * 0.5)
    return G


def dlatents(sampler, count=3):
    z = np.random.RandomState(1).randn(count, sampler.config.latent_size)
    return sampler.w(z.astype(np.float32))


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator())


def test_a_sampler_shows_what_the_reference_drew():
    recorded = arrays('digits/expected.npz')
    Gs = snapshot.load(PARITY / 'digits/network-final.pkl').Gs
    digits = Sampler(Gs)
    images = digits.images(digits.w(recorded['z'], truncation=Truncation(0.7)))
    assert np.abs(images.astype(int) - recorded['images_psi07']).max() <= 1


def test_minibatches_make_no_difference(sampler, monkeypatch):
    w = dlatents(sampler, 5)
    whole = sampler.images(w)
    monkeypatch.setattr(sampler, 'minibatch', 2)
    assert np.abs(sampler.images(w).astype(int) - whole).max() <= 1


@pytest.mark.parametrize('resolution, minibatch', [(1024, 4), (512, 8), (256, 16), (32, 64)])
def test_minibatches_are_bounded_by_the_largest_layer(resolution, minibatch):
    class OnlyConfig:
        config, has_w = GeneratorConfig(resolution=resolution), True

    assert Sampler(OnlyConfig()).minibatch == minibatch


def test_a_compiled_sampler_makes_the_same_images(sampler):
    compiled = Sampler(sampler.Gs, compiled=True)
    for count in (1, 3):
        w = dlatents(sampler, count)
        assert np.abs(compiled.images(w).astype(int) - sampler.images(w)).max() <= 1


def test_a_growing_network_is_shown_at_the_size_that_it_has():
    Gs = small_generator()
    growing = Sampler(Gs, lod=1.25)
    assert growing.resolution == 16 and growing.num_layers == 6
    w = dlatents(growing)
    assert growing.images(w).shape == (3, 16, 16, 1)
    np.testing.assert_array_equal(growing.images(w), to_uint8(
        Gs.synthesis(w, lod=1.25, randomize_noise=False)))


def test_noise_is_stored_or_fresh_or_none(sampler):
    Gs, w = sampler.Gs, dlatents(sampler)
    stored = sampler.images(w)
    np.testing.assert_array_equal(stored, to_uint8(Gs.synthesis(w, randomize_noise=False)))
    fresh, none = Sampler(Gs, noise='random'), Sampler(Gs, noise='none')
    first = fresh.images(w)
    assert not np.array_equal(first, stored) and not np.array_equal(first, fresh.images(w))
    np.testing.assert_array_equal(none.images(w), sampler.images(w, sampler.stored_noise(())))
    again = Sampler(Gs, noise='random')
    np.testing.assert_array_equal(again.images(w), first)


def test_noise_of_some_layers_leaves_the_others_without(sampler):
    maps, chosen = sampler.stored_noise(), sampler.stored_noise(range(2, 4))
    for i, (full, part) in enumerate(zip(maps, chosen)):
        np.testing.assert_array_equal(part, full if i in (2, 3) else np.zeros(full.shape))


def test_progan_has_pictures_but_neither_w_nor_truncation():
    Gs = build_network(ProganGeneratorConfig(resolution=16, latent_size=4, fmap_base=32, fmap_max=4,
                                             label_size=2))
    sampler, z = Sampler(Gs), np.random.RandomState(1).randn(3, 4).astype(np.float32)
    labels = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    np.testing.assert_array_equal(sampler.images(sampler.w(z, labels)),
                                  to_uint8(Gs(z, labels)))
    opening.check_truncation(sampler, Truncation(1.0))
    with pytest.raises(ValueError, match='--trunc_cutoff=all: this is a ProGAN network'):
        opening.check_truncation(sampler, Truncation(1.0, ALL_LAYERS))
    with pytest.raises(ValueError, match='--trunc=0.5: this is a ProGAN network'):
        opening.check_truncation(sampler, Truncation(0.5))


def test_images_of_z_are_those_of_its_w(sampler):
    z = np.random.RandomState(1).randn(5, 6).astype(np.float32)
    truncation = Truncation(0.6, 3)
    expected = sampler.images(sampler.w(z, truncation=truncation), convert=to_float)
    found = sampler.images_of(z, truncation=truncation, convert=to_float)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, sampler.Gs(
        z, truncation_psi=0.6, truncation_cutoff=3, randomize_noise=False), atol=1e-5)


def test_the_cutoff_says_which_layers_are_truncated(sampler):
    z = np.random.RandomState(1).randn(2, 6).astype(np.float32)
    average, free = sampler.Gs.dlatent_avg.numpy(), sampler.w(z, truncation=None)
    w = sampler.w(z, truncation=Truncation(0, cutoff=3))
    np.testing.assert_array_equal(w[:, :3], np.tile(average, [2, 3, 1]))
    np.testing.assert_allclose(w[:, 3:], free[:, 3:], atol=1e-6)
    np.testing.assert_array_equal(sampler.towards_average(free, 0.0)[:, -1], [average, average])
    np.testing.assert_array_equal(sampler.w(z), sampler.w(z, truncation=Truncation(0.7, 8)))


def test_psi_0_in_all_layers_is_one_and_the_same_image_and_with_the_default_cutoff_is_not():
    large = Sampler(small_generator(resolution=64))
    z = np.random.RandomState(1).randn(5, 6).astype(np.float32)
    images = large.images(large.w(z, truncation=Truncation(0.0, ALL_LAYERS)))
    assert len({image.tobytes() for image in images}) == 1
    average = np.broadcast_to(large.Gs.dlatent_avg.numpy(), [1, 10, 7])
    np.testing.assert_array_equal(images[0], large.images(average)[0])
    assert large.config.truncation_cutoff == 8 < large.num_layers
    free = large.images(large.w(z, truncation=Truncation(0.0)))
    assert len({image.tobytes() for image in free}) == 5


def test_a_cutoff_of_0_truncates_no_layer_and_one_of_too_many_is_refused(sampler):
    z = np.random.RandomState(1).randn(2, 6).astype(np.float32)
    np.testing.assert_allclose(sampler.w(z, truncation=Truncation(0.0, 0)),
                               sampler.w(z, truncation=None), atol=1e-6)
    opening.check_truncation(sampler, Truncation(0.5, 8))
    with pytest.raises(ValueError, match=r'--trunc_cutoff=9: must be all or within 0\.\.8'):
        opening.check_truncation(sampler, Truncation(0.5, 9))


def test_a_lod_draws_what_the_network_drew_when_it_was_that_far(tmp_path):
    path, Gs = tmp_path / 'n.safetensors', small_generator()
    snapshot.save(path, None, None, Gs)
    coarse = opening.open_sampler(str(path), 'full', lod=1.25)
    assert coarse.resolution == 16
    w = dlatents(coarse)
    np.testing.assert_array_equal(coarse.images(w), to_uint8(
        Gs.synthesis(w, lod=1.25, randomize_noise=False)))
    for lod in (-0.5, 3.5, float('nan')):
        with pytest.raises(ValueError, match=f'--lod={lod:g}: must be within 0..3 .*32x32 to 4x4'):
            opening.open_sampler(str(path), 'full', lod=lod)


def test_a_growing_network_has_no_lod_finer_than_its_own(tmp_path):
    path = tmp_path / 'n.safetensors'
    snapshot.save(path, None, None, small_generator(), lod=1.25)
    assert opening.open_sampler(str(path), 'full').resolution == 16
    assert opening.open_sampler(str(path), 'full', lod=2.0).resolution == 8
    with pytest.raises(ValueError, match='--lod=0: must be within 1.25..3 .*not trained yet'):
        opening.open_sampler(str(path), 'full', lod=0.0)


def test_which_chooses_between_g_and_its_moving_average(tmp_path):
    files = [tmp_path / name for name in ('whole.safetensors', 'small.safetensors')]
    G, Gs = small_generator(), small_generator()
    G.dlatent_avg.assign_add(tf.ones(7))
    D = build_network(DiscriminatorConfig(resolution=32, num_channels=1, fmap_base=32, fmap_max=5))
    snapshot.save(files[0], G, D, Gs)
    snapshot.save(files[1], None, None, Gs)
    for which, expected in ((None, Gs), ('Gs', Gs), ('G', G)):
        found, _ = opening.open_generator(str(files[0]), which=which)
        np.testing.assert_array_equal(found.dlatent_avg, expected.dlatent_avg)
    with pytest.raises(ValueError, match='--which=G: .*small.safetensors holds Gs only'):
        opening.open_generator(str(files[1]), which='G')


def test_full_size_images_of_a_growing_network_are_its_small_ones_enlarged():
    Gs = small_generator()
    w = dlatents(Sampler(Gs, 1.25))
    small, large = (Sampler(Gs, 1.25, full_size=full).images(w, convert=to_png_uint8)
                    for full in (False, True))
    np.testing.assert_array_equal(large, sheets.enlarge(small, 2))


def test_several_devices_draw_what_one_does():
    Gs, z = small_generator(), np.random.RandomState(1).randn(7, 6).astype(np.float32)
    devices = Devices([device.name for device in tf.config.list_logical_devices('CPU')[:2]])
    assert len(devices.names) == 2
    one, two = (Sampler(Gs, noise='random', minibatch=2, devices=some)
                for some in (ONE_DEVICE, devices))
    for _ in range(2):
        np.testing.assert_array_equal(one.images_of(z), two.images_of(z))
        np.testing.assert_array_equal(one.images(one.w(z)), two.images(two.w(z)))


def test_images_can_be_had_as_floats_and_drawn_with_gradients(sampler):
    w = tf.Variable(dlatents(sampler, 2))
    with tf.GradientTape() as tape:
        images = sampler.drawn(w, sampler.stored_noise())
    np.testing.assert_array_equal(sampler.images(w.numpy(), convert=to_float), images)
    assert np.abs(tape.gradient(images, w)).max() > 0


@pytest.mark.parametrize('bar, found', [(0, (0, 512)), (64, (64, 448)), (63, (64, 448)),
                                        (112, (112, 400)), (5, (0, 512))])
def test_black_bars_are_found_to_a_32nd_of_the_height(bar, found):
    samples = np.random.RandomState(1).randint(0, 256, [4, 512, 40, 3]).astype(np.uint8)
    samples[:, :bar] = samples[:, 512 - bar:] = 3
    assert opening.rows_between_bars(samples) == found


def test_black_images_and_a_black_top_alone_are_no_bars():
    assert opening.rows_between_bars(np.zeros([2, 32, 8, 1], np.uint8)) == (0, 32)
    samples = np.full([2, 32, 8, 1], 99, np.uint8)
    samples[:, :8] = 0
    assert opening.rows_between_bars(samples) == (0, 32)


def test_a_crop_is_the_middle_of_each_image(sampler):
    w = dlatents(sampler)
    cropped = Sampler(sampler.Gs, rows=opening.cropped_rows(sampler, '32x24'))
    np.testing.assert_array_equal(cropped.images(w), sampler.images(w)[:, 4:28])
    assert opening.cropped_rows(cropped, 'full') == (0, 32)
    for wrong in ('24x24', '32x33', '32x0', 'wide'):
        with pytest.raises(ValueError, match=f'--crop={wrong}: must be auto, full or 32xHEIGHT'):
            opening.cropped_rows(cropped, wrong)


@pytest.mark.parametrize('layers, ranges', [
    (18, ((0, 4), (4, 8), (8, 18))), (16, ((0, 4), (4, 8), (8, 16))),
    (14, ((0, 4), (4, 8), (8, 14))), (10, ((0, 4), (4, 8), (8, 10)))])
def test_coarse_is_up_to_8x8_middle_up_to_32x32_fine_the_rest(layers, ranges):
    assert style_layers.style_ranges(layers) == tuple(range(*ends) for ends in ranges)


@pytest.mark.parametrize('layers, ranges', [
    (8, ((0, 2), (2, 4), (4, 8))), (6, ((0, 2), (2, 3), (3, 6))), (4, ((0, 1), (1, 2), (2, 4))),
    (3, ((0, 1), (1, 2), (2, 3)))])
def test_networks_without_64x64_have_coarse_middle_and_fine_as_shares_of_the_layers(layers, ranges):
    assert style_layers.style_ranges(layers) == tuple(range(*ends) for ends in ranges)


def test_mixing_takes_the_layers_of_the_column_and_the_rest_of_the_row(sampler):
    w = dlatents(sampler)
    sheet = stills.mixing(sampler, w[:1], w[1:], [[0, 3]])
    by_hand = w[:1].copy()
    by_hand[0, [0, 3]] = w[2, [0, 3]]
    np.testing.assert_array_equal(sheet[-256:, -256:], sheets.visible(sampler.images(by_hand))[0])
    np.testing.assert_array_equal(sheet[-256:, :256], sheets.visible(sampler.images(w[:1]))[0])
    np.testing.assert_array_equal(sheet[:256, -256:], sheets.visible(sampler.images(w[2:]))[0])
    assert (sheet[:256, :256] == 255).all()


def test_a_sweep_goes_from_the_image_to_the_average(sampler):
    w = dlatents(sampler)
    sheet = stills.sweep(sampler, w, [1, 0])
    np.testing.assert_array_equal(sheet[:256, :256], sheets.visible(sampler.images(w[:1]))[0])
    np.testing.assert_array_equal(sheet[:256, -256:], sheet[-256:, -256:])


@pytest.mark.parametrize('strips', ['w', 'z'])
def test_strips_begin_and_end_with_their_images(sampler, strips):
    z = np.random.RandomState(1).randn(3, 6).astype(np.float32)
    w = sampler.w(z)
    sheet = stills.strips_w(sampler, w, 3) if strips == 'w' else stills.strips_z(sampler, z, None,
                                                                                 OWN, 3)
    ends = sheets.visible(sampler.images(w)).astype(int)
    assert sheet.shape == (2 * 256 + 8, 3 * 256 + 2 * 8, 1)
    for left, expected in ((sheet[:256, :256], ends[0]), (sheet[:256, -256:], ends[1]),
                           (sheet[-256:, -256:], ends[2])):
        assert np.abs(left - expected).max() <= 1
    assert not np.array_equal(sheet[:256, 264:520], sheet[:256, :256])


@pytest.mark.parametrize('styles, layers', [
    (None, [0, 1]), ('2,7', [2, 7]), ('4x4-8x8', [0, 1, 2, 3]), ('16x16', [4, 5]),
    ('0-1, 32x32,7', [0, 1, 6, 7]), ('fine', [4, 5, 6, 7]), ('middle,0', [2, 3, 0])])
def test_styles_are_those_asked_for_or_the_coarse_ones(sampler, styles, layers):
    assert style_layers.chosen_layers(sampler.num_layers, styles) == layers


@pytest.mark.parametrize('styles, layers', [
    ('coarse', range(4)), ('middle', range(4, 8)), ('64x64-1024x1024', range(8, 18)),
    ('4x4-8x8', range(4))])
def test_styles_by_resolution_are_the_papers_layers_at_1024(styles, layers):
    assert style_layers.chosen_layers(18, styles) == list(layers)


def test_a_style_layer_that_is_not_there_is_refused(sampler):
    with pytest.raises(ValueError, match='--styles: layer 8 must be within 0..7'):
        style_layers.chosen_layers(sampler.num_layers, '0,8')
    with pytest.raises(ValueError, match=r'--styles: layer 9 must be within 0..7.*4x4 to 32x32'):
        style_layers.chosen_layers(sampler.num_layers, '16x16-64x64')
    with pytest.raises(ValueError, match='no style layers'):
        style_layers.chosen_layers(Sampler(small_generator(use_styles=False)).num_layers, '0')
    with pytest.raises(ValueError, match='--styles=fine: the network has 2 style layers, too few'):
        style_layers.chosen_layers(2, 'fine')


@pytest.mark.parametrize('text, rule', [
    ('x', "'x' is none of these"), ('', "'' is none"), ('4x8', "'4x8' is none"),
    ('4x4-8', "'4x4-8' is none"), ('6x6', '6x6 is no resolution'), ('2x2', '2x2 is no resolution'),
    ('8x8-4x4', 'runs backwards'), ('3-1', 'runs backwards'), ('-1', "'-1' is none")])
def test_styles_that_are_none_are_refused_with_the_rule(text, rule):
    with pytest.raises(ValueError, match=f'^--styles={text}: must be layers, resol.*{rule}'):
        style_layers.chosen_layers(18, text)


def test_shrinking_what_was_enlarged_gives_it_back():
    images = np.random.RandomState(1).randint(0, 256, [2, 8, 6, 3]).astype(np.uint8)
    np.testing.assert_array_equal(sheets.shrink(sheets.enlarge(images, 4), 4), images)
    assert sheets.visible(images).shape == (2, 256, 192, 3)
    assert sheets.shrink(np.uint8([[[0], [1]], [[1], [1]]]), 2).tolist() == [[[1]]]


def test_w_comes_back_as_it_was_saved(sampler, tmp_path):
    w, path = dlatents(sampler), str(tmp_path / 'w.npz')
    w_files.save_w(path, w)
    np.testing.assert_array_equal(w_files.load_w(path, sampler), w)
    np.savez(path, w=w[0])
    np.testing.assert_array_equal(w_files.load_w(path, sampler), w[:1])
    np.testing.assert_array_equal(w_files.load_w(path, sampler, 0.0)[0, 0], sampler.Gs.dlatent_avg)
    np.testing.assert_array_equal(w_files.load_w(path, sampler, 0.0, 3)[0, 3:], w[0, 3:])


def test_w_written_bit_by_bit_is_the_file_that_numpy_writes(sampler, tmp_path):
    w, path = dlatents(sampler, 5), str(tmp_path / 'w.npz')
    with w_files.w_writer(path, w.shape) as put:
        put(w[:2])
        put(w[2:])
        assert not (tmp_path / 'w.npz').exists()
    np.savez(tmp_path / 'numpy.npz', w=w)
    assert (tmp_path / 'w.npz').read_bytes() == (tmp_path / 'numpy.npz').read_bytes()
    with pytest.raises(KeyboardInterrupt), w_files.w_writer(path, w.shape) as put:
        put(w[:2])
        raise KeyboardInterrupt
    np.testing.assert_array_equal(w_files.load_w(path, sampler), w)  # the earlier file
    assert sorted(path.name for path in tmp_path.iterdir()) == ['numpy.npz', 'w.npz']


@pytest.mark.parametrize('arrays, rule', [
    ({'z': np.zeros([1, 8, 7])}, 'array w of numbers'),
    ({'w': np.array([None])}, 'array w of numbers'), ({'w': np.array(['a'])}, 'array w of numbers'),
    ({'w': np.zeros([1, 8, 6])}, r'\[N, 8, 7\]'), ({'w': np.zeros([0, 8, 7])}, r'\[N, 8, 7\]'),
    ({'w': np.full([1, 8, 7], np.nan)}, 'finite')])
def test_a_file_that_is_no_w_of_this_network_is_refused(sampler, tmp_path, arrays, rule):
    path = str(tmp_path / 'w.npz')
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=f'^--w=.*w.npz: .*{rule}'):
        w_files.load_w(path, sampler)


def own_noise(sampler, count):
    random = np.random.RandomState(2)
    return [random.randn(count, *maps.shape[1:]).astype(np.float32)
            for maps in sampler.stored_noise()]


def test_noise_maps_come_back_with_their_w_and_are_drawn(sampler, tmp_path):
    w, noise, path = dlatents(sampler), own_noise(sampler, 3), str(tmp_path / 'w.npz')
    w_files.save_w(path, w, noise)
    saved = w_files.load(path, sampler)
    for own, found in zip(noise, saved.noise):
        np.testing.assert_array_equal(found, own)
    with w_files.w_writer(str(tmp_path / 'bit.npz'), w.shape, noise) as put:
        put(w)
    np.testing.assert_array_equal(w_files.load(str(tmp_path / 'bit.npz'), sampler).noise[3],
                                  noise[3])
    images = sampler.images(saved.w, saved.noise_of)
    np.testing.assert_array_equal(images[1:2], sampler.images(w[1:2], [m[1:2] for m in noise]))
    assert not np.array_equal(images, sampler.images(w))


def test_sheets_of_a_file_of_w_begin_and_end_with_its_noise(sampler):
    w, noise = dlatents(sampler, 2), own_noise(sampler, 2)
    saved = w_files.SavedW(w, noise)
    images = sheets.visible(sampler.images(w, saved.noise_of))
    strip = stills.strips_w(sampler, w, 3, saved.noise_of)
    swept = stills.sweep(sampler, w, [1, 0], None, saved.noise_of)
    for sheet in (strip, swept):
        np.testing.assert_array_equal(sheet[:256, :256], images[0])
    np.testing.assert_array_equal(strip[:, -256:], images[1])
    np.testing.assert_array_equal(swept[-256:, :256], images[1])
    between = stills.noise_between(saved.noise_of, 0, 3)(1, 1)[5]
    lengths = [np.linalg.norm(maps) for maps in (noise[5][0], between, noise[5][1])]
    assert lengths[1] == pytest.approx((lengths[0] + lengths[2]) / 2, rel=1e-5)


def test_w_of_another_network_file_is_refused_unless_allowed(sampler, tmp_path):
    files = [tmp_path / name for name in ('a.safetensors', 'b.safetensors')]
    for kimg, file in enumerate(files):
        snapshot.save(file, None, None, sampler.Gs, kimg=kimg)
    one, other = (opening.open_sampler(str(file), 'full') for file in files)
    path, w = str(tmp_path / 'w.npz'), dlatents(sampler)
    w_files.save_w(path, w, network_sha256=one.network_sha256)
    np.testing.assert_array_equal(w_files.load_w(path, one), w)
    np.testing.assert_array_equal(w_files.load_w(path, sampler), w)  # which knows no file
    with pytest.raises(ValueError, match='^--w=.*w.npz: was made with another network file'):
        w_files.load_w(path, other)
    np.testing.assert_array_equal(w_files.load_w(path, other, allow_other_network=True), w)


@pytest.mark.parametrize('damage', [
    lambda noise: noise.pop(), lambda noise: noise.__setitem__(2, noise[2][:1]),
    lambda noise: noise.__setitem__(3, noise[3] * np.nan)])
def test_noise_maps_that_do_not_fit_are_refused(sampler, tmp_path, damage):
    noise, path = own_noise(sampler, 3), str(tmp_path / 'w.npz')
    damage(noise)
    w_files.save_w(path, dlatents(sampler), noise)
    with pytest.raises(ValueError, match=r'^--w=.*w.npz: noise[237] must be finite numbers \[3, '):
        w_files.load(path, sampler)
