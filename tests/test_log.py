"""What a run tells: the reference's line, and logs that a resumed run does not contradict."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from formats import png
from runs.log import RunLog, format_time
from training.progress import tick_line

STATS = {'tick': 17, 'kimg': 2100.0, 'lod': 5.5, 'minibatch': 128, 'time': '1h 31m 20s',
         'sec_per_tick': 412.8, 'sec_per_kimg': 3.44, 'maintenance_sec': 4.1, 'gpumem_gb': 5.3,
         'cpumem_gb': 7.9, 'resolution': 32, 'percent': 8.4, 'eta': '21h 00m 00s',
         'loss_D': 1.2345, 'loss_G': 0.5, 'nimg': 2100000, 'images_per_sec': 290.6}


def test_the_line_begins_as_the_references():
    assert tick_line(STATS).startswith(
        'tick 17    kimg 2100.0   lod 5.50  minibatch 128  time 1h 31m 20s   sec/tick 412.8   '
        'sec/kimg 3.44    maintenance 4.1    gpumem 5.3')


@pytest.mark.parametrize('seconds, text', [
    (0, '0s'), (59.6, '1m 00s'), (185, '3m 05s'), (5480, '1h 31m 20s'), (184500, '2d 03h 15m')])
def test_times_as_people_read_them(seconds, text):
    assert format_time(seconds) == text


def test_lines_ahead_of_the_checkpoint_are_dropped_even_half_ones(tmp_path):
    lines = [json.dumps({'kimg': kimg}) for kimg in (1.0, 2.0, 3.0)]
    for name in ('stats.jsonl', 'metric-swd16k.jsonl'):
        (tmp_path / name).write_text('\n'.join(lines) + '\n{"kimg": 3')
    log = RunLog(str(tmp_path), 10)
    log.start_at(2.0)
    log.close()
    for name in ('stats.jsonl', 'metric-swd16k.jsonl'):
        assert (tmp_path / name).read_text() == '\n'.join(lines[:2]) + '\n'


def test_results_of_run_metrics_stay_in_any_order(tmp_path):
    def line(kimg, **more):
        return json.dumps({'metric': 'fid50k', 'kimg': kimg, **more}) + '\n'
    own = [line(kimg, best=False) for kimg in (1.0, 2.0, 3.0)]
    added = [line(3.0), line(1.0), line(2.0)]
    path = tmp_path / 'metric-fid50k.jsonl'
    path.write_text(''.join([own[0], added[0], *own[1:], *added[1:]]) + '{"metric": "fid50k", "ki')
    log = RunLog(str(tmp_path), 10)
    log.start_at(2.0)
    log.close()
    assert path.read_text() == ''.join([own[0], added[0], own[1], *added[1:]])


def test_a_slow_phase_says_its_seconds(tmp_path, capsys):
    log = RunLog(str(tmp_path), 10)
    with log.phase('Compiling'):
        pass
    log.close()
    assert re.fullmatch(r'Compiling \.\.\. \d+\.\ds\n', capsys.readouterr().out)
    assert re.fullmatch(r'Compiling \.\.\. \d+\.\ds\n', (tmp_path / 'log.txt').read_text())


def test_a_grid_is_told_as_tensorflow_tells_pictures(tmp_path):
    picture = np.random.RandomState(0).randint(0, 256, [9, 5, 3]).astype(np.uint8)
    log = RunLog(str(tmp_path / 'ours'), 1)
    log.picture('fakes', png.encoded(picture, '.png'), picture.shape, 70)
    log.close()
    with tf.summary.create_file_writer(str(tmp_path / 'theirs')).as_default(step=70):
        tf.summary.image('fakes', picture[None])
    found = []
    for name in 'ours', 'theirs':
        path, = (tmp_path / name).glob('events*')
        event, = [event for event in tf.compat.v1.train.summary_iterator(str(path))
                  if event.summary.value]
        value, = event.summary.value
        width, height, data = tf.make_ndarray(value.tensor)
        np.testing.assert_array_equal(png.pixels(data), picture)
        found.append((event.step, value.tag, value.metadata, width, height))
    assert found[0] == found[1] and found[0][3:] == (b'5', b'9')
