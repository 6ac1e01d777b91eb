"""Curves of training runs against kimg - losses, scores, lod, speed, metrics - as one PNG."""

from __future__ import annotations

import io
import json
import math
import os
import re
from typing import NamedTuple

from matplotlib.figure import Figure  # and not pyplot: nothing looks for a screen
from matplotlib.ticker import MaxNLocator

from formats.files import write_atomically

STATS_FILE = 'stats.jsonl'
# Of metric-*.jsonl: numbers that are no result.
NOT_VALUES = {'kimg', 'nimg', 'tick', 'seconds', 'count', 'seed', 'minibatch', 'num_reals',
              'num_val', 'run_seconds'}
LABELS = {'loss_D': 'loss of D, mean of a tick', 'loss_G': 'loss of G, mean of a tick',
          'score_real': 'mean score of reals', 'score_fake': 'mean score of fakes',
          'penalty': 'gradient penalty', 'lod': 'lod (level of detail)',
          'augment': 'p of the augmentation', 'r_t': 'r_t, mean sign of D on reals',
          'memorised': 'share memorised: 1 = D takes\nunseen reals for fakes',
          'images_per_sec': 'images per second',
          # Of runs of train_translation.py, which have none of those above but the last.
          **{name: name for name in ('D/latent_real', 'D/latent_fake', 'D/latent_reg',
                                     'G/latent_adv', 'G/latent_sty', 'G/latent_ds',
                                     'G/latent_cyc')}}
KIMG_LABEL = 'kimg (thousands of real images shown)'
PANEL_INCHES, LEGEND_LINE_INCHES = (7.0, 2.4), 0.24
MOST_IN_ONE_COLUMN = 4
FEW_POINTS = 30  # up to here each point of a curve is marked
LINE_STYLES = ('-', '--', ':', '-.')  # the next one, once the ten colours are used up


class Curves(NamedTuple):
    """What is drawn of a run: {curve: {kimg: value}}."""
    run_dir: str
    ticks: dict[str, dict[float, float]]    # those of LABELS, 'resolution'
    metrics: dict[str, dict[float, float]]  # such as 'fid50k', 'ls_z'


def _records(path):
    """The JSON objects of a file of lines; what a killed run left half written is skipped."""
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and _is_number(record.get('kimg')):
                yield record


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _add(curves, record, names):
    for name in names:
        if _is_number(record.get(name)):
            curves.setdefault(name, {})[record['kimg']] = record[name]


def read_run(run_dir):
    """The curves of a run directory; ValueError where it has no finished tick."""
    stats_path = os.path.join(run_dir, STATS_FILE)
    ticks, metrics = {}, {}
    if os.path.isfile(stats_path):
        for record in _records(stats_path):
            _add(ticks, record, (*LABELS, 'resolution'))
    if not ticks:
        raise ValueError(f'{run_dir}: nothing to draw yet: its {STATS_FILE} gets a line with each '
                         'finished tick; received none. Is it a run directory of train.py or '
                         'train_translation.py?')
    for name in sorted(os.listdir(run_dir)):
        if re.fullmatch(r'metric-.+\.jsonl', name):
            for record in _records(os.path.join(run_dir, name)):
                _add(metrics, record, [key for key in record
                                       if key not in NOT_VALUES and not key.endswith('_std')
                                       and '/' not in key])  # parts of another
    return Curves(run_dir, ticks, metrics)


def names_of(runs):
    """What each run is called: the directory's name, or its path where two have the same."""
    names = [os.path.basename(os.path.abspath(run.run_dir)) for run in runs]
    return names if len(set(names)) == len(names) else [run.run_dir for run in runs]


def full_resolution_log2(runs):
    """R, where all runs have the same; else None."""
    found = {int(math.log2(run.ticks['resolution'][kimg])) + int(lod)
             for run in runs for kimg, lod in list(run.ticks.get('lod', {}).items())[:1]
             if kimg in run.ticks.get('resolution', {})}
    return found.pop() if len(found) == 1 else None


def _draw_panel(axes, label, curves, marked):
    """curves: {kimg: value} of each run; empty where a run lacks this one."""
    for index, points in enumerate(curves):
        kimg = sorted(points)
        axes.plot(kimg, [points[at] for at in kimg], color=f'C{index % 10}', linewidth=1.2,
                  linestyle=LINE_STYLES[index // 10 % len(LINE_STYLES)], markersize=4,
                  marker='o' if marked or len(kimg) <= FEW_POINTS else None)
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)


def _finish_lod_axes(axes, resolution_log2):
    """Whole lods, with the resolutions that they stand for on the right."""
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=-0.2)
    if resolution_log2 is not None:
        right = axes.secondary_yaxis('right')
        lods = range(resolution_log2 - 1)
        right.set_yticks(list(lods), [str(2 ** (resolution_log2 - lod)) for lod in lods],
                         fontsize='x-small')
        right.set_ylabel('resolution (pixels)')


def drawn(runs: list[Curves]):
    """The bytes of one PNG: a panel for each curve that any run has, a colour for each run."""
    curves = {name: [run.ticks.get(name, {}) for run in runs] for name in LABELS
              if any(name in run.ticks for run in runs)}
    for name in sorted({name for run in runs for name in run.metrics}):
        curves[name] = [run.metrics.get(name, {}) for run in runs]
    columns = 1 if len(curves) <= MOST_IN_ONE_COLUMN else 2
    rows = math.ceil(len(curves) / columns)
    names = names_of(runs)
    width, height = PANEL_INCHES
    figure = Figure((width * columns, height * rows + LEGEND_LINE_INCHES * (len(names) + 2)),
                    layout='constrained', dpi=130)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for i, (axes, name) in enumerate(zip(panels, curves)):
        _draw_panel(axes, LABELS.get(name, name), curves[name], marked=name not in LABELS)
        if i + columns >= len(curves):  # the last one of its column
            axes.set_xlabel(KIMG_LABEL)
            axes.xaxis.set_tick_params(labelbottom=True)
    for axes in panels[len(curves):]:
        axes.set_axis_off()
    if 'lod' in curves:
        _finish_lod_axes(panels[list(curves).index('lod')], full_resolution_log2(runs))
    figure.align_ylabels()
    figure.legend(panels[0].lines, names, loc='outside upper left', frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format='png')
    return picture.getvalue()


def draw(runs: list[Curves], path):
    """Writes the PNG of `drawn`."""
    write_atomically(path, drawn(runs))
