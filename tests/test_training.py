"""Real trainings: killed, stopped and resumed runs are the runs that were not."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from small_data import SMALL, stats_of, write_dataset

from runs.checkpoints import newest_nimg
from training import snapshot

ROOT = pathlib.Path(__file__).resolve().parents[1]
# 8x8, a fade, 16x16: twelve ticks of 64 images.
SCHEDULE = ['--lod_training_kimg=0.256', '--lod_transition_kimg=0.256', '--tick_kimg_base=0.064',
            '--total_kimg=0.768', '--network_snapshot_ticks=6', '--holdout=8', '--aug=ada',
            '--aug_target=0', '--aug_pipe=xflip,contrast']
DEADLINE_SECONDS = 600


def command(data, outdir, *more):
    return [sys.executable, str(ROOT / 'train.py'), f'--data={data}', f'--outdir={outdir}', *SMALL,
            *SCHEDULE, *more]


def run_until_tick(process_command, run_dir, tick, number):
    """Starts a training, sends it a signal once `tick` stands in stats.jsonl; returns its exit."""
    process = subprocess.Popen(process_command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    deadline = time.time() + DEADLINE_SECONDS
    stats = run_dir / 'stats.jsonl'
    while not (stats.exists() and len(stats.read_text().splitlines()) >= tick):
        assert process.poll() is None, process.stdout.read()
        assert time.time() < deadline, 'the training does not get on'
        time.sleep(0.01)
    process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE_SECONDS)
    return process.returncode, output


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory):
    """(data set, the run directory of an uninterrupted run, what it printed)."""
    folder = tmp_path_factory.mktemp('whole')
    data = write_dataset(folder / 'spots', label_size=2)
    offline = {**os.environ, 'STYLEGAN_CACHE_DIR': str(folder), 'http_proxy': 'http://127.0.0.1:9'}
    result = subprocess.run(command(data, folder / 'results', '--max_label_size=full',
                                    '--metrics=swd16k,fid10k', '--histograms', '--probe'),
                            capture_output=True, text=True, timeout=DEADLINE_SECONDS, env=offline)
    assert result.returncode == 0, result.stderr
    return data, folder / 'results' / '00000-sgan-spots-cond-1gpu', result.stdout


def test_a_run_leaves_what_people_script_against(whole_run):
    _, run_dir, printed = whole_run
    names = {path.name for path in run_dir.iterdir()}
    assert {'training_options.json', 'log.txt', 'stats.jsonl', 'reals.png', 'fakes000000.png',
            'network-snapshot-000000.safetensors', 'network-final.safetensors'} <= names
    assert any(name.startswith('events.out.tfevents') for name in names)
    options = json.loads((run_dir / 'training_options.json').read_text())
    assert options['G']['label_size'] == 2 and options['schedule']['lod_training_kimg'] == 0.256
    stats = stats_of(run_dir)
    assert [line['tick'] for line in stats] == list(range(1, 13))
    assert stats[0]['lod'] == 1 and stats[-1]['lod'] == 0
    assert any(0 < line['lod'] < 1 for line in stats)
    log = (run_dir / 'log.txt').read_text()
    assert 'tick 1     kimg 0.1      lod 1.00  minibatch 8    time ' in log
    assert 'Memory probe: one step at 16x16, 8 images' in log
    assert 'Compiling the 8x8 training step' in log and 'tick 12 ' in printed
    assert stats[-1]['augment'] > 0 and abs(stats[-1]['memorised']) < 10
    assert re.search(r"images/s \d+\.\d  augment 0\.\d{3}  r_t -?[01]\.\d{3}  memorised -?\d", log)


def events_of(run_dir):
    """{tag: {step: tensor}} of a run's one TensorBoard file."""
    found = {}
    (path,) = run_dir.glob('events.out.tfevents.*')
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def test_tensorboard_shows_the_numbers_of_stats_jsonl_the_grids_and_the_options(whole_run):
    _, run_dir, _ = whole_run
    events = events_of(run_dir)
    lines = [json.loads(line) for line in (run_dir / 'stats.jsonl').read_text().splitlines()]
    names = {tag.split('/')[1]: tag for tag in events if '/' in tag}
    for name in ('loss_D', 'loss_G', 'score_real', 'score_fake', 'penalty', 'G_lrate', 'D_lrate',
                 'lod', 'images_per_sec', 'gpumem_gb', 'cpumem_gb', 'loss_scale_G', 'loss_scale_D',
                 'Gs_distance', 'augment', 'r_t', 'memorised', 'score_holdout'):
        shown = events[names[name]]
        assert list(shown) == [line['nimg'] for line in lines]
        np.testing.assert_allclose(list(shown.values()), [line[name] for line in lines], rtol=1e-6)
    for name, files in (('reals', ['reals.png']), ('fakes', sorted(run_dir.glob('fakes*.png')))):
        newest = list(events[name].values())[-1]
        shown = tf.io.decode_png(newest[2], channels=1)[:, :, 0]
        np.testing.assert_array_equal(shown, PIL.Image.open(run_dir / files[-1]))
    assert list(events['fakes']) == [0, *(line['nimg'] for line in lines)]
    assert (run_dir / 'training_options.json').read_text() in events['options'][0].item().decode()


def test_weight_histograms_have_the_references_names_and_the_weights(whole_run):
    _, run_dir, _ = whole_run
    events, weights = events_of(run_dir), load_file(run_dir / 'network-final.safetensors')
    shown = {tag: steps for tag, steps in events.items() if tag in weights}
    assert len(shown) > 60 and not any('noise' in tag.split('/')[-1] for tag in shown)
    for name, steps in shown.items():
        buckets = steps[768]  # rows of left edge, right edge, count
        assert len(steps) == 12 and buckets[:, 2].sum() == weights[name].size
        assert buckets[:, 0].min() == pytest.approx(weights[name].min())


def test_the_distance_of_gs_is_relative_to_the_weights_of_g(whole_run):
    _, run_dir, _ = whole_run
    networks = snapshot.load(run_dir / 'network-final.safetensors')
    G, Gs = (np.concatenate([variable.numpy().ravel() for variable in network.trainable_variables])
             for network in (networks.G, networks.Gs))
    assert stats_of(run_dir)[-1]['Gs_distance'] == pytest.approx(
        np.linalg.norm(G - Gs) / np.linalg.norm(G), rel=1e-4)


def test_a_finished_run_has_nothing_left_to_do(whole_run):
    data, run_dir, _ = whole_run
    before = {path.name: path.read_bytes() for path in run_dir.glob('*.safetensors')}
    result = subprocess.run(command(data, run_dir.parent, '--max_label_size=full'),
                            capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert result.returncode == 0 and 'This run is complete: 0.768 of 0.768' in result.stdout
    assert {path.name: path.read_bytes() for path in run_dir.glob('*.safetensors')} == before


def test_metrics_are_measured_and_a_failing_one_is_logged(whole_run):
    _, run_dir, printed = whole_run
    lines = [json.loads(line) for line in
             (run_dir / 'metric-swd16k.jsonl').read_text().splitlines()]
    assert [line['kimg'] for line in lines] == [0.064, 0.384, 0.768]
    assert all(line['swd16k'] > 0 and line['network'].startswith('network-snapshot-')
               for line in lines)
    assert all(line['network_sha256'] and line['count'] == line['num_reals'] for line in lines)
    assert all('train.py' in line['command'] for line in lines)
    best = min(lines, key=lambda line: line['swd16k'])
    assert snapshot.load(run_dir / 'network-best-swd16k.safetensors').kimg == best['kimg']
    assert 'Metric fid10k failed: ' in printed  # its feature network is not there
    assert not (run_dir / 'metric-fid10k.jsonl').exists()


def assert_same_run(run_dir, whole):
    assert stats_of(run_dir) == stats_of(whole)
    expected = load_file(whole / 'network-final.safetensors')
    for name, array in load_file(run_dir / 'network-final.safetensors').items():
        assert (array == expected[name]).all(), name


# The second has its checkpoints by the clock: after every few iterations, anywhere in a tick.
@pytest.mark.parametrize('number, tick, exit_code, options', [
    (signal.SIGTERM, 3, 130, []),
    (signal.SIGKILL, 7, -9, ['--checkpoint_ticks=1000', '--checkpoint_minutes=1e-6'])])
def test_a_killed_run_goes_on_bit_for_bit(whole_run, tmp_path, number, tick, exit_code, options):
    data, whole, _ = whole_run
    run_dir = tmp_path / '00000-sgan-spots-cond-1gpu'
    again = command(data, tmp_path, '--max_label_size=full', '--noprobe', *options)
    returned, output = run_until_tick(again, run_dir, tick, number)
    assert returned == exit_code, output
    assert not (run_dir / 'network-final.safetensors').exists()
    assert newest_nimg(run_dir / 'checkpoints') >= 64 * tick - 32
    result = subprocess.run(again, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert result.returncode == 0, result.stderr
    assert 'Resuming at kimg' in result.stdout and 'optimizers restored' in result.stdout
    assert os.listdir(tmp_path) == [run_dir.name]
    assert_same_run(run_dir, whole)
