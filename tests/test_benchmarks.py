"""The benchmarks count arithmetic rightly, and run."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_data import write_dataset

from training import arithmetic
from training.config import DiscriminatorConfig, GeneratorConfig

DIGITS = pathlib.Path(__file__).parent / 'parity/digits/network-final.pkl'
BENCHMARKS = pathlib.Path(__file__).resolve().parents[1] / 'benchmarks'
sys.path.append(str(BENCHMARKS))

import cost_growth  # noqa: E402
import eta  # noqa: E402
import scaling  # noqa: E402
import training_troubles  # noqa: E402


@pytest.mark.parametrize('config', [GeneratorConfig(), DiscriminatorConfig()])
def test_a_pass_is_counted_layer_by_layer(config):
    at_4, at_8, at_64 = 16 * 9 * 512 * 512, 64 * 9 * 512 * 512, 4096 * 9 * 256
    assert arithmetic.pass_flops(config, 4) == 2 * at_4
    assert arithmetic.pass_flops(config, 8) == 2 * (at_4 + 2 * at_8)
    assert arithmetic.pass_flops(config, 8, fused=True) == pytest.approx(
        2 * (at_4 + at_8 * (1 + 16 / 36)))
    added = arithmetic.pass_flops(config, 64) - arithmetic.pass_flops(config, 32)
    assert added == 2 * at_64 * (512 + 256)


@pytest.mark.parametrize('resolution, gflops', [(8, 10.19), (32, 191.4), (64, 408.8)])
def test_an_iteration_is_fifteen_passes(resolution, gflops):
    assert arithmetic.iteration_flops(GeneratorConfig(), resolution) / 1e9 == pytest.approx(
        gflops, rel=0.002)


def printed_by(program, *flags):
    """What a benchmark prints."""
    return subprocess.run([sys.executable, str(BENCHMARKS / program), *flags], check=True,
                          capture_output=True, text=True).stdout


def rows_of(text):
    """The cells of each row of the tables in a text, without the rules below the headings."""
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines()
            if line.startswith('|')]
    return [row for row in rows if set(row) != {'---'}]


def test_two_precisions_take_turns_in_one_table():
    head, *rows = rows_of(printed_by(
        'benchmark_training.py', '--preset=digits', '--resolution=8', '--minibatch=4',
        '--fmap_max=8', '--rounds=1', '--iterations=1', '--precision=float32,mixed_bfloat16'))
    assert [row[0] for row in rows] == ['float32', 'mixed_bfloat16']
    for row in rows:
        numbers = dict(zip(head, row))
        assert float(numbers['images/s']) == pytest.approx(4 / float(numbers['s/iteration']),
                                                           rel=0.2)


def test_passes_of_a_pipe_are_shares_of_an_iteration():
    _, *rows = rows_of(printed_by('benchmark_augment.py', '--preset=digits', '--resolution=8',
                                  '--minibatch=4', '--rounds=1'))
    assert [row[0] for row in rows] == ['iteration', 'iteration with the pipe', 'reals with r1',
                                        'fakes', 'fakes with gradient', 'the pipe in all']
    assert float(rows[-1][1]) == pytest.approx(sum(float(row[1]) for row in rows[2:-1]), abs=0.3)


def test_the_pipeline_is_compared_with_training():
    _, *rows = rows_of(printed_by('benchmark_pipeline.py', '--resolution=8', '--images=40',
                                  '--seconds=0.2', '--fmap_max=8'))
    (resolution, _, delivered, consumed, times), = rows
    assert resolution == '8'
    assert float(times) == pytest.approx(float(delivered) / float(consumed), abs=1)


def test_generating_is_timed_from_a_cold_start_too():
    text = printed_by('benchmark_generate.py', '--resolution=8', '--batches=1,4', '--rounds=1',
                      '--files=3', '--fmap_base=64')
    _, one, four, _, png, jpg = rows_of(text)
    assert [one[0], four[0], png[0], jpg[0]] == ['1', '4', '3 of PNG', '3 of JPG']
    for _, drawn, written, share in (png, jpg):
        assert float(written) / float(drawn) == pytest.approx(float(share), rel=0.02)
    assert float(re.search(r'cold start: ([\d.]+) s', text)[1]) > 1


def test_memory_of_generating_is_of_the_whole_program():
    _, *rows = rows_of(printed_by('generate_memory.py', '--counts=1,3', '--resolution=8',
                                  '--flags=--save_w --format=jpg'))
    assert [row[:2] for row in rows] == [['this', '1'], ['this', '3']]
    assert all(100 < float(row[2]) < 4000 for row in rows)  # TensorFlow alone takes hundreds of MB


def test_the_start_of_a_training_is_timed(tmp_path):
    data = write_dataset(tmp_path / 'spots')
    text = printed_by('benchmark_startup.py', f'--data={data}', '--rounds=1')
    # By the processor's clock, which other programs disturb less than that on the wall.
    imports, iteration = (float(number) for number in re.findall(r'CPU ([\d.]+)', text))
    assert 0.5 < imports < iteration


def test_growth_is_drawn(tmp_path):
    results = [cost_growth.case(['--preset=digits', '--fmap_max=8', '--rounds=1'], 8, minibatch)
               for minibatch in (4, 8)]
    assert results[1]['flops'] == 2 * results[0]['flops']
    cost_growth.draw({'minibatch': ('minibatch', results)}, tmp_path / 'growth.png')
    assert Image.open(tmp_path / 'growth.png').size == (800, 272)


def test_an_eta_is_off_by_what_the_run_then_took(tmp_path):
    ticks = [{'kimg': kimg, 'seconds': seconds, 'eta_sec': left, 'sec_per_kimg': 2.0}
             for kimg, seconds, left in ((5, 10, 200), (10, 20, 90), (50, 110, 0))]
    path = tmp_path / 'stats.jsonl'
    path.write_text(''.join(json.dumps(tick) + '\n' for tick in ticks))
    final = tmp_path / 'network-final.safetensors'
    final.write_text('')
    os.utime(path, (1000, 1000))
    os.utime(final, (1010, 1010))
    _, row = rows_of(printed_by('eta.py', str(tmp_path), '--percents=10'))
    assert row == ['10%', '10 s', '200 s', '110 s', '+82%', '90 s', '-18%']
    assert eta.rows_of(*eta.ticks_of(tmp_path), [20])[0][:5] == (20, 20, 90, 100, 90 / 100 - 1)


TINY = ['--total_kimg=0.32', '--lod_training_kimg=0.016', '--lod_transition_kimg=0.016',
        '--tick_kimg_base=0.016', '--metrics=none', '--fmap_max=8', '--latent_size=8',
        '--dlatent_size=8', '--mapping_fmaps=8', '--mapping_layers=1']


@pytest.mark.slow  # real trainings
def test_troubles_are_trained_and_drawn(tmp_path):
    text = printed_by('training_troubles.py', f'--outdir={tmp_path}', '--only=memorising',
                      *TINY)
    assert Image.open(tmp_path / 'trouble-memorising.png').size == (
        16 * 48 + 15 * 2, 2 * (20 + 2 * 48 + 2))
    assert '50 training images' in text and '1,797 training images' in text
    assert len(re.findall(r'^few .* loss_D ', text, re.M)) > 3


@pytest.mark.slow  # real trainings
def test_the_lowered_rate_goes_on_where_the_high_one_ended(tmp_path):
    lab = training_troubles.Lab(str(tmp_path), 0.256, TINY[1:])
    training_troubles.make_data(lab)
    training_troubles.lowered(lab)
    ticks = training_troubles.stats(lab.run_dir('rate-lowered'))
    assert [(tick['nimg'], tick['G_lrate']) for tick in ticks] == [  # 4 minibatches of 16 a tick
        (64, 0.06), (128, 0.06), (192, 0.006), (256, 0.006)]


def test_an_image_is_nearest_to_its_copy_or_where_told_to_another():
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] ** 2 * np.ones([1, 2, 2, 1])
    found, nearest = training_troubles.distances(images[::-1], images)
    assert (found == 0).all() and nearest.tolist() == [3, 2, 1, 0]
    found, nearest = training_troubles.distances(images, images, same=True)
    assert found.tolist() == [1, 1, 3, 5] and nearest.tolist() == [1, 0, 1, 2]


def test_the_page_is_timed_beside_the_generator():
    rows = rows_of(printed_by('explorer_latency.py', '--resolution=8', '--rounds=2'))
    assert [row[0] for row in rows][:4] == ['', 'generator', 'compiled', 'page']
    assert float(rows[1][2]) == 1 and 0.2 < float(rows[3][2]) < 5


def test_projections_are_compared_with_the_w_that_drew_them():
    text = printed_by('projection.py', '--seeds=2', '--steps=4', '--reals=2')
    rows = rows_of(text)
    assert [row[0] for row in rows] == ['', 'W', 'W+', '', 'the mean image', 'W', 'W+']
    assert 0.2 < float(rows[1][1]) < 1.5 and 'W+ is worse than W for 0 of 2 images' in text


def test_planted_faults_are_found_after_a_kill(tmp_path):
    text = printed_by('clean_recall.py', '--num_images=150', f'--folder={tmp_path}/photos')
    rows = rows_of(text)[1:]
    assert len(rows) == 10 and all(row[1] == '1' for row in rows)
    assert all(row[2] == '100.0%' for row in rows if row[0] != 'blurred')
    assert 'with what they were made of: 0 of 2' in text and 'Killed after' in text


def test_exported_networks_are_set_beside_ours():
    head, *rows = rows_of(printed_by('export.py', f'--network={DIGITS}', '--batches=1',
                                     '--rounds=1'))
    found = {row[0]: dict(zip(head, row)) for row in rows}
    assert set(found) == {'ours', 'SavedModel', 'ONNX Runtime', 'LiteRT', 'LiteRT, one image',
                          'LiteRT, float16', 'LiteRT, int8'}
    assert float(found['ONNX Runtime']['largest error']) < 1e-5
    assert float(found['LiteRT, int8']['MB']) < float(found['LiteRT']['MB']) / 2


def test_the_report_on_a_gpu_is_written_without_one(tmp_path):
    printed_by('gpu.py', f'--outdir={tmp_path}', '--minutes=5', '--resolutions=8', '--fmap_base=64',
               '--fmap_max=8', '--variants=float32;mixed_bfloat16', '--skip=parity,features')
    report = json.loads((tmp_path / 'report.json').read_text())
    assert [row[0] for row in report['environment']][:2] == ['TensorFlow', 'driver']
    for rows in report['iterations'].values():
        [row] = rows
        assert row['images_per_sec'] > 0 and 0 < row['of_peak'] < 2 and row['host'] > 0
    assert [row['batch'] for row in report['generate']] == [1, 16]
    text = (tmp_path / 'report.md').read_text()
    days = next(row for row in rows_of(text) if row[0] == 'float32' and 'days' in row[1])
    assert float(days[4].split()[0]) > float(days[1].split()[0]) > 0
    assert Image.open(tmp_path / 'rates.png').size == (880, 495)
    assert any((tmp_path / 'trace').rglob('*.pb'))


def test_conversion_is_timed_with_pixels_kept_and_without():
    text = printed_by('benchmark_dataset_tool.py', '--num_images=12', '--rounds=1', '--workers=1')
    rates = dict(re.findall(r'1 worker, (\w+): (\d+) images/s', text))
    assert list(rates) == ['memory', 'disk', 'twice'] and all(int(rate) > 0 for rate in
                                                              rates.values())


def test_a_ring_passes_each_byte_twice_less_what_stays():
    assert scaling.exchange_seconds(8e9, 8, 1e9, 1e8) == pytest.approx(14)
    assert scaling.exchange_seconds(8e9, 2, 1e9, 1e8) == pytest.approx(8)
    assert scaling.exchange_seconds(8e9, 32, 1e9, 1e8) == pytest.approx(14 + 120)


def test_replicas_and_workers_share_a_minibatch():
    options = ['--preset=digits', '--resolution=8', '--minibatch=8', '--fmap_base=64',
               '--iterations=1', '--rounds=2']
    assert scaling.seconds_of(options, replicas=2) > 0
    assert scaling.seconds_of(options, workers=2) > 0


def test_operations_of_an_iteration_are_added_up():
    text = printed_by('profile_ops.py', '--resolution=8', '--minibatch=4', '--fmap_max=8',
                      '--iterations=2')
    _, *rows, total = rows_of(text)
    assert any('Conv2DBackpropFilter' in row[0] for row in rows)
    assert sum(float(row[1]) for row in rows) <= float(total[1]) * 1.01
    assert not any('Process' in row[0] for row in rows)  # the executor's own, not an operation


def test_files_are_timed_with_what_they_hold(tmp_path):
    rows = rows_of(printed_by('benchmark_files.py', '--resolution=256', '--fmap_base=512',
                              '--rounds=1', f'--directory={tmp_path}'))
    seconds = {name: float(found) for name, _, found, _ in rows[1:]}
    assert list(seconds) == ['checkpoint', 'of this, flushing', 'network snapshot', 'sheet',
                             'of this, encoding']
    assert seconds['of this, flushing'] <= seconds['checkpoint']
    assert list(tmp_path.iterdir()) == []
