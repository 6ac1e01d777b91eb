"""Do the numbers mean something? Metrics of real images that are damaged more and more.

Splits the gray images of a folder with one sub-folder for each class (the demo's digits) into
random halves. One half stays as it is; the other is measured against it: untouched, blurred, noisy,
and with only some of its classes, as a generator that has lost modes would have it; then the other
way round. A network's images may be measured beside them. Prints a Markdown table of means and
deviations over several splits, and fails where more damage does not make a number worse.

    python benchmarks/damage_table.py [--images=datasets/digits-images] [--network=FILE]
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
import scipy.ndimage  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from conversion import decode  # noqa: E402
from conversion.collection import find_collection, read_file  # noqa: E402
from metrics.ms_ssim import ms_ssim  # noqa: E402
from metrics.sliced_wasserstein import swd  # noqa: E402
from metrics.sources import GeneratorSource  # noqa: E402
from training import snapshot  # noqa: E402

BLURS = (0.5, 1.0, 2.0)    # deviations of a Gaussian, pixels
NOISES = (16, 32, 64)      # deviations, grey levels
DROPPED = (0.3, 0.6, 0.9)  # parts of the classes that are missing
PAIRS = 10_000            # of images, for MS-SSIM


def read_images(folder):
    """(gray images uint8 [N, H, W, 1], their classes [N])."""
    collection = find_collection(folder)
    images = [decode.decode(read_file(folder, name), decode.Rules(num_channels=1))
              for name in collection.names]
    classes = [os.path.dirname(name) for name in collection.names]
    return np.moveaxis(np.stack(images), 1, 3), np.unique(classes, return_inverse=True)[1]


def blurred(images, deviation):
    smooth = scipy.ndimage.gaussian_filter(images.astype(np.float32), [0, deviation, deviation, 0])
    return np.rint(smooth).astype(np.uint8)


def noisy(images, deviation, random):
    noise = random.normal(0, deviation, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def with_classes_dropped(images, classes, part, random):
    """As many images, drawn again from the classes that are left."""
    count = round((1 - part) * (classes.max() + 1))
    kept = np.flatnonzero(np.isin(classes, random.permutation(classes.max() + 1)[:count]))
    return images[random.choice(kept, len(images))]


def variants(images, classes, random):
    """Yields (kind, strength, images): what is measured against the other half."""
    yield 'reals', 'untouched', images
    for deviation in BLURS:
        yield 'blurred', f'{deviation} pixels', blurred(images, deviation)
    for deviation in NOISES:
        yield 'noisy', f'{deviation} grey levels', noisy(images, deviation, random)
    for part in DROPPED:
        yield ('without some classes', f'{100 * part:.0f}% of them',
               with_classes_dropped(images, classes, part, random))


def diversity(images, pairs):
    """MS-SSIM of pairs [M, 2] of the images."""
    return ms_ssim(images[pairs[:, 0]], images[pairs[:, 1]]).mean(dtype=np.float64)


def measured(reals, rest, classes, generated, seed):
    """{(kind, strength): (swd, MS-SSIM minus that of the reals)}.

    Args:
        reals: one half of the images.
        rest: the other, which is damaged.
        classes: of the `rest`.
        generated: as many images of a network; None = none.
    """
    random = np.random.default_rng(seed)
    pairs = random.integers(len(rest), size=[PAIRS, 2])
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    sides = list(variants(rest, classes, random))
    if generated is not None:
        sides.insert(1, ('network', '', generated))
    of_reals = diversity(reals, pairs)
    return {(kind, strength): (swd(reals, images, seed)['mean'],
                               diversity(images, pairs) - of_reals)
            for kind, strength, images in sides}


def both_ways(images, classes, generated, seed):
    """`measured` for a split in halves, each of them the reals in turn."""
    random = np.random.default_rng(seed)
    half = len(images) // 2
    halves = np.split(random.permutation(len(images))[:2 * half], 2)
    some = None if generated is None else random.permutation(generated)[:half]
    return [measured(images[reals], images[rest], classes[rest], some, seed)
            for reals, rest in (halves, halves[::-1])]


def not_monotone(table):
    """Lines for (kind, number) that do not get worse with the strength, from reals on."""
    found = []
    for kind in dict.fromkeys(kind for kind, _ in table if kind not in ('reals', 'network')):
        rows = [value for (name, _), value in table.items() if name in ('reals', kind)]
        for number, metric in enumerate(('swd', 'msssim')):
            means = [abs(row[0][number]) for row in rows]
            if not all(a < b for a, b in zip(means, means[1:])):
                found.append(f'{metric} of {kind}: {", ".join(f"{mean:.4f}" for mean in means)}')
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--images', default='datasets/digits-images')
    parser.add_argument('--network', help='network file to measure beside the damaged images')
    parser.add_argument('--splits', type=int, default=3)
    args = parser.parse_args()
    images, classes = read_images(args.images)
    generated = None
    if args.network:
        loaded = snapshot.load(args.network)
        source = GeneratorSource(loaded.Gs, 32, seed=0, lod=loaded.lod)
        generated = np.concatenate(list(source.images(len(images))))
    splits = [result for seed in range(args.splits)
              for result in both_ways(images, classes, generated, seed)]
    table = {key: (np.mean([split[key] for split in splits], axis=0),
                   np.std([split[key] for split in splits], axis=0)) for key in splits[0]}
    print("| images | strength | swd | MS-SSIM minus the reals' |\n"
          '| --- | --- | --- | --- |')
    for (kind, strength), (mean, deviation) in table.items():
        print(f'| {kind} | {strength} | {mean[0]:.1f} ± {deviation[0]:.1f} | '
              f'{mean[1]:+.4f} ± {deviation[1]:.4f} |')
    problems = not_monotone(table)
    print('\n' + '\n'.join(['Not worse with more damage:', *problems] if problems else
                           ['Each kind of damage makes each number worse, monotonically.']))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
