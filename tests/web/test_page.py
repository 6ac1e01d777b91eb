"""The page in a real browser: what comes back are the right pixels, and nothing comes from outside.

All windows of this file are of one explorer; each test has windows of its own.
"""

import shlex
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest
from test_explorer import seed
from test_plot_run import write_run
from windows import NETWORK, ROOT, Window, chromium, explorer

from explorer import mixing, moving, walking
from explorer.studio import open_studio

pytestmark = pytest.mark.web


@pytest.fixture(scope='module')
def studio():
    return open_studio(str(NETWORK))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('web')


@pytest.fixture(scope='module')
def run_dir(folder):
    path = write_run(folder / 'results', '00007-sgan-spots-1gpu')
    PIL.Image.new('L', (64, 32), 50).save(path / 'fakes000000.png')
    return path


@pytest.fixture(scope='module')
def address(folder, run_dir):
    with explorer(folder / 'server', f'--network={NETWORK}',
                  f'--outdir={folder / "results"}') as (_, address):
        yield address
    assert not (folder / 'server').exists(), (folder / 'server').read_text()


@pytest.fixture(scope='module')
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_window(browser, address):
    """Opens windows and waits for their first picture; in the end none has asked others."""
    windows = []

    def open_one():
        windows.append(Window(browser, address))
        windows[-1].wait_for_pixels('seeds-image')
        return windows[-1]

    yield open_one
    for window in windows:
        window.close()
        assert window.outside == [] and window.complaints == []


@pytest.fixture
def window(open_window):
    return open_window()


def keep(window, studio, *numbers):
    """Draws seeds and keeps them on both shelves; their Pictures."""
    pictures = [seed(studio, number) for number in numbers]
    for count, (number, picture) in enumerate(zip(numbers, pictures), 1):
        window.type('#seed', number)
        window.wait_for_pixels('seeds-image', picture.image)
        for shelf in 'AB':
            window.click(f'Keep on shelf {shelf}')
            window.wait_for_shelf(shelf, count)
    return pictures


def test_seed_7_is_the_picture_that_generate_draws(window, folder):
    window.type('#seed', 7)
    window.wait_for_words('#seeds-command', '--seeds=7 ')
    unpacked = window.download(folder)
    command = (unpacked / 'command.txt').read_text()
    assert ' '.join(window.words('#seeds-command .cm-content').split()) == command.strip()
    python, *flags = shlex.split(command)
    subprocess.run([sys.executable, *flags, f'--outdir={unpacked}/again'], cwd=ROOT, check=True)
    with PIL.Image.open(unpacked / 'again/seed0007.png') as picture:
        expected = np.asarray(picture)
    assert expected.std() > 40
    np.testing.assert_array_equal(window.pixels('seeds-image'), expected)
    with PIL.Image.open(unpacked / 'seed0007.png') as picture:
        np.testing.assert_array_equal(np.asarray(picture), expected)
    assert np.load(unpacked / 'seed0007.npz')['w'].shape == (1, 8, 64)


def test_sliders_and_random_seeds_draw_what_they_say(window, studio):
    window.type('#seed', 3)
    window.type('#psi', -0.5)
    window.wait_for_pixels('seeds-image', seed(studio, 3, psi=-0.5).image)
    window.page.get_by_label('random', exact=True).check()
    window.wait_for_pixels('seeds-image', seed(studio, 3, psi=-0.5, noise='random').image)
    window.click('Random seed')
    window.wait_for_words('#seeds-command', r'--seeds=(?!3 )\d+ ')


def test_a_dragged_slider_queues_no_stale_work(window, studio):
    before = len(window.joins)
    window.page.locator('#psi input[type=range]').evaluate('''slider => {
        for (let i = 0; i <= 60; i++) {
            slider.value = -1 + i / 40;
            slider.dispatchEvent(new Event('input', {bubbles: true}));
            slider.dispatchEvent(new Event('change', {bubbles: true}));
        }
    }''')
    window.wait_for_pixels('seeds-image', seed(studio, 0, psi=0.5).image)
    assert 1 <= len(window.joins) - before <= 5


def test_shelves_are_mixed_and_walked_through(window, studio, folder):
    seven, twelve = keep(window, studio, 7, 12)
    window.tab('Mix')
    expected = mixing.mixed_sheet(studio, [seven, twelve], [seven, twelve], ['4x4', '8x8'])
    window.wait_for_pixels('mix-image', expected.image)
    window.page.get_by_label('4x4', exact=True).uncheck()
    window.page.get_by_label('32x32', exact=True).check()
    expected = mixing.mixed_sheet(studio, [seven, twelve], [seven, twelve], ['8x8', '32x32'])
    window.wait_for_pixels('mix-image', expected.image)
    assert sorted(path.name for path in window.download(folder).iterdir()) == [
        'command.txt', 'mix-columns.npz', 'mix-rows.npz', 'mix.npz', 'mix.png']
    window.tab('Walk')
    window.click('Draw the strip')
    window.wait_for_pixels('walk-image', walking.strip(studio, [seven, twelve], 7).image)
    assert np.load(window.download(folder) / 'walk.npz')['w'].shape == (2, 8, 64)
    window.type('#film-seconds', 1)
    window.click('Make the film')
    video = window.page.locator('#walk-film video')
    video.wait_for()
    window.page.wait_for_function(
        "() => document.querySelector('#walk-film video').readyState >= 2")
    assert video.evaluate('video => [video.duration, video.videoWidth]') == [1, 256]
    window.page.locator('#shelf-A .thumbnail-item').first.click()
    window.click('Remove the clicked picture')
    window.wait_for_shelf('A', 1)
    window.click('Draw the strip')
    window.wait_for_words('.toast-wrap', 'Keep two pictures or more on the shelf')


def test_directions_move_a_picture_and_reset_brings_it_back(window, studio, folder):
    seven, twelve = keep(window, studio, 7, 12)
    window.tab('Directions')
    window.wait_for_pixels('directions-image', twelve.image)
    window.type('#direction-2', 2.5)
    moved = moving.moved_picture(studio, twelve, [0, 2.5])
    window.wait_for_pixels('directions-image', moved.image)
    assert (window.download(folder) / 'seed0012-moved.npz').exists()
    window.page.get_by_label('Start from').click()
    window.page.get_by_role('option', name='A1: seed0007').click()
    window.wait_for_pixels('directions-image',
                           moving.moved_picture(studio, seven, [0, 2.5]).image)
    window.click('Reset')
    window.wait_for_pixels('directions-image', seven.image)


def choose(window, path):
    window.page.set_input_files('#target input[type=file]', path)


def test_a_dropped_picture_is_projected_with_previews(window, studio, folder):
    PIL.Image.fromarray(seed(studio, 7).image[..., 0]).resize([320, 320]).save(folder / 'me.png')
    window.tab('Project')
    choose(window, folder / 'me.png')
    aim = window.wait_for_pixels('aim-image').astype(float)
    window.type('#steps', 1000)
    window.click('Project')
    window.wait_for_words('#project-words', r'^Step \d+ of 1000, distance 0\.\d+ \(pixels')
    first = window.wait_for_pixels('project-image')
    window.wait_for_words('#project-words', r'Step (3|4|5|6|7|8|9)\d of 1000')
    assert not np.array_equal(window.pixels('project-image'), first)
    window.click('Stop')
    window.wait_for_words('#project-words', r'^Stopped at step \d+ of 1000, the best so far: dist')
    best = window.pixels('project-image').astype(float)
    assert np.sqrt(np.mean((best - aim) ** 2)) < 0.5 * aim.std()
    unpacked = window.download(folder)
    with PIL.Image.open(unpacked / 'projected.png') as picture:
        np.testing.assert_array_equal(np.asarray(picture), best)
    window.tab('Directions')
    window.page.get_by_label('Start from').click()
    window.page.get_by_role('option', name='the picture in Project').click()
    window.wait_for_pixels('directions-image', best)


def test_a_wrong_file_gives_a_message_and_the_page_goes_on(window, folder):
    (folder / 'notes.png').write_text('no image')
    window.tab('Project')
    window.click('Project')
    window.wait_for_words('.toast-wrap', 'Drop a picture first')
    choose(window, folder / 'notes.png')
    message = window.wait_for_words('.toast-wrap', 'This file cannot be used')
    assert 'it is not an image in a supported format' in message and 'Traceback' not in message
    assert window.pixels('aim-image') is None
    window.tab('Seeds')
    window.type('#seed', 5)
    window.wait_for_words('#seeds-command', '--seeds=5 ')


def test_a_run_is_seen_as_it_grows(window, run_dir):
    window.tab('Runs')
    assert (window.wait_for_pixels('fakes-image') == 50).all()
    assert window.wait_for_pixels('curves-image').std() > 10
    window.wait_for_words('#run-command', 'plot_run.py .*00007-sgan-spots-1gpu')
    PIL.Image.new('L', (64, 32), 90).save(run_dir / 'fakes000120.png')
    window.wait_for_words('#run-words', 'fakes at 120 kimg')
    window.wait_for_pixels('fakes-image', np.full([32, 64], 90))


def test_two_windows_do_not_mix(open_window, studio):
    one, other = open_window(), open_window()
    for number, window in ((7, one), (8, other)):
        window.type('#seed', number)
    for number, window in ((7, one), (8, other)):
        window.wait_for_pixels('seeds-image', seed(studio, number).image)
    one.click('Keep on shelf A')
    one.wait_for_shelf('A', 1)
    other.wait_for_shelf('A', 0)
    other.click('Keep on shelf A')
    other.wait_for_shelf('A', 1)
    for number, window in ((7, one), (8, other)):
        np.testing.assert_array_equal(window.pixels('shelf-A'), seed(studio, number).image[..., 0])


CALL = '''async ([label, data]) => {
    const config = window.gradio_config;
    const file = config.components.find(one => one.props.label === label).id;
    const call = config.dependencies.find(one => one.inputs.length === 1 && one.inputs[0] === file);
    const session_hash = Math.random().toString(36).slice(2);
    await fetch('gradio_api/queue/join', {method: 'POST',
        headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({data, fn_index: call.id, session_hash})});
    const answer = await fetch('gradio_api/queue/data?session_hash=' + session_hash);
    const reader = answer.body.getReader();
    let text = '';
    while (!text.includes('process_completed')) {
        const {done, value} = await reader.read();
        if (done) break;
        text += new TextDecoder().decode(value);
    }
    return text;
}'''


@pytest.mark.parametrize('path', [
    '/etc/passwd', str(NETWORK), str(ROOT / 'explore.py'), 'https://example.org/a.png',
    'http://127.0.0.1:9/a.png'])
def test_no_file_of_the_machine_is_served_and_no_url_fetched(window, path):
    for url in (f'gradio_api/file={path}', f'file={path}', f'gradio_api/proxy={path}',
                f'gradio_api/file/{path}'):
        answer = window.page.request.get(f'{window.address}{url}')
        assert answer.status in (403, 404), url
    answer = window.page.evaluate(CALL, [
        'Drop a picture here', [{'path': path, 'meta': {'_type': 'gradio.FileData'}}]])
    assert '"success":false' in answer and 'cannot be used' not in answer, answer


def test_the_guard_of_these_tests_refuses_and_records(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text("import socket\nsocket.create_connection(('192.0.2.1', 80), 1)\n")
    code = subprocess.run([sys.executable, ROOT / 'tests/web/guarded.py', tmp_path / 'record',
                           script], stderr=subprocess.DEVNULL).returncode
    assert code == 1 and '192.0.2.1' in (tmp_path / 'record').read_text()


def test_ctrl_c_ends_it_while_a_window_is_open(browser, folder):
    with explorer(folder / 'second', f'--network={NETWORK}') as (process, address):
        window = Window(browser, address)
        window.wait_for_pixels('seeds-image')
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        window.close()
    assert not (folder / 'second').exists()
