"""Files of a run on a disk that may be full: room is made, and training goes on without a file."""

from __future__ import annotations

import errno
import os
import shutil

from runs.checkpoints import checkpoint_paths
from runs.directory import CHECKPOINTS, network_snapshots

KEPT_SNAPSHOTS = 2  # network snapshots that are never removed to make room
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_TEXTS = ('No space left on device', 'Disk quota exceeded')  # TensorFlow has no number for it


def is_full(error):
    """Whether an exception means that the disk, or the user's share of it, is full."""
    return (isinstance(error, OSError) and error.errno in FULL
            or any(text in str(error) for text in FULL_TEXTS)
            or error.__cause__ is not None and is_full(error.__cause__))


def append_line(path, line):
    """Adds a line to a text file; where that fails, the file is as it was before."""
    with open(path, 'ab', buffering=0) as file:
        size, data = file.tell(), (line + '\n').encode()
        written = file.write(data)
        try:
            while written < len(data):
                written += file.write(data[written:])
        except OSError:
            file.truncate(size)
            raise


def dispensable(run_dir):
    """What may go when the disk is full, first to go first.

    The old checkpoints, then the old network snapshots. Never the newest checkpoint, the newest
    two snapshots, network-best-* and network-final.
    """
    checkpoints = list(checkpoint_paths(os.path.join(run_dir, CHECKPOINTS)).values())
    return checkpoints[:-1] + list(network_snapshots(run_dir).values())[:-KEPT_SNAPSHOTS]


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


class Disk:
    """Writes files of one run."""

    def __init__(self, run_dir, say):
        self.run_dir, self.say = run_dir, say
        self._making_room = False

    def write(self, name, action):
        """Calls `action`, which writes the file `name` whole or leaves nothing of it.

        Where the disk is full, old files are removed one by one and it is called again, until it
        succeeds or nothing may be removed any more.

        Returns:
            Whether the file is written. Any other error is raised.
        """
        removed = []
        while not self._succeeds(action):
            if self._making_room:  # what the warning below is written to
                return False
            if not dispensable(self.run_dir):
                self._warn(f'The disk is full{_list(removed)}: {name} could not be written, '
                           'training goes on without it; free some space.')
                return False
            removed.append(dispensable(self.run_dir)[0])
            _remove(removed[-1])
        if removed:
            self._warn(f'The disk is full{_list(removed)} to write {name}; free some space.')
        return True

    def _succeeds(self, action):
        try:
            action()
            return True
        except Exception as error:
            if not is_full(error):
                raise
            return False

    def _warn(self, line):
        self._making_room = True
        try:
            self.say(f'Warning: {line}')
        finally:
            self._making_room = False


class NoDisk:
    """What a worker that is not the chief has in place of a Disk: nothing is written."""

    def write(self, name, action):
        return False


def _list(removed):
    names = ', '.join(os.path.basename(path) for path in removed)
    return f'; removed {names}' if names else ''
