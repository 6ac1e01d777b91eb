"""What a run tells: lines on the terminal and in log.txt, stats.jsonl, TensorBoard, progress."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import resource
import sys
import time

import tensorflow as tf
import tqdm

from training.snapshot import write_atomically

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


def tick_line(stats):
    """The reference's progress line, unchanged, with what it lacks behind it."""
    return ('tick {tick:<5d} kimg {kimg:<8.1f} lod {lod:<5.2f} minibatch {minibatch:<4d} '
            'time {time:<12s} sec/tick {sec_per_tick:<7.1f} sec/kimg {sec_per_kimg:<7.2f} '
            'maintenance {maintenance_sec:<6.1f} gpumem {gpumem_gb:<4.1f} '
            'cpumem {cpumem_gb:<5.1f} {resolution}x{resolution}  {percent:.1f}%  ETA {eta}  '
            'loss_D {loss_D:.3f} loss_G {loss_G:.3f}').format(**stats)


def memory_gb():
    """(peak GPU memory of the fullest GPU or 0, peak memory of this process), 2^30 bytes."""
    gpus = tf.config.list_logical_devices('GPU')
    gpu = max((tf.config.experimental.get_memory_info(device.name.split('device:')[-1])['peak']
               for device in gpus), default=0)
    return gpu / 2**30, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class RunLog:
    """Everything that a run writes for people to read."""

    def __init__(self, run_dir, total_kimg):
        self.run_dir = run_dir
        self._text = open(os.path.join(run_dir, 'log.txt'), 'a', encoding='utf-8')
        self._stats_path = os.path.join(run_dir, 'stats.jsonl')
        self._board = tf.summary.create_file_writer(run_dir)
        self._bar = tqdm.tqdm(total=total_kimg, unit=KIMG, disable=not sys.stderr.isatty(),
                              bar_format='{l_bar}{bar}| {n:.1f}/{total:.0f} kimg [{elapsed}<'
                                         '{remaining}]', leave=False)

    def say(self, line=''):
        """One line, on the terminal and in log.txt."""
        self._bar.write(line, file=sys.stdout)
        sys.stdout.flush()
        self._text.write(line + '\n')
        self._text.flush()

    @contextlib.contextmanager
    def phase(self, what):
        """Announces something slow, and says how many seconds it took."""
        start = time.time()
        if sys.stdout.isatty():
            self._bar.write(f'{what} ...', file=sys.stdout, end='\r')
        yield
        self.say(f'{what} ... {time.time() - start:.1f}s')

    def progress(self, kimg):
        """Moves the progress bar (terminals only)."""
        self._bar.n = kimg
        self._bar.refresh()

    def start_at(self, kimg):
        """Moves the bar's origin and drops the lines of all *.jsonl that lie ahead of `kimg`.

        Those were written after the checkpoint that a run continues from; it writes them again.
        """
        self._bar.initial = self._bar.n = kimg
        for path in glob.glob(os.path.join(glob.escape(self.run_dir), '*.jsonl')):
            with open(path, encoding='utf-8') as file:
                lines = file.read().splitlines()
            kept = [line for line in lines if _kimg_of(line) <= kimg]
            if len(kept) < len(lines):
                write_atomically(path, ''.join(line + '\n' for line in kept).encode())

    def tick(self, stats):
        """One tick's numbers: the line, stats.jsonl and TensorBoard scalars."""
        self.say(tick_line(stats))
        with open(self._stats_path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(stats) + '\n')
        with self._board.as_default(step=int(stats['nimg'])):
            for name, value in stats.items():
                if isinstance(value, (int, float)):
                    tf.summary.scalar(_board_name(name), value)
        self._board.flush()

    def images(self, name, picture, nimg):
        """A sample grid uint8 [H, W, C] for TensorBoard."""
        with self._board.as_default(step=int(nimg)):
            tf.summary.image(name, picture[None])
        self._board.flush()

    def metric(self, name, record):
        """One line in metric-<name>.jsonl."""
        with open(os.path.join(self.run_dir, f'metric-{name}.jsonl'), 'a',
                  encoding='utf-8') as file:
            file.write(json.dumps(record) + '\n')

    def close(self):
        self._bar.close()
        self._board.close()
        self._text.close()


def _kimg_of(line):
    try:
        return json.loads(line)[KIMG]
    except (ValueError, KeyError, TypeError):  # the last line of a killed run may be half a line
        return float('inf')


def _board_name(name):
    groups = {'loss': 'Loss', 'score': 'Score', 'sec': 'Timing', 'maintenance': 'Timing',
              'gpumem': 'Resources', 'cpumem': 'Resources', 'skipped': 'Loss'}
    return f'{groups.get(name.split("_")[0], "Progress")}/{name}'
