"""How many images a second dataset_tool.py converts, and where the time goes.

Makes 2,000 PNG files of 256x256 that compress as photographs do, converts them with 1 and 2 worker
processes in turn, and prints the medians: with the pixels of checked files kept in memory, kept on
the disk, and decoded a second time. A second counts from the first look into the folder to the
finished dataset, the check of all files and the start of the processes included.

    python benchmarks/benchmark_dataset_tool.py [--num_images=2000] [--workers=1,2] [--rounds=7]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from unittest import mock

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from conversion import decode, from_images, kept  # noqa: E402
from formats.records import Writer, pyramid  # noqa: E402

SIDE = 256
RULES = decode.Rules(num_channels=3)
WAYS = {'memory': {}, 'disk': {(kept, 'MEMORY_BYTES'): 0}, 'twice': {(from_images, 'LOOK_AT'): 0}}


def make_image(seed):
    """A smooth picture with some grain: uint8 [SIDE, SIDE, 3]."""
    random = np.random.RandomState(seed)
    coarse = Image.fromarray(random.randint(0, 256, [8, 8, 3]).astype(np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.clip(smooth + random.randn(SIDE, SIDE, 3) * 4, 0, 255).astype(np.uint8)


def make_folder(folder, count):
    os.makedirs(folder)
    for seed in range(count):
        Image.fromarray(make_image(seed)).save(os.path.join(folder, f'{seed:05d}.png'))


def seconds_to_convert(folder, target, workers, way):
    """The time to a new dataset; removing it again is not counted."""
    with contextlib.ExitStack() as stack, contextlib.redirect_stdout(io.StringIO()):
        for (module, name), value in WAYS[way].items():
            stack.enter_context(mock.patch.object(module, name, value))
        start = time.perf_counter()
        from_images.create(target, folder, from_images.Options(workers=workers))
        seconds = time.perf_counter() - start
    shutil.rmtree(target)
    return seconds


def milliseconds(function, items):
    """Mean time of function(item)."""
    start = time.perf_counter()
    results = [function(item) for item in items]
    return results, (time.perf_counter() - start) / len(items) * 1e3


def print_parts(folder, target):
    """Where the time of one worker goes, measured on 200 of the files."""
    files = []
    for name in sorted(os.listdir(folder))[:200]:
        with open(os.path.join(folder, name), 'rb') as file:
            files.append(file.read())
    _, check = milliseconds(lambda data: decode.check_and_decode(data, RULES, SIDE), files)
    arrays, decoding = milliseconds(lambda data: decode.decode(data, RULES), files)
    levels, halving = milliseconds(pyramid, arrays)
    with Writer(target, 'parts', SIDE, 3) as writer:
        _, writing = milliseconds(writer.add, levels)
    print(f'one image, milliseconds: check and decode {check:.2f}, decode alone {decoding:.2f}, '
          f'pyramid {halving:.2f}, write {writing:.2f}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--num_images', type=int, default=2000)
    parser.add_argument('--workers', default='1,2', help='numbers of worker processes to compare')
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        folder = os.path.join(directory, 'images')
        make_folder(folder, args.num_images)
        print_parts(folder, os.path.join(directory, 'parts'))
        rates = {(int(count), way): [] for count in args.workers.split(',') for way in WAYS}
        for _ in range(args.rounds):
            for (count, way), measured in rates.items():
                seconds = seconds_to_convert(folder, os.path.join(directory, 'target'), count, way)
                measured.append(args.num_images / seconds)
    for (count, way), measured in rates.items():
        # Round by round: the machine's speed drifts, and both of a round had the same of it.
        ratio = statistics.median(rate / base
                                  for rate, base in zip(measured, rates[count, 'twice']))
        print(f'{count} worker{"s" * (count > 1)}, {way}: {statistics.median(measured):.0f} '
              f'images/s ({ratio:.2f} times decoding twice), '
              f'rounds {", ".join(f"{rate:.0f}" for rate in measured)}')


if __name__ == '__main__':
    main()
