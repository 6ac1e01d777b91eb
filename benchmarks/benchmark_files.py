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
from unittest import mock

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


def seconds_of(function, *args):
    """Of one call."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def checkpoint_seconds(state, directory):
    """(seconds in all, of these flushing) of a checkpoint."""
    flushing, flush = [], checkpoints._flush
    state.nimg.assign_add(1)  # one that is not there yet
    kept = checkpoints.Checkpoints(state, directory, keep=1)
    with mock.patch.object(checkpoints, '_flush',
                           lambda path: flushing.append(seconds_of(flush, path))):
        return seconds_of(kept.save), sum(flushing)


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
        kept, network, png = (os.path.join(directory, name) for name in
                              ('checkpoints', 'network.safetensors', 'sheet.png'))
        found = {'checkpoint': [], 'of this, flushing': [], 'network snapshot': [], 'sheet': [],
                 'of this, encoding': []}
        for _ in range(args.rounds):
            for name, seconds in zip(found, (
                    *checkpoint_seconds(state, kept),
                    seconds_of(snapshot.save, network, state.G, state.D, state.Gs),
                    seconds_of(save_png, png, picture), seconds_of(encoded, picture, '.png'))):
                found[name].append(seconds)
        sizes = [size_of(path) for path in (kept, kept, network, png, png)]
    print(f'{args.resolution}x{args.resolution}, sheet of {picture.shape[1]}x{picture.shape[0]}\n\n'
          '| | MB | seconds | rounds |\n| --- | --- | --- | --- |')
    for size, (name, seconds) in zip(sizes, found.items()):
        print(f'| {name} | {size / 1e6:.0f} | {statistics.median(seconds):.2f} | '
              f'{", ".join(f"{one:.2f}" for one in seconds)} |')


if __name__ == '__main__':
    main()
