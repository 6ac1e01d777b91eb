"""Seconds from `train.py` to its first finished iteration, with the demo's networks.

Several interpreters are measured in turn, such as those of the two lanes of TensorFlow. Shows the
import of TensorFlow alone beside it.

    python benchmarks/benchmark_startup.py [--pythons=.venv/bin/python,.venv-2.15/bin/python]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
FIRST = 'training step'  # in the line that ends when the first iteration has ended
IMPORT = 'from cli import startup; startup.load_tensorflow()'


def used(action, *arguments):
    """(seconds, CPU seconds of the processes that it started) of `action(*arguments)`."""
    clocks = time.perf_counter(), cpu_seconds()
    action(*arguments)
    return time.perf_counter() - clocks[0], cpu_seconds() - clocks[1]


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def import_tensorflow(python):
    subprocess.run([python, '-c', IMPORT], check=True, cwd=ROOT)


def train_one_iteration(python, data):
    with tempfile.TemporaryDirectory() as outdir, subprocess.Popen(
            [python, 'train.py', f'--data={data}', '--preset=digits', f'--outdir={outdir}'],
            cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        reached = any(FIRST in line for line in process.stdout)
        process.kill()
        process.wait()
    if not reached:
        raise RuntimeError(f'{python} train.py ended before its first iteration')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--pythons', default=sys.executable, help='separated by commas')
    parser.add_argument('--data', default='datasets/digits', help='which make demo writes')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    data = os.path.abspath(args.data)
    measured = {python: ([], []) for python in args.pythons.split(',')}
    for _ in range(args.rounds):
        for python, (imports, iterations) in measured.items():
            imports.append(used(import_tensorflow, python))
            iterations.append(used(train_one_iteration, python, data))
    print(f'{args.rounds} rounds in turn: lowest (median) seconds, lowest CPU seconds')
    for python, parts in measured.items():
        print(python)
        for name, part in zip(('import', 'first iteration'), parts):
            seconds, cpu = zip(*part)
            print(f'  {name}: {min(seconds):.1f} ({statistics.median(seconds):.1f}), '
                  f'CPU {min(cpu):.1f}')


if __name__ == '__main__':
    main()
