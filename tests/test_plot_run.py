"""plot_run.py: the curves are what the run's files say; half lines are skipped."""

import json

import numpy as np
import PIL.Image
import pytest
from commands import results_of

from runs import plots

HALF_LINE = '{"tick": 4, "kimg": 0.4, "loss_D"'


def write_run(folder, name, ticks=3, metrics=(), resolution=16):
    """A run directory whose lod goes from 1 to 0 and whose last line is a half one."""
    run_dir = folder / name
    run_dir.mkdir(parents=True)
    lines = [json.dumps({'tick': i, 'kimg': i / 10, 'lod': max(2 - i, 0), 'loss_G': 2.0 - i,
                         'loss_D': float('nan') if i == 2 else i, 'seconds': 7,
                         'resolution': resolution >> max(2 - i, 0)}) for i in range(1, ticks + 1)]
    (run_dir / 'stats.jsonl').write_text('\n'.join([*lines, HALF_LINE]))
    for metric, values in metrics:
        records = [{'metric': metric, 'kimg': 0.1 * (i + 1), 'network': 'n', 'seconds': 3, **value}
                   for i, value in enumerate(values)]
        (run_dir / f'metric-{metric}.jsonl').write_text(
            ''.join(json.dumps(record) + '\n' for record in records) + HALF_LINE)
    return run_dir


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('plots')
    outdir = folder / 'results'
    write_run(outdir, '00003-sgan-spots-1gpu', metrics=[
        ('fid5', [{'fid5': 30.0}, {'fid5': 20.0}]), ('ls', [{'ls_z': 9.0, 'ls_w': 3.0}]),
        ('is5', [{'is5_mean': 2.0, 'is5_std': 0.1}])])
    write_run(outdir, '00012-sgan-spots-1gpu', resolution=32)
    (outdir / '00013-sgan-spots-1gpu').mkdir()
    lines = {
        'two': ['3', str(outdir / '00012-sgan-spots-1gpu')],
        'one': ['12'],
        'same': ['12', '12'],
        'absent': ['3', '4'],
        'early': ['13'],
        'nothing': [],
        'suffix': ['12', '--output=plot.jpg'],
    }
    results = results_of('plot_run', [[f'--outdir={outdir}', f'--output={folder / case}.png', *line]
                                      for case, line in lines.items()])
    return folder, dict(zip(lines, results))


def test_the_curves_are_those_of_the_files(outcomes):
    run = plots.read_run(str(outcomes[0] / 'results/00003-sgan-spots-1gpu'))
    assert run.ticks['loss_G'] == {0.1: 1.0, 0.2: 0.0, 0.3: -1.0}
    assert run.ticks['lod'] == {0.1: 1, 0.2: 0, 0.3: 0}
    assert np.isnan(run.ticks['loss_D'][0.2]) and run.ticks['loss_D'][0.3] == 3
    assert run.metrics == {'fid5': {0.1: 30.0, 0.2: 20.0}, 'ls_z': {0.1: 9.0}, 'ls_w': {0.1: 3.0},
                           'is5_mean': {0.1: 2.0}}


def test_a_metric_measured_again_replaces_what_was_there(tmp_path):
    run_dir = write_run(tmp_path, 'run')
    (run_dir / 'metric-fid5.jsonl').write_text('\n'.join(
        json.dumps({'kimg': kimg, 'fid5': value}) for kimg, value in ((2, 5), (1, 9), (2, 4))))
    assert plots.read_run(str(run_dir)).metrics['fid5'] == {2: 4, 1: 9}


def test_each_run_and_each_panel_is_in_the_picture(outcomes):
    folder, results = outcomes
    assert results['two'][0] == results['one'][0] == results['same'][0] == 0, results['two'][2]
    assert '2 runs' in results['two'][1] and '1 run\n' in results['same'][1]
    pictures = {case: np.asarray(PIL.Image.open(folder / f'{case}.png').convert('RGB'))
                for case in ('two', 'one')}
    first_colour, second_colour = (31, 119, 180), (255, 127, 14)
    for case, seen in (('two', True), ('one', False)):
        assert (pictures[case] == first_colour).all(axis=-1).sum() > 500
        assert ((pictures[case] == second_colour).all(axis=-1).sum() > 500) == seen
    # Three panels below each other, or seven in two columns.
    assert pictures['two'].shape[1] == 2 * pictures['one'].shape[1]
    assert pictures['two'].shape[0] > 1.2 * pictures['one'].shape[0]


def test_what_only_one_of_two_runs_has_is_drawn_too(tmp_path):
    runs = [str(write_run(tmp_path, name)) for name in 'ab']
    heights = []
    for penalty in (None, 0.25):
        if penalty:
            with open(tmp_path / 'b' / 'stats.jsonl', 'a') as file:
                file.write('\n' + json.dumps({'kimg': 0.4, 'lod': 0, 'penalty': penalty}))
        plots.draw([plots.read_run(run) for run in runs], tmp_path / 'plot.png')
        heights.append(PIL.Image.open(tmp_path / 'plot.png').height)
    assert plots.read_run(runs[1]).ticks['penalty'] == {0.4: 0.25}
    assert heights[1] > 1.2 * heights[0]  # four panels below each other, not three


def test_runs_of_the_same_name_are_told_apart_by_their_paths(tmp_path):
    runs = [plots.read_run(str(write_run(tmp_path / room, '00000-sgan-spots-1gpu')))
            for room in 'ab']
    assert plots.names_of(runs) == [run.run_dir for run in runs]
    assert plots.names_of(runs[:1]) == ['00000-sgan-spots-1gpu']


def test_the_resolution_is_shown_where_all_runs_have_the_same(tmp_path):
    runs = [plots.read_run(str(write_run(tmp_path, str(size), resolution=size)))
            for size in (16, 32)]
    assert [plots.full_resolution_log2(runs[:1]), plots.full_resolution_log2(runs[1:]),
            plots.full_resolution_log2(runs)] == [4, 5, None]


@pytest.mark.parametrize('case, words', [
    ('absent', ['4:', '00012-sgan-spots-1gpu']), ('early', ['00013', 'stats.jsonl', 'tick']),
    ('nothing', ['RUN']), ('suffix', ['--output=plot.jpg', '.png'])])
def test_bad_input_is_one_clear_line(outcomes, case, words):
    folder, results = outcomes
    code, _, errors = results[case]
    assert code == 1 and len(errors.strip().splitlines()) == 1, errors
    for word in words:
        assert word in errors, errors
    assert not (folder / f'{case}.png').exists()
