"""A training as a script runs it: in a directory that is its own, until its end or a signal."""

from __future__ import annotations

import contextlib
import os
import sys


@contextlib.contextmanager
def _run_directory(starts, start, replicas):
    """The chief's run directory, new or old, which no other process may use meanwhile."""
    from runs import directory
    if not replicas.is_chief:
        yield None
        return
    run_dir = start.run_dir or starts.make_run_dir(start)
    print(f'Run:        {run_dir}\n', flush=True)
    with directory.locked(run_dir):
        yield run_dir


def exit_code(train, starts, start, replicas):
    """Calls `train` with the directory of the run; 0, or 130 after a signal.

    Args:
        train: a run directory (None for workers other than the chief) -> trains there.
        starts: training.starting.Starts; start: what it found.
    """
    from runs.stopping import Interrupted
    try:
        with _run_directory(starts, start, replicas) as run_dir:
            train(run_dir)
    except Interrupted as interrupted:
        print(f'{os.path.basename(sys.argv[0])}: {interrupted}', file=sys.stderr)
        return 130
    return 0
