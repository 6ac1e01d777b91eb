"""Run directories: the next free number, finding an earlier run, finding its network files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from typing import NamedTuple, Optional

from formats.file_kind import NETWORK_SUFFIX
from formats.files import file_sha256, write_atomically

OPTIONS_FILE = 'training_options.json'
CHECKPOINTS = 'checkpoints'
FINAL = f'network-final{NETWORK_SUFFIX}'
ORIGIN_FILE = 'started_from.json'


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


def load_options(run_dir, parse):
    """The options of an earlier run; ValueError names the file that is missing or damaged.

    parse: text of the file -> options; may raise ValueError.
    """
    path = os.path.join(run_dir, OPTIONS_FILE)
    if not os.path.isfile(path):
        raise ValueError(f'{run_dir}: not a run directory, there is no {OPTIONS_FILE} in it.')
    with open(path) as file:
        text = file.read()
    try:
        return parse(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: cannot be read as the options of a run ({error}).') from error


class Origin(NamedTuple):
    """The network file that a run began with, and where in the schedule."""
    network: str   # its path
    sha256: str    # of its bytes
    kimg: float

    def same(self, other: Optional[Origin]):
        """Whether both began with the same bytes at the same place; paths may differ."""
        return other is not None and (self.sha256, self.kimg) == (other.sha256, other.kimg)


def origin(path, kimg):
    """The Origin of a run that begins with the network file `path` at `kimg`."""
    return Origin(os.path.abspath(path), file_sha256(path), float(kimg))


def save_origin(run_dir, began_with: Origin):
    """Writes the run's started_from.json."""
    text = json.dumps(began_with._asdict(), indent=2)
    write_atomically(os.path.join(run_dir, ORIGIN_FILE), text.encode())


def has_origin(run_dir):
    """Whether a run began with somebody's network."""
    return os.path.isfile(os.path.join(run_dir, ORIGIN_FILE))


def load_origin(run_dir):
    """The Origin of a run; None where it began with fresh weights."""
    if not has_origin(run_dir):
        return None
    path = os.path.join(run_dir, ORIGIN_FILE)
    with open(path, encoding='utf-8') as file:
        text = file.read()
    try:
        return Origin(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path}: cannot be read ({error}).') from error


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


def snapshot_name(kimg):
    """File name of the network snapshot at `kimg`."""
    return f'network-snapshot-{int(kimg):06d}{NETWORK_SUFFIX}'


def network_snapshots(run_dir):
    """{kimg: path} of the run's network snapshots, by ascending kimg."""
    pattern = re.compile(r'network-snapshot-(\d{6,})' + re.escape(NETWORK_SUFFIX) + '$')
    found = {int(match.group(1)): os.path.join(run_dir, name) for name in os.listdir(run_dir)
             for match in [pattern.match(name)] if match}
    return dict(sorted(found.items()))


def remove_old_snapshots(run_dir, keep, say):
    """Leaves the newest `keep` network snapshots (0 = all), and says which are removed."""
    old = list(network_snapshots(run_dir).values())[:-keep] if keep else []
    for path in old:
        os.remove(path)
        say(f'Removed {path} (--keep_snapshots={keep})')


@contextlib.contextmanager
def locked(run_dir):
    """Holds a run, so that no second process writes into it; ends with the process, if not before.

    Raises:
        ValueError: another process holds it.
    """
    with open(os.path.join(run_dir, 'log.txt'), 'a') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'{run_dir} is being trained by another process. Wait until it has '
                             'ended, or start another run with --resume=none.') from None
        except OSError:  # a file system without locks
            pass
        yield


def snapshot_of(run_dir, kimg):
    """The network snapshot of a run at `kimg`; ValueError lists those that are there."""
    snapshots = network_snapshots(run_dir)
    if kimg not in snapshots:
        raise ValueError(f'--resume_snapshot={kimg}: {run_dir} has no network snapshot of that '
                         f'kimg; it has {sorted(snapshots) or "none"}.')
    return snapshots[kimg]
