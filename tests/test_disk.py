"""A disk that fills up: old files are removed, with a warning, and training goes on."""

import contextlib
import errno
import os
import pathlib
import resource
import sys

import pytest
import tensorflow as tf
from small_data import SMALL_OPTIONS, stats_of, write_dataset
from small_disks import run_on_small_disk

from runs.checkpoints import newest_nimg
from runs.disk import append_line, dispensable, is_full
from runs.log import RunLog
from training import snapshot

ROOT = pathlib.Path(__file__).resolve().parents[1]


def make_files(run_dir, checkpoints=(), snapshots=()):
    for nimg in checkpoints:
        (run_dir / 'checkpoints' / f'checkpoint-{nimg}').mkdir(parents=True)
    for kimg in snapshots:
        (run_dir / f'network-snapshot-{kimg:06d}.safetensors').write_text('network')
    for name in ('network-best-swd16k.safetensors', 'network-final.safetensors', 'reals.png'):
        (run_dir / name).write_text('to stay')


def names(paths):
    return [os.path.basename(path) for path in paths]


def test_what_may_go_is_never_the_newest(tmp_path):
    make_files(tmp_path, (64, 128, 1000), (1, 2, 3, 10))
    assert names(dispensable(tmp_path)) == [
        'checkpoint-64', 'checkpoint-128', 'network-snapshot-000001.safetensors',
        'network-snapshot-000002.safetensors']


def full_for(times):
    """An action that finds no room so many times: /dev/full has none, ever."""
    targets = iter(['/dev/full'] * times)
    return lambda: append_line(next(targets, os.devnull), 'x')


@pytest.mark.parametrize('times, removed', [
    (0, []), (1, ['checkpoint-64']), (2, ['checkpoint-64', 'checkpoint-128']),
    (3, ['checkpoint-64', 'checkpoint-128', 'network-snapshot-000001.safetensors'])])
def test_no_more_is_removed_than_the_file_needs(tmp_path, times, removed):
    make_files(tmp_path, (64, 128, 192), (1, 2, 3))
    log = RunLog(str(tmp_path), 10)
    before = dispensable(tmp_path)
    assert log.disk.write('fakes000003.png', full_for(times))
    log.close()
    assert names(before)[times:] == names(dispensable(tmp_path))
    warning = (tmp_path / 'log.txt').read_text() if times else ''
    assert len(warning.splitlines()) == (1 if times else 0)
    for name in (*removed, *(['fakes000003.png'] if times else [])):
        assert name in warning


def test_with_nothing_left_to_remove_it_is_said_and_no_error(tmp_path, capsys):
    make_files(tmp_path, (64, 128), (1, 2, 3))
    log = RunLog(str(tmp_path), 10)
    assert not log.disk.write('the checkpoint', full_for(100))
    log.close()
    assert newest_nimg(tmp_path / 'checkpoints') == 128
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith('events')}
    assert left == {'checkpoints', 'network-snapshot-000002.safetensors', 'log.txt', 'reals.png',
                    'network-snapshot-000003.safetensors', 'network-best-swd16k.safetensors',
                    'network-final.safetensors'}
    assert 'the checkpoint could not be written, training goes on' in capsys.readouterr().out


def test_a_log_without_room_is_printed_all_the_same(tmp_path, capsys):
    os.symlink('/dev/full', tmp_path / 'log.txt')
    os.symlink('/dev/full', tmp_path / 'metric-fd.jsonl')
    log = RunLog(str(tmp_path), 10)
    log.say('tick 1')
    log.metric('fd', {'kimg': 1})
    log.close()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == 'tick 1'
    assert [line for line in printed if 'metric-fd.jsonl could not be written' in line]


@pytest.mark.parametrize('message, is_disk', [('No space left on device', True),
                                              ('OOM when allocating tensor', False)])
def test_tensorboard_without_room_is_told_no_more(tmp_path, capsys, monkeypatch, message, is_disk):
    """Its writer is not used again: it would go on in the middle of a record."""
    def failing(*_):
        raise tf.errors.ResourceExhaustedError(None, None, message)

    log = RunLog(str(tmp_path), 10)
    expected = contextlib.nullcontext() if is_disk else pytest.raises(tf.errors.OpError)
    with monkeypatch.context() as patch, expected:
        patch.setattr(tf.summary, 'scalar', failing)
        log.tick('tick 1', {'nimg': 8})
    log.tick('tick 2', {'nimg': 16})
    log.close()
    printed = capsys.readouterr().out
    assert printed.count('TensorBoard gets no more') == is_disk and 'tick 2' in printed
    assert len((tmp_path / 'stats.jsonl').read_text().splitlines()) == 2
    [events] = tmp_path.glob('events*')
    assert (b'Progress/nimg' in events.read_bytes()) != is_disk


def test_a_terminal_that_takes_nothing_does_not_end_a_training(tmp_path, monkeypatch):
    log = RunLog(str(tmp_path), 10)
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'stdout', open('/dev/full', 'w'))
        for _ in range(3):
            log.say('tick ' * 4000)  # more than a buffer
    log.close()
    assert (tmp_path / 'log.txt').read_text() == 3 * ('tick ' * 4000 + '\n')


def test_other_errors_are_no_full_disk(tmp_path):
    log = RunLog(str(tmp_path), 10)
    with pytest.raises(FileNotFoundError):
        log.disk.write('x', lambda: open(tmp_path / 'none' / 'x', 'w'))
    log.close()
    assert is_full(OSError(errno.EDQUOT, 'Disk quota exceeded'))
    assert not is_full(OSError(errno.EACCES, 'Permission denied'))
    assert not is_full(MemoryError('OOM when allocating tensor'))


def test_a_line_is_added_whole(tmp_path):
    append_line(tmp_path / 'a.jsonl', '{"kimg": 1}')
    append_line(tmp_path / 'a.jsonl', '{"kimg": 2}')
    assert (tmp_path / 'a.jsonl').read_text() == '{"kimg": 1}\n{"kimg": 2}\n'
    with pytest.raises(OSError) as caught:
        append_line('/dev/full', 'x')
    assert is_full(caught.value)


def test_a_line_that_was_written_in_part_is_taken_back(tmp_path):
    path = tmp_path / 'a.jsonl'
    append_line(path, '{"kimg": 1}')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, limits[1]))  # as full as a disk with 8 bytes
    try:
        with pytest.raises(OSError):
            append_line(path, '{"kimg": 2}')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == '{"kimg": 1}\n'


def test_a_training_on_a_full_disk_goes_on_to_its_end(tmp_path):
    """The disk has room for one checkpoint of 120 KB, not for a second beside two snapshots."""
    data = write_dataset(tmp_path / 'dots', 8)
    options = {**SMALL_OPTIONS, 'tick_kimg_base': 1, 'total_kimg': 3, 'network_snapshot_ticks': 1}
    disk, copy = tmp_path / 'disk', tmp_path / 'copy'
    result = run_on_small_disk('330k', disk, copy, [
        sys.executable, ROOT / 'train.py', f'--data={data}', f'--outdir={disk}', '--preset=digits',
        '--metrics=none', *(f'--{name}={value}' for name, value in options.items())])
    assert result.returncode == 0, result.stdout + result.stderr
    run_dir = copy / '00000-sgan-dots-1gpu'
    assert 'The disk is full; removed checkpoint-0 to write' in result.stdout
    assert 'the checkpoint could not be written, training goes on without it' in result.stdout
    assert snapshot.load(run_dir / 'network-final.safetensors').kimg >= 3
    assert [line['tick'] for line in stats_of(run_dir)] == [1, 2, 3]
    assert newest_nimg(run_dir / 'checkpoints') >= 1000
    assert not list(run_dir.rglob('*.part')) and not list(run_dir.rglob('*.tmp'))
