"""dataset_tool.py as users run it: exit codes, all or nothing, replaced targets, the cache."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from conversion import cache, from_images, workers, writing
from formats import folders

ROOT = pathlib.Path(__file__).resolve().parents[1]
CASES = ROOT / 'tests/parity/misc/dataset_tool'


def run(*arguments):
    """Exit code, standard output, standard error."""
    done = subprocess.run([sys.executable, str(ROOT / 'dataset_tool.py'), *map(str, arguments)],
                          capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout, done.stderr


def contents(directory):
    return {path.name: path.read_bytes() for path in pathlib.Path(directory).iterdir()
            if not path.name.endswith('.sources.json')}


def image_folder(path, count=3, size=16):
    path.mkdir(parents=True)
    for index in range(count):
        Image.new('RGB', (size, size), (index % 256, 0, 0)).save(path / f'{index:05}.png')
    return path


def test_commands_of_the_reference_run_with_its_arguments(tmp_path):
    code, output, errors = run('create_from_images', tmp_path / 'gray16', CASES / 'gray16/images',
                               '--shuffle', '0')
    assert (code, errors) == (0, '') and f'Written  {tmp_path}/gray16, 5 images' in output
    assert contents(tmp_path / 'gray16') == contents(CASES / 'gray16/expected/gray16')
    assert run('create_from_hdf5', tmp_path / 'hdf5', CASES / 'hdf5/mini.h5')[0] == 0
    assert contents(tmp_path / 'hdf5') == contents(CASES / 'hdf5/expected/hdf5')


def test_errors_are_one_line_and_exit_code_1(tmp_path):
    code, _, errors = run('create_from_images', tmp_path / 'out', tmp_path / 'missing')
    assert code == 1 and errors.count('\n') == 1
    assert errors.startswith(f'dataset_tool.py: error: {tmp_path}/missing: no such folder')
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/x.png').write_text('no image')
    code, _, errors = run('create_from_images', tmp_path / 'out', tmp_path / 'in')
    assert code == 1 and errors.splitlines()[1].startswith('  x.png: is not an image')
    assert errors.splitlines()[2].startswith('dataset_tool.py: error: 1 of 1 files')
    assert list(tmp_path.iterdir()) == [tmp_path / 'in']


def test_compare_exits_with_1_where_datasets_differ():
    code, output, _ = run('compare', CASES / 'rgb32/expected/rgb32', CASES / 'hdf5/expected/hdf5',
                          '--ignore_labels', '0')
    assert code == 1 and 'num_images: 9 and 6' in output


@pytest.mark.parametrize('command', ['create_from_images', 'create_lsun_wide', 'info'])
def test_help_of_every_option(command):
    code, output, _ = run(command, '--help')
    assert code == 0 and 'dataset_dir' in output


HALFWAY = """
import sys
sys.path.insert(0, {root!r})
from conversion import writing
from conversion import from_images
from cli import startup

def progress(items, total, what):
    for number, item in enumerate(items):
        if what == 'Writing' and number == total // 2:
            print('halfway', flush=True)
            sys.stdin.read()
        yield item

writing.progress = progress
options = from_images.Options(overwrite=True, workers=2)
startup.run(lambda args: from_images.create({out!r}, {source!r}, options))
"""


def stopped_halfway(tmp_path, number):
    """A run over 200 images that is sent a signal halfway: exit code and standard error."""
    source = image_folder(tmp_path / 'in', 200)
    (tmp_path / 'script.py').write_text(HALFWAY.format(root=str(ROOT), out=str(tmp_path / 'out'),
                                                       source=str(source)))
    process = subprocess.Popen([sys.executable, str(tmp_path / 'script.py')], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert 'halfway\n' in iter(process.stdout.readline, ''), process.stderr.read()
    assert (tmp_path / '.out.partial/out-r04.tfrecords').stat().st_size > 0
    process.send_signal(number)
    _, errors = process.communicate(timeout=600)
    return process.returncode, errors


@pytest.mark.parametrize('number, code', [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, number, code):
    from_images.create(str(tmp_path / 'out'), str(image_folder(tmp_path / 'before', 2)))
    old = contents(tmp_path / 'out')
    stopped, errors = stopped_halfway(tmp_path, number)
    assert stopped == code and 'Traceback' not in errors, errors
    assert sorted(os.listdir(tmp_path)) == ['before', 'in', 'out', 'script.py']
    assert contents(tmp_path / 'out') == old


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    stopped_halfway(tmp_path, signal.SIGKILL)
    assert sorted(os.listdir(tmp_path)) == ['.out.partial', 'in', 'script.py']
    from_images.create(str(tmp_path / 'out'), str(tmp_path / 'in'),
                       from_images.Options(max_images=5))
    assert sorted(os.listdir(tmp_path)) == ['in', 'out', 'script.py']


def test_two_runs_do_not_write_one_dataset(tmp_path):
    with folders.replacing(str(tmp_path / 'out')):
        with pytest.raises(ValueError, match='another run is writing this directory'):
            with folders.replacing(str(tmp_path / 'out')):
                pass
    assert os.listdir(tmp_path) == ['out']


def test_a_replacement_stopped_between_its_renames_is_taken_back(tmp_path):
    (tmp_path / '.out.old').mkdir()
    (tmp_path / '.out.old/out-r02.tfrecords').write_bytes(b'old')
    with pytest.raises(ValueError, match='exists already'):
        writing.write_arrays(str(tmp_path / 'out'), np.zeros([1, 1, 4, 4], np.uint8))
    assert contents(tmp_path / 'out') == {'out-r02.tfrecords': b'old'}


def test_a_target_is_replaced_only_on_demand_and_only_if_it_is_a_dataset(tmp_path):
    array = np.zeros([1, 1, 4, 4], np.uint8)
    (tmp_path / 'out').mkdir()
    writing.write_arrays(str(tmp_path / 'out'), array)  # an empty directory is no loss
    with pytest.raises(ValueError, match='exists already; add --overwrite'):
        writing.write_arrays(str(tmp_path / 'out'), array)
    writing.write_arrays(str(tmp_path / 'out'), np.concatenate([array, array]), overwrite=True)
    assert (tmp_path / 'out/out-r02.tfrecords').stat().st_size > 2 * 16
    (tmp_path / 'out/photo.jpg').write_bytes(b'dear to someone')
    with pytest.raises(ValueError, match="holds more than a dataset .'photo.jpg'"):
        writing.write_arrays(str(tmp_path / 'out'), array, overwrite=True)
    assert (tmp_path / 'out/photo.jpg').exists()


def double(chunk):
    return [2 * item for item in chunk]


def die(chunk):
    os._exit(1)


def test_results_come_in_order_from_any_number_of_workers():
    for count in (1, 3):
        with workers.Workers(count) as pool:
            assert list(pool.map(double, range(200))) == list(range(0, 400, 2))


def test_work_is_taken_only_as_far_as_it_is_needed():
    taken = []
    with workers.Workers(2) as pool:
        results = pool.map(double, (taken.append(item) or item for item in range(10000)))
        next(results)
        assert len(taken) <= 2 * 64


def test_a_worker_that_dies_is_an_error_not_a_hang():
    with pytest.raises(OSError, match='--workers=1'):
        with workers.Workers(2) as pool:
            list(pool.map(die, range(10)))


def test_workers_load_neither_tensorflow_nor_the_script(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(f'''import sys
sys.path.insert(0, {str(ROOT)!r})
assert __name__ == '__main__', 'the script was loaded by a worker'
from conversion import from_images
from_images.create({str(tmp_path / 'out')!r}, {str(CASES / 'rgb32/images')!r},
              from_images.Options(workers=2))
assert 'tensorflow' not in sys.modules
''')
    assert subprocess.run([sys.executable, script], check=False).returncode == 0
    assert (tmp_path / 'out').is_dir()


# The cache


def test_images_given_to_training_are_converted_once(tmp_path, capsys):
    folder = image_folder(tmp_path / 'faces')
    first = cache.ensure_dataset(folder, tmp_path / 'cache')
    assert 'converting them once' in capsys.readouterr().out
    stamp = os.stat(first).st_mtime_ns
    assert cache.ensure_dataset(folder, tmp_path / 'cache') == first
    assert 'already converted' in capsys.readouterr().out
    assert os.stat(first).st_mtime_ns == stamp
    assert os.path.basename(first).startswith('faces-')


def test_changed_images_or_options_are_converted_anew(tmp_path):
    folder = image_folder(tmp_path / 'faces')
    seen = {cache.ensure_dataset(folder, tmp_path / 'cache')}
    seen.add(cache.ensure_dataset(folder, tmp_path / 'cache', from_images.Options(shuffle=False)))
    os.utime(folder / '00000.png', (1, 1))
    seen.add(cache.ensure_dataset(folder, tmp_path / 'cache'))
    (folder / 'dataset.json').write_text(
        '{"labels": [["00000.png", 0], ["00001.png", 0], ["00002.png", 0]]}')
    seen.add(cache.ensure_dataset(folder, tmp_path / 'cache'))
    assert len(seen) == 4
    seen.add(cache.ensure_dataset(folder, tmp_path / 'cache', from_images.Options(workers=1)))
    assert len(seen) == 4


def test_the_cache_leaves_datasets_and_missing_paths_alone(tmp_path):
    dataset = CASES / 'rgb32/expected/rgb32'
    assert cache.ensure_dataset(dataset, tmp_path / 'cache') == str(dataset)
    assert cache.ensure_dataset(tmp_path / 'no', tmp_path / 'cache') == str(tmp_path / 'no')
    assert not (tmp_path / 'cache').exists()
