"""Does projection find the w that drew an image? Does it fit real images? How long does it take?

    python benchmarks/projection.py                 the digits network that comes with the tests
    python benchmarks/projection.py --tried         what the differences from the paper are worth
    python benchmarks/projection.py --network=results/.../network-final.safetensors \\
        --data=datasets/digits --holdout=89         real images that training held out
    python benchmarks/projection.py --speed         seconds a step beside the limit

*Recovery*: images uint8 of seeds, truncation 1, as files of them would be. `w off`: the median of
|w - w of the seed| / |w of the seed|. `pixels`: root of the mean squared error, of 255 levels.
*Reals*: beside the error of the mean real image in their place. Without --data, the digits of
scikit-learn turned by 10 degrees: the network was trained on all of them, as they are.
*Speed*: the limit is the arithmetic of the convolutions of two passes of G (forward, and backward
to the activations; weights have no gradients here) at the best rate of large convolutions, measured
in turn with the steps.
"""

from __future__ import annotations

import argparse
import glob
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from machine import ConvolutionPeak  # noqa: E402

from editing import latents  # noqa: E402
from editing.distances import PixelPyramid  # noqa: E402
from editing.projection import Options, Projector  # noqa: E402
from pictures.latents import latents_of  # noqa: E402
from pictures.opening import open_sampler  # noqa: E402
from training.arithmetic import pass_flops  # noqa: E402
from training.config import GeneratorConfig  # noqa: E402
from training.dataset import TFRecordDataset  # noqa: E402
from training.networks import Generator  # noqa: E402
from training.sampler import Sampler  # noqa: E402

DIGITS = os.path.join(ROOT, 'tests', 'parity', 'digits', 'network-final.pkl')
PASSES = 2
LARGEST_SEVERAL = 128   # pixels, of networks that are also timed with several images
PUBLISHED = {'noise_rate': 0.1, 'w_noise_share': 0.75, 'beta_2': 0.999, 'spread': 0.0}
TRIED = {   # {what differs from the default: fields of Options}
    'as published': PUBLISHED,
    'all axes alike': {'spread': 0.0},
    'maps at the rate of w': {'noise_rate': 0.1},
    'noise of w for 75% of the steps': {'w_noise_share': 0.75},
    'b2 = 0.999': {'beta_2': 0.999},
    'twice the rate': {'rate': 0.2},
    'half the rate': {'rate': 0.05},
    'regulariser 1000': {'regularisation': 1e3},
    "the network's own noise maps": {'optimise_noise': False},
    'the default': {},
}


def in_range(images):
    """uint8 -> float32, [-1, 1]."""
    return images.astype(np.float32) / 127.5 - 1


def projected(sampler, found, targets, options):
    """The Projection of targets by the pyramid; found: WStatistics."""
    projector = Projector(sampler, targets, found, PixelPyramid(), options)
    for _ in projector.moments():
        pass
    return projector.best()


def spread_of(rmse):
    """Median and worst, and how many are below 2."""
    return f'{np.median(rmse):.2f} | {rmse.max():.2f} | {np.sum(rmse < 2)} of {len(rmse)}'


def recovery(sampler, found, args, cases):
    """Prints how well the w of seeds are found, a row for each of {name: fields of Options}."""
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    w = sampler.w(latents_of(seeds, sampler.config.latent_size), truncation=None)[:, 0]
    targets = in_range(sampler.images(np.repeat(w[:, np.newaxis], sampler.config.num_styles, 1)))
    print(f'\nSeeds {seeds[0]}-{seeds[-1]}, {args.steps} steps, W\n\n| | w off | pixels: median | '
          'worst | below 2 |\n| --- | --- | --- | --- | --- |')
    for name, fields in cases.items():
        result = projected(sampler, found, targets, Options(steps=args.steps, **fields))
        off = np.linalg.norm(result.w[:, 0] - w, axis=1) / np.linalg.norm(w, axis=1)
        print(f'| {name} | {np.median(off):.3f} | {spread_of(result.rmse)} |', flush=True)
    return targets, result


def compare_spaces(sampler, found, targets, w, args):
    """Prints whether W+ is ever worse than the Projection in W."""
    plus = projected(sampler, found, targets, Options('w+', steps=args.steps))
    print(f'| W+ | | {spread_of(plus.rmse)} |\n\nW+ is worse than W for '
          f'{np.sum(plus.rmse > w.rmse + 1e-4)} of {len(targets)} images.', flush=True)


def real_images(args, resolution):
    """(all real images that the mean is of, some that no training saw): uint8 [N, r, r, C]."""
    if args.data:
        dataset = TFRecordDataset(args.data, resolution, holdout=args.holdout)
        return (dataset.read(resolution, part) for part in (dataset.trained, dataset.held_out))
    with tempfile.TemporaryDirectory() as folder:
        images = os.path.join(folder, 'digits')
        subprocess.run([sys.executable, os.path.join(ROOT, 'demo_digits.py'), images], check=True,
                       stdout=subprocess.DEVNULL)
        paths = sorted(glob.glob(os.path.join(images, '*', '*.png')), key=os.path.basename)
        upright = [Image.open(path).copy() for path in paths]
    turned = [image.rotate(10, Image.Resampling.BICUBIC) for image in upright]
    return (np.stack([np.asarray(image)[..., np.newaxis] for image in images])
            for images in (upright, turned))


def reals(sampler, found, args):
    """Prints how near projections of real images come, beside the mean image."""
    known, unseen = real_images(args, sampler.resolution)
    chosen = np.random.RandomState(0).permutation(len(unseen))[:args.reals]
    targets, mean = in_range(unseen[chosen]), in_range(known).mean(axis=0)
    base = 127.5 * np.sqrt(np.square(targets - mean).mean(axis=(1, 2, 3)))
    print(f'\n{len(chosen)} real images ({args.data or "digits turned by 10 degrees"}), '
          f'{args.steps} steps\n\n| | pixels: median | worst | of the mean image\'s: median '
          '| worst | sigma from the mean |\n| --- | --- | --- | --- | --- | --- |')
    print(f'| the mean image | {np.median(base):.1f} | {base.max():.1f} | | | |')
    for space in ('w', 'w+'):
        result = projected(sampler, found, targets, Options(space, steps=args.steps))
        share = result.rmse / base
        print(f'| {space.upper()} | {np.median(result.rmse):.1f} | {result.rmse.max():.1f} | '
              f'{np.median(share):.2f} | {share.max():.2f} | {np.median(result.away):.2f} |',
              flush=True)


def step_seconds(projector, count):
    """Median seconds of a step, the first two apart: they compile, and rates are 0."""
    seconds, start = [], time.perf_counter()
    for moment in projector.moments():
        seconds.append(time.perf_counter() - start)
        if moment.step == count + 2:
            return statistics.median(seconds[2:])
        start = time.perf_counter()


def speed(args):
    """Prints seconds a step beside the limit."""
    samplers = {'digits': open_sampler(args.network, 'full')}
    for resolution in (32, 64, 128, 256, 1024):
        config = GeneratorConfig(resolution=resolution)
        samplers[f"the paper's width, {resolution}x{resolution}"] = Sampler(Generator(config))
    peak = ConvolutionPeak()
    rows = []
    for name, sampler in samplers.items():
        found, size = latents.statistics(sampler, count=1000), sampler.resolution
        for batch in (1, 8) if size <= LARGEST_SEVERAL else (1,):
            targets = np.zeros([batch, size, size, sampler.num_channels], np.float32)
            peak.measure(1)
            took = step_seconds(Projector(sampler, targets, found, PixelPyramid()), args.rounds)
            peak.measure(1)
            rows.append((name, batch, took, PASSES * batch * pass_flops(sampler.config, size)))
    print(f'\nPeak {peak.best / 1e9:.0f} GFLOP/s\n\n| network | images | seconds a step '
          '| the limit | times the limit |\n| --- | --- | --- | --- | --- |')
    for name, batch, took, flops in rows:
        limit = flops / peak.best
        print(f'| {name} | {batch} | {took:.3f} | {limit:.4f} | {took / limit:.2f} |')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--network', default=DIGITS)
    parser.add_argument('--seeds', type=int, default=20)
    parser.add_argument('--first_seed', type=int, default=0)
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--reals', type=int, default=40)
    parser.add_argument('--data', help='data set, of which --holdout images were held out')
    parser.add_argument('--holdout', type=int, default=89)
    parser.add_argument('--tried', action='store_true')
    parser.add_argument('--speed', action='store_true')
    parser.add_argument('--rounds', type=int, default=10)
    args = parser.parse_args()
    if args.speed:
        speed(args)
        return
    sampler = open_sampler(args.network, 'full')
    found = latents.statistics(sampler)
    targets, w = recovery(sampler, found, args, TRIED if args.tried else {'W': {}})
    if not args.tried:
        compare_spaces(sampler, found, targets, w, args)
        reals(sampler, found, args)


if __name__ == '__main__':
    main()
