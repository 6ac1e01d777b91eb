"""What a run tells: lines on the terminal and in log.txt, stats.jsonl, TensorBoard, progress."""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import resource
import sys
import time

import tensorflow as tf
import tqdm
from tensorboard.plugins.image import metadata as image_metadata

from formats.files import write_atomically
from runs.disk import Disk, NoDisk, append_line, is_full

KIMG = 'kimg'


def format_time(seconds):
    """12s, 3m 05s, 1h 31m 20s, 2d 03h 15m: the reference's form."""
    s = int(round(seconds))
    if s < 60:
        return f'{s}s'
    if s < 3600:
        return f'{s // 60}m {s % 60:02d}s'
    if s < 86400:
        return f'{s // 3600}h {s // 60 % 60:02d}m {s % 60:02d}s'
    return f'{s // 86400}d {s // 3600 % 24:02d}h {s // 60 % 60:02d}m'


def memory_gb():
    """(peak GPU memory of the fullest GPU or 0, peak memory of this process), 2^30 bytes."""
    gpus = tf.config.list_logical_devices('GPU')
    gpu = max((tf.config.experimental.get_memory_info(device.name.split('device:')[-1])['peak']
               for device in gpus), default=0)
    return gpu / 2**30, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class RunLog:
    """Everything that a run writes for people to read."""

    def __init__(self, run_dir, total_kimg):
        self.run_dir, self.disk = run_dir, Disk(run_dir, self.say)
        self._bar = tqdm.tqdm(total=total_kimg, unit=KIMG, disable=not sys.stderr.isatty(),
                              bar_format='{l_bar}{bar}| {n:.1f}/{total:.0f} kimg [{elapsed}'
                                         '{postfix}]', leave=False)
        self._board = tf.summary.create_noop_writer()
        self.disk.write('events.out.tfevents.*', self._open_board)

    def _open_board(self):
        self._board = tf.summary.create_file_writer(self.run_dir)

    def _tell_board(self, step, tell):
        """Calls `tell`, which calls tf.summary. A full disk ends what this start tells TensorBoard.

        Its file ends within a record then; what came after that could not be read.
        """
        try:
            with self._board.as_default(step=int(step)):
                tell()
            self._board.flush()
        except tf.errors.ResourceExhaustedError as error:
            if not is_full(error):
                raise
            self._board = tf.summary.create_noop_writer()
            self.say('Warning: The disk is full: TensorBoard gets no more numbers until the run is '
                     'resumed, training goes on; free some space.')

    def _append(self, name, line):
        path = os.path.join(self.run_dir, name)
        self.disk.write(name, lambda: append_line(path, line))

    def say(self, line=''):
        """One line, on the terminal and in log.txt."""
        with contextlib.suppress(OSError):  # a closed pipe, or a file without room
            self._bar.write(line, file=sys.stdout)
            sys.stdout.flush()
        self._append('log.txt', line)

    @contextlib.contextmanager
    def phase(self, what):
        """Announces something slow; says how many seconds it took, and what the list got."""
        start, details = time.time(), []
        if sys.stdout.isatty():
            self._bar.write(f'{what} ...', file=sys.stdout, end='\r')
        yield details
        self.say(', '.join([f'{what} ... {time.time() - start:.1f}s', *details]))

    def progress(self, kimg, seconds_left):
        """Moves the progress bar (terminals only); seconds_left: () -> to the end of the run."""
        if not self._bar.disable:
            self._bar.n = kimg
            self._bar.set_postfix_str(f'ETA {format_time(seconds_left())}')

    def start_at(self, kimg):
        """Moves the bar's origin and drops the run's own lines of all *.jsonl ahead of `kimg`.

        Those were written after the checkpoint that a run continues from; it writes them again.
        What run_metrics.py added, in any order, stays.
        """
        self._bar.initial = self._bar.n = kimg
        for path in glob.glob(os.path.join(glob.escape(self.run_dir), '*.jsonl')):
            with open(path, 'rb') as file:
                data = file.read()
            kept = b''.join(line for line in data.splitlines(keepends=True) if _stays(line, kimg))
            if data.startswith(kept):
                os.truncate(path, len(kept))  # needs no room, should the disk be full
            else:
                self.disk.write(os.path.basename(path),
                                functools.partial(write_atomically, path, kept))

    def tick(self, line, stats):
        """One tick: its line for people, its numbers for stats.jsonl and TensorBoard."""
        self.say(line)
        self._append('stats.jsonl', json.dumps(stats))

        def scalars():
            for name, value in stats.items():
                if isinstance(value, (int, float)):
                    tf.summary.scalar(_board_name(name), value)

        self._tell_board(stats['nimg'], scalars)

    def picture(self, name, png, shape, nimg):
        """A sample grid for TensorBoard: the bytes of its PNG file, and its shape [H, W, C].

        tf.summary.image would take the pixels and encode them again: seconds, for a grid of 1024.
        """
        height, width = shape[:2]
        self._tell_board(nimg, lambda: tf.summary.write(
            name, tf.constant([str(width).encode(), str(height).encode(), png]),
            metadata=image_metadata.create_summary_metadata(display_name=None, description='')))

    def histograms(self, weights, nimg):
        """{name: variable} for TensorBoard."""
        def histograms():
            for name, variable in weights.items():
                tf.summary.histogram(name, variable)

        self._tell_board(nimg, histograms)

    def options(self, text):
        """The options (JSON) as a text for TensorBoard."""
        self._tell_board(0, lambda: tf.summary.text('options', f'```json\n{text}\n```'))

    def metric(self, name, record):
        """One line in metric-<name>.jsonl."""
        self._append(f'metric-{name}.jsonl', json.dumps(record))

    def close(self):
        self._bar.close()
        self._board.close()


class NoLog:
    """What a worker that is not the chief has in place of a RunLog: it writes nothing."""

    disk = NoDisk()

    def say(self, line=''):
        pass

    def phase(self, what):
        return contextlib.nullcontext([])

    def progress(self, kimg, seconds_left):
        pass

    def start_at(self, kimg):
        pass

    def tick(self, line, stats):
        pass

    def options(self, text):
        pass

    def close(self):
        pass


def _stays(line, kimg):
    """Whether a run that goes on at `kimg` keeps a line of a *.jsonl."""
    try:
        record = json.loads(line)
        is_of_run_metrics = 'metric' in record and 'best' not in record
        return line.endswith(b'\n') and (is_of_run_metrics or record[KIMG] <= kimg)
    except (ValueError, KeyError, TypeError):  # the last line of a killed run may be half a line
        return False


def _board_name(name):
    groups = {'loss': 'Loss', 'score': 'Score', 'sec': 'Timing', 'maintenance': 'Timing',
              'gpumem': 'Resources', 'cpumem': 'Resources', 'skipped': 'Loss', 'penalty': 'Loss',
              'images': 'Timing', 'augment': 'Augment', 'r': 'Augment',
              'memorised': 'Augment'}
    return f'{groups.get(name.split("_")[0], "Progress")}/{name}'
