"""The explorer without its page: pictures come with what draws them again; errors are one line."""

import io
import re
import shlex
import socket
import sys
import zipfile

import numpy as np
import PIL.Image
import pytest
from commands import results_of
from parity_data import PARITY
from test_pictures import small_generator
from test_plot_run import write_run

from editing.directions import Direction
from editing.distances import PixelPyramid
from editing.projection import Options
from explorer import mixing, moving, projecting, seeds, serving, trainings, walking
from explorer.picture import COMMAND_FILE, archive
from explorer.studio import open_studio, strongest
from formats.png import pixels
from training import snapshot
from training.build import build_network
from training.config import ProganGeneratorConfig

NETWORK = f'{PARITY}/digits/network-final.pkl'


@pytest.fixture(scope='module')
def studio():
    return open_studio(NETWORK)


def seed(studio, number, **changes):
    first = seeds.first_choice(studio.sampler.config)
    return seeds.seed_picture(studio, seeds.Choice(
        **{**vars(first), 'seed': number, **changes}))


def projected(studio, steps, stop_after=None, **options):
    """(words of the previews, the Picture) of a projection of seed 7's image."""
    target, stop = seed(studio, 7).image / np.float32(127.5) - 1, projecting.Stop()
    words = []
    for number, preview in enumerate(projecting.previews(
            studio, target, PixelPyramid(), Options(steps=steps, **options), stop), 1):
        words.append(preview.words)
        stop.asked = number == stop_after
    return words, preview.picture


def unpacked(folder, picture, studio):
    """The flags of the picture's command, run where its archive was unpacked."""
    with zipfile.ZipFile(io.BytesIO(archive(picture, studio.sampler.network_sha256))) as file:
        file.extractall(folder)
    python, script, *flags = shlex.split((folder / COMMAND_FILE).read_text())
    assert (python, script) == ('python', 'generate.py')
    return [flag.replace('_w=', f'_w={folder}/').replace('--w=', f'--w={folder}/')
            for flag in flags] + [f'--outdir={folder}/again']


@pytest.fixture(scope='module')
def pictures(studio, tmp_path_factory):
    """{case: Picture}; each was drawn again into the folder CASE/again."""
    classes = tmp_path_factory.mktemp('classes') / 'classes.safetensors'
    snapshot.save(classes, None, None, small_generator(label_size=3, num_channels=3))
    seven, loud, bare = (seed(studio, 7), seed(studio, 8, noise='random', psi=-0.35, cutoff=3),
                         seed(studio, 4294967295, noise='none', psi=1.25))
    moved = moving.moved_picture(studio, loud, [0, 1.5, 0, -2])
    found = {
        'seven': seven, 'loud': loud, 'bare': bare, 'moved': moved,
        'class': seed(open_studio(str(classes)), 3, class_idx=2),
        'lod': seed(open_studio(NETWORK, which='G', lod=1.0), 3),
        'mix': mixing.mixed_sheet(studio, [seven, loud], [bare, moved], ['8x8', '32x32']),
        'strip': walking.strip(studio, [seven, loud, moved], 4),
        'projected': projected(studio, 3, space='w+')[1],
        'moved_projected': moving.moved_picture(studio, projected(studio, 2)[1], [1]),
    }
    folder = tmp_path_factory.mktemp('pictures')
    results = results_of('generate', [unpacked(folder / case, picture, studio)
                                      for case, picture in found.items()])
    assert [code for code, *_ in results] == [0] * len(results), results
    return folder, found


CASES = ['seven', 'loud', 'bare', 'moved', 'class', 'lod', 'mix', 'strip', 'projected',
         'moved_projected']


@pytest.mark.parametrize('case', CASES)
def test_the_command_of_a_picture_draws_its_pixels_again(pictures, case):
    folder, found = pictures
    [path] = (folder / case / 'again').iterdir()
    again = pixels(path.read_bytes())
    np.testing.assert_array_equal(again, found[case].image)
    np.testing.assert_array_equal(
        pixels((folder / case / f'{found[case].name}.png').read_bytes()), again)
    assert again.std() > 10


def test_the_pictures_are_different(pictures):
    _, found = pictures
    images = [found[case].image.tobytes() for case in CASES]
    assert len(set(images)) == len(CASES)


def test_the_w_of_a_mix_are_those_of_its_cells(pictures, studio):
    _, found = pictures
    rows, columns = (found[name].saved.w for name in ('loud', 'moved'))
    last = found['mix'].saved.w[3]
    np.testing.assert_array_equal(last[[2, 3, 6, 7]], columns[0, [2, 3, 6, 7]])
    np.testing.assert_array_equal(last[[0, 1, 4, 5]], rows[0, [0, 1, 4, 5]])
    cell = studio.draw(found['mix'].saved._replace(
        w=last[np.newaxis], noise=[maps[3:] for maps in found['mix'].saved.noise]))
    np.testing.assert_array_equal(found['mix'].image[-256::8, -256::8], cell)


def test_the_command_of_a_film_makes_the_same_film(studio, tmp_path):
    shelf = [seed(studio, 7), seed(studio, 12, noise='none')]
    walking.write_film(studio, shelf, 0.2, False, str(tmp_path / 'page.mp4'))
    unpacked(tmp_path, walking.strip(studio, shelf, 2), studio)
    _, _, *flags = shlex.split(walking.film_command(studio, 0.2, False))
    [(code, _, errors)] = results_of('generate_video', [[
        flag.replace('walk.', f'{tmp_path}/walk.') for flag in flags]])
    assert code == 0, errors
    assert (tmp_path / 'page.mp4').read_bytes() == (tmp_path / 'walk.mp4').read_bytes()


@pytest.mark.parametrize('call, words', [
    (lambda studio, seven: mixing.mixed_sheet(studio, [seven], [], ['4x4']), 'one on shelf B'),
    (lambda studio, seven: mixing.mixed_sheet(studio, [seven], [seven], []), 'one resolution'),
    (lambda studio, seven: walking.strip(studio, [seven], 3), 'two pictures or more'),
    (lambda studio, seven: seed(studio, -1), 'seed -1: must be within'),
])
def test_what_cannot_be_drawn_says_what_is_missing(studio, call, words):
    with pytest.raises(ValueError, match=words):
        call(studio, seed(studio, 7))


def test_a_slider_at_0_leaves_the_picture_as_it_is(studio):
    seven = seed(studio, 7)
    np.testing.assert_array_equal(moving.moved_picture(studio, seven, [0] * 8).image, seven.image)


def test_a_projection_comes_near_and_a_stopped_one_keeps_the_best(studio):
    words, picture = projected(studio, 60)
    error = picture.image.astype(float) - seed(studio, 7).image
    assert words[0].startswith('Step 1 of 60') and words[-1].startswith('Done: distance 0.0')
    assert np.sqrt(np.mean(error ** 2)) < 10
    words, picture = projected(studio, 1000, stop_after=1)
    assert words[-1].startswith('Stopped at step ') and picture.image.std() > 10


def test_a_target_that_is_no_image_says_so(studio, tmp_path):
    (tmp_path / 'a.png').write_text('no image')
    with pytest.raises(ValueError, match='^This file cannot be used: it is not an image'):
        projecting.target_of(studio.sampler, str(tmp_path / 'a.png'))
    PIL.Image.new('RGB', (60, 20), 'white').save(tmp_path / 'a.png')
    assert projecting.target_of(studio.sampler, str(tmp_path / 'a.png')).shape == (32, 32, 1)


def test_the_strongest_directions_come_first():
    def direction(name, **measures):
        return Direction(name, np.ones(1), (0,), 1.0, measures)

    some = [direction('none'), direction('weak', explained=0.1), direction('good', accuracy=0.9),
            direction('fair', agreement=0.5)]
    assert [one.name for one in strongest(some, 3)] == ['good', 'fair', 'weak']


def test_a_run_is_shown_as_it_grows(tmp_path):
    run_dir = write_run(tmp_path, '00003-sgan-spots-1gpu', ticks=0)
    (tmp_path / '00001-sgan-spots-1gpu').mkdir()
    (tmp_path / 'notes').mkdir()
    assert trainings.names(str(tmp_path)) == ['00003-sgan-spots-1gpu', '00001-sgan-spots-1gpu']
    states = [trainings.state_of(str(run_dir))]
    empty = trainings.view(str(run_dir))
    assert empty[:2] == (None, None) and empty.words.startswith('Nothing to see yet')
    for kimg in (0, 120):
        PIL.Image.new('L', (4000, 8), kimg).save(run_dir / f'fakes{kimg:06d}.png')
        states.append(trainings.state_of(str(run_dir)))
    write_run(tmp_path / 'more', 'run')
    (run_dir / 'stats.jsonl').write_bytes((tmp_path / 'more/run/stats.jsonl').read_bytes())
    states.append(trainings.state_of(str(run_dir)))
    assert len(set(states)) == 4 and trainings.state_of(str(run_dir)) == states[-1]
    view = trainings.view(str(run_dir))
    assert view.fakes.shape == (2, 1333, 1) and (view.fakes == 120).all()
    assert view.curves.ndim == 3 and view.words == 'fakes at 120 kimg, not finished'
    for name in ('notes', '..', '/etc', '00001-sgan-spots-1gpu/..'):
        with pytest.raises(ValueError, match='has no run'):
            trainings.run_dir_of(str(tmp_path), name)


@pytest.fixture(scope='module')
def refusals(tmp_path_factory):
    """{case: (exit code, stdout, stderr)} of explore.py, where there is a Gradio."""
    folder = tmp_path_factory.mktemp('explore')
    snapshot.save(folder / 'progan.safetensors', None, None, build_network(ProganGeneratorConfig(
        resolution=8, latent_size=4, fmap_base=16, fmap_max=4)))
    (folder / 'gradio-6.0.0.dist-info').mkdir()
    (folder / 'gradio-6.0.0.dist-info/METADATA').write_text('Name: gradio\nVersion: 6.0.0\n')
    network = f'--network={NETWORK}'
    with socket.create_server(('127.0.0.1', 0)) as taken:
        lines = {
            'taken': [network, f'--port={taken.getsockname()[1]}'],
            'host': [network, '--host=a..b'],
            'not_ours': [network, '--host=192.0.2.1', '--port=0'],
            'port': [network, '--port=65536'],
            'network': ['--network=nowhere.pkl'],
            'progan': [f'--network={folder}/progan.safetensors', '--port=0'],
            'directions': [network, '--port=0', '--directions=nowhere.safetensors'],
            'vgg16': [network, '--port=0', '--vgg16=nowhere.pth'],
        }
        path = f'{folder}:{":".join(sys.path)}'
        return dict(zip(lines, results_of('explore', list(lines.values()), PYTHONPATH=path)))


@pytest.mark.parametrize('case, words', [
    ('taken', r'--port=\d+: cannot be had on 127.0.0.1 .*stop what listens there, or take another'),
    ('host', '--host=a..b: is no address of this machine'),
    ('not_ours', '--host=192.0.2.1: is no address of this machine'),
    ('port', '--port=65536'), ('network', 'nowhere.pkl: no such file'),
    ('progan', 'this is a ProGAN network, which has no w'),
    ('directions', 'nowhere.safetensors'), ('vgg16', '--vgg16=nowhere.pth: there is no such file'),
])
def test_what_cannot_be_opened_is_one_line_before_anything_starts(refusals, case, words):
    code, output, errors = refusals[case]
    assert code == 1 and output == '' and re.search(words, errors), errors
    assert case == 'port' or len(errors.splitlines()) == 1  # absl's own errors show the usage too


@pytest.mark.parametrize('found, words', [
    (None, 'which is not installed; install it: '), ('3.36.1', 'which is version 3.36.1 here; ')])
def test_without_its_gradio_the_command_that_installs_it_is_named(monkeypatch, found, words):
    def version(name):
        if found is None:
            raise serving.importlib.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(serving.importlib.metadata, 'version', version)
    with pytest.raises(ValueError, match=f'^the page needs Gradio 6, {words}.*-m pip install -r '
                                         r'requirements-web\.txt'):
        serving.check_gradio()


def test_it_says_where_it_listens():
    with serving.listening('localhost', 0) as listener:
        assert serving.is_loopback(listener)
        assert serving.address_of(listener).startswith('http://')
    with serving.listening('0.0.0.0', 0) as listener:
        assert not serving.is_loopback(listener)
        assert serving.address_of(listener).startswith('http://127.0.0.1:')
