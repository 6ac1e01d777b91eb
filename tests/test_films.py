"""Films: what each frame shows, loops that close, files that are whole, memory that stays flat."""

import tracemalloc

import imageio_ffmpeg
import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_pictures import dlatents, small_generator
from test_train_flags import network_file

from formats import sheets
from pictures import films, mp4, training_film, w_files
from training.sampler import Sampler

DIGITS = f'--network={PARITY}/digits/network-final.pkl'
LOOP, OPEN = films.Timing(6, 5, True), films.Timing(6, 5, False)


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator())


def read(path):
    """(metadata, frames uint8 [N, H, W, 3]) of a film."""
    reader = imageio_ffmpeg.read_frames(str(path))
    metadata = next(reader)
    width, height = metadata['size']
    return metadata, np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3)
                               for frame in reader])


def test_time_runs_to_1_or_in_a_loop_to_the_frame_before():
    assert LOOP.num_frames == 30 and LOOP.time(15) == 0.5 and LOOP.time(30) == 1
    assert OPEN.time(29) == 1
    assert films.Timing(0.01, 1, False).num_frames == 1


@pytest.mark.parametrize('kind', ['walk', 'style', 'truncation', 'keys'])
def test_a_loop_ends_where_it_began(sampler, kind):
    w = dlatents(sampler)
    film = {'walk': lambda: films.random_walks(sampler, 2, LOOP, 1, pace=2),
            'style': lambda: films.style_walk(sampler, w, [0, 1], LOOP, 1, pace=2),
            'truncation': lambda: films.truncation_sweep(sampler, w, True),
            'keys': lambda: films.key_frames(w, True)}[kind]()
    np.testing.assert_allclose(film.w_at(0.0), film.w_at(1.0), atol=1e-5)
    assert np.abs(film.w_at(0.0) - film.w_at(0.5)).max() > 0.01


def test_a_style_walk_leaves_the_other_layers_fixed(sampler):
    w = dlatents(sampler)
    film = films.style_walk(sampler, w, [0, 1], LOOP, 1, pace=2)
    moved = film.w_at(0.4)
    np.testing.assert_array_equal(moved[:, 2:], w[:, 2:])
    assert not np.array_equal(moved[:, :2], w[:, :2])
    np.testing.assert_array_equal(moved[0, :2], moved[2, :2])


def test_key_frames_are_reached_one_after_the_other(sampler):
    w = dlatents(sampler)
    way = films.key_frames(w, False)
    np.testing.assert_allclose([way.w_at(t)[0] for t in (0, 0.5, 1)], w, atol=1e-6)
    round_trip = films.key_frames(w, True)
    np.testing.assert_allclose([round_trip.w_at(i / 3)[0] for i in range(3)], w, atol=1e-6)
    with pytest.raises(ValueError, match='two seeds or more'):
        films.key_frames(w[:1], True)


def test_a_truncation_sweep_passes_the_average(sampler):
    w = dlatents(sampler)
    film = films.truncation_sweep(sampler, w, False)
    np.testing.assert_allclose(film.w_at(0), w, atol=1e-6)
    np.testing.assert_allclose(film.w_at(0.5)[1, 3], sampler.Gs.dlatent_avg, atol=1e-6)


def test_a_truncation_sweep_of_some_layers_leaves_the_others(sampler):
    w = dlatents(sampler)
    film = films.truncation_sweep(sampler, w, False, cutoff=0)
    np.testing.assert_allclose(film.w_at(0.7), w, atol=1e-6)
    film = films.truncation_sweep(sampler, w, False, cutoff=3)
    np.testing.assert_allclose(film.w_at(0.5)[1, 2], sampler.Gs.dlatent_avg, atol=1e-6)
    np.testing.assert_allclose(film.w_at(0.5)[:, 3:], w[:, 3:], atol=1e-6)


def test_a_noise_loop_is_normal_at_every_moment(sampler):
    film = films.noise_loop(sampler, dlatents(sampler), seed=1)
    start, later = film.noise_at(0), film.noise_at(0.13)
    for i in (6, 7):
        assert abs(np.std(later[i]) - 1) < 0.1
        assert not np.allclose(start[i], later[i])
        np.testing.assert_allclose(start[i], film.noise_at(1)[i], atol=1e-5)


def test_frames_show_the_images_in_rows(sampler):
    w = dlatents(sampler)
    frame = next(films.frames(sampler, films.Film(3, lambda t: w), LOOP, columns=2))
    assert frame.shape == (2 * 256 + 8, 2 * 256 + 8, 1)
    expected = sheets.visible(sampler.images(w))[2].astype(int)
    assert np.abs(frame[264:, :256] - expected).max() <= 1  # minibatches round differently
    assert (frame[264:, 264:] == 255).all()


def test_frames_are_no_larger_than_players_take(sampler):
    w = np.repeat(dlatents(sampler, 1), 18, axis=0)
    frame = next(films.frames(sampler, films.Film(18, lambda t: w), films.Timing(1, 1, True), 18))
    assert frame.shape[1] <= 3840 and frame.shape[:2] == (128, (18 * 264 - 8) // 2)


def test_a_film_holds_its_frames_in_order(tmp_path):
    shades = [20, 120, 220]
    frames = (np.full([33, 64, 1], shade, np.uint8) for shade in shades)
    assert mp4.write_mp4(str(tmp_path / 'new' / 'film.mp4'), frames, 25) == 3
    metadata, shown = read(tmp_path / 'new' / 'film.mp4')
    assert metadata['fps'] == 25 and metadata['size'] == (64, 34)  # an even number of rows
    assert np.abs(shown.mean(axis=(1, 2, 3)) - shades).max() < 2


def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path):
    def peak(count):
        tracemalloc.start()
        mp4.write_mp4(str(tmp_path / 'film.mp4'),
                      (np.full([64, 64, 3], i % 256, np.uint8) for i in range(count)), 100)
        bytes_at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_at_most

    peak(2)
    assert peak(600) < peak(20) + 10 * 64 * 64 * 3


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_a_film_that_fails_leaves_what_was_there(tmp_path, error):
    path = tmp_path / 'film.mp4'
    path.write_bytes(b'earlier')

    def frames():
        yield np.zeros([16, 16, 3], np.uint8)
        raise error

    with pytest.raises(error):
        mp4.write_mp4(str(path), frames(), 25)
    assert path.read_bytes() == b'earlier' and list(tmp_path.iterdir()) == [path]


def test_what_ffmpeg_has_to_complain_of_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(mp4, 'ENCODER', ['-c:v', 'nonesuch', '-f', 'mp4'])
    frames = (np.zeros([256, 256, 3], np.uint8) for _ in range(100))
    with pytest.raises(OSError, match="film.mp4: the film could not be written; .*nonesuch"):
        mp4.write_mp4(str(tmp_path / 'film.mp4'), frames, 25)
    assert not list(tmp_path.iterdir())


def write_run(folder):
    """A run directory with pictures of a growing network; returns it."""
    folder.mkdir()
    for kimg, size, shade in ((0, 16, 50), (120, 32, 100), (1000000, 64, 200)):
        PIL.Image.new('L', (size * 2, size), shade).save(folder / f'fakes{kimg:06d}.png')
    PIL.Image.new('L', (256, 16), 255).save(folder / 'reals.png')
    return folder


def test_the_film_of_a_training_shows_its_pictures_in_order_at_one_size(tmp_path):
    paths = training_film.pictures_of(str(write_run(tmp_path / 'run')))
    size = training_film.frame_size(paths)
    assert size == (512, 256)  # 4 times the largest
    frames = list(training_film.frames(paths, size, 6))
    assert [frame.mean() for frame in frames] == [50, 50, 100, 100, 200, 200]


def test_a_picture_of_another_shape_is_fitted_in_on_black():
    frame = training_film.fitted(PIL.Image.new('RGB', (10, 10), 'white'), (40, 20))
    assert frame.shape == (20, 40, 3) and frame[:, 10:30].min() == 255 and not frame[:, :10].any()


def test_very_large_pictures_are_shrunk_to_what_players_take(tmp_path):
    PIL.Image.new('L', (7680, 4320)).save(tmp_path / 'fakes000000.png')
    assert training_film.frame_size([str(tmp_path / 'fakes000000.png')]) == (3840, 2160)


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('films')
    growing = network_file(folder / 'g.safetensors', resolution=8, num_channels=3, label_size=3)
    whole = network_file(folder / 'w.safetensors', resolution=16, num_channels=3)
    w_files.save_w(str(folder / 'w.npz'), np.random.RandomState(1).randn(2, 6, 4).astype('f'))
    run = write_run(folder / '00003-run')
    broken = write_run(folder / 'broken')
    (broken / 'fakes000007.png').write_bytes((broken / 'fakes000120.png').read_bytes()[:60])
    (folder / 'empty').mkdir()
    short = ['--seconds=0.5', '--fps=10']
    whole = f'--network={whole}'
    lines = {
        'walk': [f'--network={growing}', '--grid=2x1', *short],
        'coarse': [whole, '--kind=coarse', '--seeds=1,2', *short],
        'fine': [whole, '--kind=fine', '--seeds=1', '--noloop', *short],
        'styles': [whole, '--kind=styles', '--styles=8x8', '--seeds=1', *short],
        'lod': [whole, '--kind=keys', '--seeds=1,2', '--lod=1', '--which=G', *short],
        'noise': [whole, '--kind=noise', '--seeds=1', *short],
        'truncation': [whole, '--kind=truncation', '--seeds=1', *short],
        'keys': [whole, '--kind=keys', f'--w={folder / "w.npz"}', *short],
        'run': [f'--run={run}', '--seconds=3', '--fps=2'],
        'both': [whole, f'--run={run}'],
        'neither': [],
        'growing_styles': [f'--network={growing}', '--kind=coarse'],
        'walk_seeds': [whole, '--seeds=1'],
        'lonely_styles': [whole, '--kind=fine', '--styles=8x8'],
        'cutoff': [whole, '--trunc_cutoff=x'],
        'far_cutoff': [whole, '--trunc_cutoff=7'],
        'grid': [whole, '--kind=noise', '--seeds=0-4', '--grid=2x2'],
        'no_grid': [whole, '--grid=0x2'],
        'seconds': [whole, '--seconds=0'],
        'one_key': [whole, '--kind=keys', '--seeds=1'],
        'no_run': ['--run=nowhere'],
        'empty_run': [f'--run={folder / "empty"}'],
        'broken_run': [f'--run={broken}'],
    }
    results = results_of('generate_video', [[*line, f'--output={folder / name}.mp4']
                                            for name, line in lines.items()])
    return folder, dict(zip(lines, results))


@pytest.mark.parametrize('case, size, frames', [
    ('walk', (520, 256), 5), ('coarse', (520, 256), 5), ('fine', (256, 256), 5),
    ('styles', (256, 256), 5), ('lod', (256, 256), 5),
    ('noise', (256, 256), 5), ('truncation', (256, 256), 5), ('keys', (256, 256), 5),
    ('run', (512, 256), 6)])
def test_every_kind_of_film_is_a_whole_file(outcomes, case, size, frames):
    folder, results = outcomes
    assert results[case][0] == 0, results[case][2]
    metadata, shown = read(folder / f'{case}.mp4')
    assert metadata['size'] == size and len(shown) == frames and metadata['codec'] == 'h264'


@pytest.mark.parametrize('case, error', [
    ('both', 'give either --network'), ('neither', 'give either --network'),
    ('growing_styles', '--kind=coarse: the network has no three style layers'),
    ('walk_seeds', '--seeds and --w are not for --kind=walk'),
    ('lonely_styles', '--styles is for --kind=styles'), ('cutoff', '--trunc_cutoff=x: must be all'),
    ('far_cutoff', '--trunc_cutoff=7: must be all or within 0..6'),
    ('grid', '--grid=2x2: has 4 places for 5 images'), ('no_grid', '--grid=0x2: must be'),
    ('seconds', '--seconds=0: must be above 0'), ('one_key', 'give two seeds or more'),
    ('no_run', '--run=nowhere: neither a file, nor a run directory'),
    ('empty_run', 'there is no fakes*.png in it'), ('broken_run', 'fakes000007.png: is not a')])
def test_errors_are_one_line_and_leave_nothing(outcomes, case, error):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and error in errors and not (folder / f'{case}.mp4').exists()
    assert errors.count('generate_video.py: error: ') == 1
    assert not (folder / f'{case}.mp4.part').exists()
