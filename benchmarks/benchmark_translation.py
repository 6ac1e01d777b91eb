"""Times an iteration of StarGAN v2, and the stream of images that feeds it.

Trains on images of noise, PNG files of --stored pixels as a user's folder has them, in two domains,
read as train_translation.py reads them. Prints medians of an iteration beside what its convolutions
would take at the machine's peak (their arithmetic is read off the compiled iteration's graph, each
gradient as the operation that it is), and how fast the stream alone delivers batches.

    python benchmarks/benchmark_translation.py --img_size=64 --batch=4
    python benchmarks/benchmark_translation.py --preset=small --batch=16
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
from machine import ConvolutionPeak  # noqa: E402
from PIL import Image  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from runs.log import NoLog, memory_gb  # noqa: E402
from training.replicas import Replicas  # noqa: E402
from translation.data import TranslationStream, open_images  # noqa: E402
from translation.iterations import Iterations  # noqa: E402
from translation.loop import new_state, schedule_of  # noqa: E402
from translation.run_config import RUN_PRESETS, run_config  # noqa: E402

FILES = 32   # images of each domain


def write_images(folder, side):
    random = np.random.default_rng(0)
    for domain in 'ab':
        os.makedirs(os.path.join(folder, domain))
        for number in range(FILES):
            pixels = random.integers(256, size=[side // 8, side // 8, 3], dtype=np.uint8)
            Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(
                os.path.join(folder, domain, f'{number}.png'))


def convolution_flops(graph):
    """Operations of all convolutions in a graph and its functions: two for each multiply-add."""
    total, graphs = 0, [graph, *(each.graph for each in graph._functions.values())]
    for operation in (operation for each in graphs for operation in each.get_operations()):
        kind = operation.type
        if kind == 'Conv2D':
            kernel, image = operation.inputs[1].shape, operation.outputs[0].shape
        elif kind == 'Conv2DBackpropInput':
            kernel, image = operation.inputs[1].shape, operation.inputs[2].shape
        elif kind == 'Conv2DBackpropFilter':
            kernel, image = operation.outputs[0].shape, operation.inputs[2].shape
        else:
            continue
        height, width, fan_in, _ = kernel
        total += 2 * math.prod(image) * height * width * fan_in
    return total


def stream_seconds(config, images, batches):
    """Seconds that the stream alone takes for a batch."""
    networks = config.networks
    stream = iter(TranslationStream(images, networks.img_size, networks.latent_dim,
                                    config.randcrop_prob, 0).batches(config.batch, 0))
    next(stream)
    start = time.time()
    for _ in range(batches):
        next(stream)
    return (time.time() - start) / batches


def report(args, folder):
    options = {} if args.img_size is None else {'img_size': args.img_size}
    config = run_config(args.preset, folder, 2, {'batch': args.batch, **options})
    images, sched, seconds = open_images(folder, check=False), schedule_of(config), []
    state, peak = new_state(config, NoLog(), Replicas()), ConvolutionPeak()
    with contextlib.closing(Iterations(state, config, images, NoLog(), Replicas())) as trained:
        start = time.time()
        trained.run(sched, 1)
        compiling = time.time() - start
        for _ in range(args.iterations):
            start = time.time()
            trained.run(sched, 1)
            state.stat_sums.numpy()
            seconds.append(time.time() - start)
            best = peak.measure()
        graph = trained._compiled.get_concrete_function(next(trained._stream)).graph
    flops, median, size = convolution_flops(graph), statistics.median(seconds), sched.resolution
    widths = config.networks.widths
    print(f'{size}x{size}, minibatch {config.batch}, {widths[0]} to {widths[-1]} channels: '
          f'{flops / config.batch / 1e9:.1f} GFLOP an image; peak {best / 1e9:.0f} GFLOP/s\n')
    print('| s/iteration | images/s | of peak | compile s | memory GiB | stream: images/s | '
          'times the step |\n|' + ' --- |' * 7)
    batches = max(2, math.ceil(64 / config.batch))
    delivered = config.batch / stream_seconds(config, images, batches)
    print(f'| {median:.3g} | {config.batch / median:.3g} | {flops / median / best:.2f} | '
          f'{compiling:.1f} | {memory_gb()[1]:.1f} | {delivered:.3g} | '
          f'{delivered * median / config.batch:.1f} |')


def command_line():
    """The parser of all flags."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--preset', default='afhq', choices=list(RUN_PRESETS))
    parser.add_argument('--img_size', type=int, help="default: the preset's")
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--iterations', type=int, default=5)
    parser.add_argument('--stored', type=int, default=512, help='side of the images as files')
    return parser


if __name__ == '__main__':
    args = command_line().parse_args()
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, 'noise')
        write_images(folder, args.stored)
        report(args, folder)
