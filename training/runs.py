"""Run directories: the next free number, finding an earlier run, finding its network files."""

from __future__ import annotations

import os
import re

from training.config import run_config_from_json
from training.snapshot import SUFFIX, write_atomically

OPTIONS_FILE = 'training_options.json'
CHECKPOINTS = 'checkpoints'
FINAL = f'network-final{SUFFIX}'


def run_dirs(outdir):
    """{number: path} of the runs in `outdir`, by ascending number."""
    if not os.path.isdir(outdir):
        return {}
    found = {int(match.group(1)): os.path.join(outdir, name) for name in os.listdir(outdir)
             for match in [re.match(r'(\d{5})-', name)] if match}
    return dict(sorted(found.items()))


def new_run_dir(outdir, description):
    """Creates `outdir/00012-description` with the next free number; returns its path."""
    os.makedirs(outdir, exist_ok=True)
    number = max(run_dirs(outdir), default=-1) + 1
    while True:
        path = os.path.join(outdir, f'{number:05d}-{description}')
        try:
            os.mkdir(path)
            return path
        except FileExistsError:  # another process took the number
            number += 1


def save_options(run_dir, text):
    """Writes the run's training_options.json."""
    write_atomically(os.path.join(run_dir, OPTIONS_FILE), text.encode())


def load_options(run_dir):
    """The RunConfig of an earlier run; ValueError names the file that is missing or damaged."""
    path = os.path.join(run_dir, OPTIONS_FILE)
    if not os.path.isfile(path):
        raise ValueError(f'{run_dir}: not a run directory, there is no {OPTIONS_FILE} in it.')
    with open(path) as file:
        text = file.read()
    try:
        return run_config_from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: cannot be read as the options of a run ({error}).') from error


def find_run(outdir, run, said='--resume='):
    """The run directory that `run` names: a number or a path.

    ValueError says what there is; it begins with `said`, what stood before `run` in the command.
    """
    if os.path.isdir(run):
        return run
    runs = run_dirs(outdir)
    if run.isdigit() and int(run) in runs:
        return runs[int(run)]
    newest = [os.path.basename(path) for path in list(runs.values())[-5:]]
    near = ', '.join(newest) or 'no runs at all'
    raise ValueError(f'{said}{run}: neither a file, nor a run directory, nor a run number in '
                     f'{outdir!r}; the newest there: {near}.')


def is_finished(run_dir):
    """Whether the run has reached its end and written its final network."""
    return os.path.isfile(os.path.join(run_dir, FINAL))


def network_snapshots(run_dir):
    """{kimg: path} of the run's network snapshots, by ascending kimg."""
    pattern = re.compile(r'network-snapshot-(\d{6,})' + re.escape(SUFFIX) + '$')
    found = {int(match.group(1)): os.path.join(run_dir, name) for name in os.listdir(run_dir)
             for match in [pattern.match(name)] if match}
    return dict(sorted(found.items()))


def snapshot_of(run_dir, kimg):
    """The network snapshot of a run at `kimg`; ValueError lists those that are there."""
    snapshots = network_snapshots(run_dir)
    if kimg not in snapshots:
        raise ValueError(f'--resume_snapshot={kimg}: {run_dir} has no network snapshot of that '
                         f'kimg; it has {sorted(snapshots) or "none"}.')
    return snapshots[kimg]
