"""The directory that a script trains in."""

from __future__ import annotations

import contextlib


@contextlib.contextmanager
def run_directory(starts, start, replicas):
    """The chief's run directory, new or old, which no other process may use meanwhile.

    Args:
        starts: training.starting.Starts; start: what it found.
    """
    from runs import directory
    if not replicas.is_chief:
        yield None
        return
    run_dir = start.run_dir or starts.make_run_dir(start)
    print(f'Run:        {run_dir}\n', flush=True)
    with directory.locked(run_dir):
        yield run_dir
