"""How long training stands still for its files: checkpoint, network snapshot, sheets of pictures.

Networks of the paper's width with fresh weights, as a run of this resolution writes them each tick,
or each few. Flushed means: on the disk, not in the system's memory. Medians of some rounds.

    python benchmarks/benchmark_files.py [--resolution=1024] [--rounds=5] [--directory=DIRECTORY]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import numpy as np  # noqa: E402
from benchmark_dataset_tool import SIDE, make_image  # noqa: E402

from formats.png import encoded, grid, grid_size, save_png  # noqa: E402
from runs import checkpoints  # noqa: E402
from training import snapshot  # noqa: E402
from training.presets import run_config  # noqa: E402
from training.state import TrainingState  # noqa: E402


def size_of(path):
    """Bytes of a file or of all files in a directory."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(size_of(entry.path) for entry in os.scandir(path))


def checkpoint_seconds(state, directory):
    """(seconds in all, of these flushing, bytes) of a checkpoint."""
    flushing, flush = [], checkpoints._flush

    def timed(path):
        start = time.perf_counter()
        flush(path)
        flushing.append(time.perf_counter() - start)

    state.nimg.assign_add(1)  # one that is not there yet
    kept = checkpoints.Checkpoints(state, directory, keep=1)
    checkpoints._flush = timed
    try:
        start = time.perf_counter()
        kept.save()
        seconds = time.perf_counter() - start
    finally:
        checkpoints._flush = flush
    return seconds, sum(flushing), size_of(directory)


def snapshot_seconds(state, path):
    """(seconds in all, bytes) of a network snapshot, flushed."""
    start = time.perf_counter()
    snapshot.save(path, state.G, state.D, state.Gs)
    return time.perf_counter() - start, size_of(path)


def sheet(resolution):
    """A picture as large as training's grid, uint8 [H, W, 3], that compresses as photographs do."""
    cells = grid_size(resolution, resolution, '4k')
    columns, rows = (count * resolution // SIDE for count in cells)
    return grid(np.stack([make_image(seed) for seed in range(columns * rows)]), columns, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=1024, help=f'at least {SIDE}')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--fmap_base', type=int, default=8192, help='less = narrower networks')
    parser.add_argument('--directory', help="on the disk to measure; default: the system's")
    args = parser.parse_args()
    config = run_config('auto', 'noise', args.resolution, 3, 0,
                        {'fmap_base': args.fmap_base})
    state = TrainingState(config.G, config.D)
    picture = sheet(args.resolution)
    with tempfile.TemporaryDirectory(dir=args.directory) as directory:
        path = os.path.join(directory, 'sheet.png')
        rows = {'checkpoint': [], 'of this, flushing': [], 'network snapshot': [],
                'sheet': [], 'of this, encoding': []}
        for _ in range(args.rounds):
            seconds, flushing, size = checkpoint_seconds(state, os.path.join(directory, 'all'))
            rows['checkpoint'].append((seconds, size))
            rows['of this, flushing'].append((flushing, size))
            rows['network snapshot'].append(
                snapshot_seconds(state, os.path.join(directory, 'network.safetensors')))
            start = time.perf_counter()
            save_png(path, picture)
            rows['sheet'].append((time.perf_counter() - start, size_of(path)))
            start = time.perf_counter()
            data = encoded(picture, '.png')
            rows['of this, encoding'].append((time.perf_counter() - start, len(data)))
    print(f'{args.resolution}x{args.resolution}, sheet of {picture.shape[1]}x{picture.shape[0]}\n\n'
          '| | MB | seconds | rounds |\n| --- | --- | --- | --- |')
    for name, found in rows.items():
        print(f'| {name} | {found[-1][1] / 1e6:.0f} | '
              f'{statistics.median(seconds for seconds, _ in found):.2f} | '
              f'{", ".join(f"{seconds:.2f}" for seconds, _ in found)} |')


if __name__ == '__main__':
    main()
