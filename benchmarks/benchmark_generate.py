"""How fast images are made: a second at several batch sizes, as files, and from a cold start.

Networks are of the paper's width with random weights. `of peak` is the arithmetic of the
convolutions over the time, as a share of the best rate of large float32 convolutions measured in
turn with it. As files: what `generate.py` does for many images, beside drawing the same number and
keeping none, in turn. The cold start is `generate.py` as a whole: Python, TensorFlow, the network
file, compiling, one PNG.

    python benchmarks/benchmark_generate.py --resolution=256 [--batches=1,16] [--rounds=5]
        [--files=64] [--fmap_base=8192]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import tensorflow as tf  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from machine import ConvolutionPeak  # noqa: E402

from pictures.image_files import Files, Job, write_images  # noqa: E402
from pictures.latents import latents_of  # noqa: E402
from training import snapshot  # noqa: E402
from training.arithmetic import pass_flops  # noqa: E402
from training.config import DiscriminatorConfig, GeneratorConfig  # noqa: E402
from training.networks import Discriminator, Generator  # noqa: E402
from training.sampler import Sampler  # noqa: E402


def batch_seconds(sampler, z):
    """Of one call, until the images are there."""
    start = time.perf_counter()
    sampler.draw(z)[0].numpy()
    return time.perf_counter() - start


def files_seconds(sampler, count, ending):
    """Of `count` images: (drawn, and written)."""
    z = latents_of(range(count), sampler.config.latent_size)
    job = Job(count, str, lambda start, stop: sampler.w(z[start:stop]))
    start = time.perf_counter()
    for number, first in enumerate(range(0, count, sampler.minibatch), 1):
        sampler.numbered(job.w_of(first, min(first + sampler.minibatch, count)), number)
    between = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        written = time.perf_counter()
        write_images(sampler, job, Files(folder, ending, 95 if ending == '.jpg' else None))
        return between - start, time.perf_counter() - written


def print_files(sampler, count, rounds):
    """The share of the bare rate that is left where images become files."""
    print('\n| files | drawn, images/s | written | share |\n| --- | --- | --- | --- |')
    for ending in '.png', '.jpg':
        files_seconds(sampler, 2 * sampler.minibatch, ending)  # compiles
        found = [files_seconds(sampler, count, ending) for _ in range(rounds)]
        drawn, written = (statistics.median(seconds) for seconds in zip(*found))
        share = statistics.median(bare / whole for bare, whole in found)
        print(f'| {count} of {ending[1:].upper()} | {count / drawn:.2f} | {count / written:.2f} | '
              f'{share:.3f} |')


def cold_start_seconds(path, directory):
    """Seconds from the command line to the first image on disk."""
    start = time.perf_counter()
    subprocess.run([sys.executable, os.path.join(ROOT, 'generate.py'), f'--network={path}',
                    '--seeds=0', f'--outdir={directory}'], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--resolution', type=int, default=256)
    parser.add_argument('--batches', default='1,16')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--files', type=int, default=64, help='images that are written')
    parser.add_argument('--fmap_base', type=int, default=8192, help='less = a narrower network')
    args = parser.parse_args()
    G = Generator(GeneratorConfig(resolution=args.resolution, fmap_base=args.fmap_base))
    sampler = Sampler(G, compiled=True)
    peak, flops = ConvolutionPeak(), pass_flops(G.config, args.resolution)
    latents = {int(batch): tf.random.normal([int(batch), G.config.latent_size])
               for batch in args.batches.split(',')}
    seconds = {batch: [] for batch in latents}
    for z in latents.values():
        batch_seconds(sampler, z)  # compiles
    for _ in range(args.rounds):
        peak.measure(1)
        for batch, z in latents.items():
            seconds[batch].append(batch_seconds(sampler, z))
    print(f'{args.resolution}x{args.resolution}: {flops / 1e9:.1f} GFLOP an image; peak '
          f'{peak.best / 1e9:.0f} GFLOP/s\n\n| batch | images/s | of peak |\n| --- | --- | --- |')
    for batch, found in seconds.items():
        rate = batch / statistics.median(found)
        print(f'| {batch} | {rate:.2f} | {rate * flops / peak.best:.2f} |')
    print_files(sampler, args.files, args.rounds)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'network.safetensors')
        D = Discriminator(DiscriminatorConfig(resolution=args.resolution))
        snapshot.save(path, G, D, G)
        cold = [cold_start_seconds(path, directory) for _ in range(3)]
    print(f'\nFirst image from a cold start: {statistics.median(cold):.1f} s')


if __name__ == '__main__':
    main()
