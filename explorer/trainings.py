"""The tab Runs: the newest fakes and the curves of a training, while it trains."""

from __future__ import annotations

import os
import re
import shlex
from typing import NamedTuple, Optional

import numpy as np

from formats import png, sheets
from pictures import training_film
from runs import directory, plots

WIDEST = 1920   # pixels of a grid of fakes as it is shown


class View(NamedTuple):
    """What is there to see of a run; None = not yet."""
    fakes: Optional[np.ndarray]    # uint8 [H, W, C]
    curves: Optional[np.ndarray]   # uint8 [H, W, C]
    words: str


def names(outdir):
    """The names of the run directories in `outdir`, the newest first."""
    return [os.path.basename(path) for path in reversed(directory.run_dirs(outdir).values())]


def run_dir_of(outdir, name):
    """The directory of a run that `names` has; ValueError for anything else."""
    if name not in names(outdir):
        raise ValueError(f'{outdir} has no run {name!r} any more.')
    return os.path.join(outdir, name)


def _newest_fakes(run_dir):
    """The path of the newest fakes*.png; None where there is none yet."""
    try:
        return training_film.pictures_of(run_dir)[-1]
    except ValueError:
        return None


def state_of(run_dir):
    """What changes whenever there is something new to see."""
    stats = os.path.join(run_dir, plots.STATS_FILE)
    fakes = _newest_fakes(run_dir)
    return (run_dir, fakes, fakes and os.path.getmtime(fakes),
            os.path.getsize(stats) if os.path.exists(stats) else 0)


def _shown(path):
    with open(path, 'rb') as file:
        image = png.pixels(file.read())
    return sheets.shrink(image, -(-image.shape[1] // WIDEST))


def view(run_dir):
    """The View of a run directory, training or trained."""
    fakes = _newest_fakes(run_dir)
    try:
        curves = png.pixels(plots.drawn([plots.read_run(run_dir)]))
    except ValueError:  # no finished tick
        curves = None
    if not fakes and curves is None:
        return View(None, None, 'Nothing to see yet: the first tick has not ended.')
    parts = []
    if fakes:
        kimg = int(re.search(r'(\d+)\.png$', fakes)[1])
        parts.append(f'fakes at {kimg} kimg')
    snapshots = list(directory.network_snapshots(run_dir).values())
    newest = directory.FINAL if directory.is_finished(run_dir) else (
        os.path.basename(snapshots[-1]) if snapshots else None)
    if newest:
        parts.append(f'newest network {newest}')
    parts.append('finished' if directory.is_finished(run_dir) else 'not finished')
    return View(_shown(fakes) if fakes else None, curves, ', '.join(parts))


def command(run_dir):
    """The command line that draws the curves."""
    return shlex.join(['python', 'plot_run.py', run_dir])
