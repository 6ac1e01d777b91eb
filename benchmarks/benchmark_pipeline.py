"""Does training ever wait for images? What the input pipeline delivers, against what is consumed.

Writes a data set of noise, reads it at each resolution with the preset's minibatch as the training
loop does, and trains a few iterations at the same resolution, in turn. The pipeline should deliver
at least five times what training consumes.

    python benchmarks/benchmark_pipeline.py [--resolution=64] [--images=500] [--seconds=3]
        [--fmap_base=N --fmap_max=N, or what else benchmark_training.py takes]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

import benchmark_training  # noqa: E402

from training.dataset import TFRecordDataset, Writer, pyramid  # noqa: E402
from training.presets import run_config  # noqa: E402
from training.schedule import training_schedule  # noqa: E402

TRAINED = 8  # images a minibatch where training is timed: more would only take longer


def write_noise(directory, resolution, count):
    """A data set of `count` RGB images."""
    random = np.random.default_rng(0)
    with Writer(directory, os.path.basename(directory), resolution, 3) as writer:
        for _ in range(count):
            writer.add(pyramid(random.integers(256, size=[3, resolution, resolution],
                                               dtype=np.uint8)))


def delivered(dataset, resolution, minibatch, seconds):
    """Images a second of the stream that the training loop reads, once it is running."""
    stream = iter(dataset.batches(resolution, minibatch, 0, 0, (0, 1)))
    for _ in range(3):
        next(stream)
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        next(stream)
        count += minibatch
    return count / (time.perf_counter() - start)


def consumed(args):
    """Images a second of training, with benchmark_training.py's arguments."""
    training = benchmark_training.Training(args, args.precision)
    training.warm_up()
    return args.minibatch / statistics.median(training.seconds(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=64)
    parser.add_argument('--images', type=int, default=500)
    parser.add_argument('--seconds', type=float, default=3, help='of reading at each resolution')
    args, others = parser.parse_known_args()
    schedule = run_config('auto', '', args.resolution, 3, 0).schedule
    minibatches = {sched.resolution: sched.minibatch for sched in (
        training_schedule(nimg, args.resolution, 1, schedule)
        for nimg in range(0, 20_000_000, 100_000))}
    trainings = {resolution: benchmark_training.arguments(
        ['--num_gpus=1', *others, f'--resolution={resolution}', f'--minibatch={TRAINED}'])
        for resolution in minibatches}
    with tempfile.TemporaryDirectory() as directory:
        data = os.path.join(directory, 'noise')
        os.mkdir(data)
        write_noise(data, args.resolution, args.images)
        dataset = TFRecordDataset(data, verify=False)
        print('| resolution | minibatch | delivered, images/s | consumed | times |\n'
              '| --- | --- | --- | --- | --- |')
        for resolution, minibatch in minibatches.items():
            rate = delivered(dataset, resolution, minibatch, args.seconds)
            used = consumed(trainings[resolution])
            print(f'| {resolution} | {minibatch} | {rate:.0f} | {used:.2f} | {rate / used:.0f} |',
                  flush=True)
        dataset.close()


if __name__ == '__main__':
    main()
