"""Seconds from `train.py` to its first finished iteration, with the demo's networks.

Several interpreters are measured in turn, such as those of the two lanes of TensorFlow. Shows the
import of TensorFlow alone beside it.

    python benchmarks/benchmark_startup.py [--pythons=.venv/bin/python,.venv-2.15/bin/python]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
FIRST = 'training step'  # in the line that ends when the first iteration has ended
IMPORT = 'from cli import startup; startup.load_tensorflow()'


def import_seconds(python):
    start = time.perf_counter()
    subprocess.run([python, '-c', IMPORT], check=True, cwd=ROOT)
    return time.perf_counter() - start


def first_iteration_seconds(python, data):
    with tempfile.TemporaryDirectory() as outdir:
        start = time.perf_counter()
        with subprocess.Popen([python, 'train.py', f'--data={data}', '--preset=digits',
                               f'--outdir={outdir}'], cwd=ROOT, stdout=subprocess.PIPE,
                              text=True) as process:
            reached = any(FIRST in line for line in process.stdout)
            seconds = time.perf_counter() - start
            process.kill()
    if not reached:
        raise RuntimeError(f'{python} train.py ended before its first iteration')
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--pythons', default=sys.executable, help='separated by commas')
    parser.add_argument('--data', default='datasets/digits', help='which make demo writes')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    pythons, data = args.pythons.split(','), os.path.abspath(args.data)
    seconds = {python: ([], []) for python in pythons}
    for _ in range(args.rounds):
        for python, (imports, iterations) in seconds.items():
            imports.append(import_seconds(python))
            iterations.append(first_iteration_seconds(python, data))
    print(f'{args.rounds} rounds in turn: lowest (median) seconds')
    for python, (imports, iterations) in seconds.items():
        print(f'{python}: import {min(imports):.1f} ({statistics.median(imports):.1f}), '
              f'first iteration {min(iterations):.1f} ({statistics.median(iterations):.1f})')


if __name__ == '__main__':
    main()
