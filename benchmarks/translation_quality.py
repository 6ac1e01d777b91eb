"""Does translation learn? Digits in three styles: is the digit kept, the style right?

Draws scikit-learn's digits, each in one of three styles (demo_digits.py --styles), trains
train_translation.py --preset=small on them (less than half an hour on two cores), and translates
every held-out digit into the other styles, by latents and by references. Two small classifiers, of
digits and of styles, are trained on real images; then, for each ordered pair of styles:

    digit      share of translations that are read as the source's digit, and of it the share among
               real images of the target style: at least 0.75
    style      share that is taken for the target style: at least 0.95
    choice     mean distance of pixels between two translations of one source, relative to that
               between two real images of the target: above 0.1 (latents only)
    swd        sliced Wasserstein distance of translations to the target style, relative to that of
               the sources: below 1/3

A run that was stopped goes on when the same command is given again. Fails where a mean misses.

    python benchmarks/translation_quality.py [--outdir=out/translation-quality] [--total_kimg=112]
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from metrics.sliced_wasserstein import swd  # noqa: E402
from runs import directory  # noqa: E402
from translation import data, snapshot  # noqa: E402
from translation.sampler import Translator, to_still  # noqa: E402

LIMITS = {'digit': 0.75, 'style': 0.95, 'choice': 0.1, 'swd': 1 / 3}   # swd: at most; else at least
EPOCHS = 40            # of the classifiers


def run(*command):
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


def images_of(folder):
    """{style: (float32 [N, 32, 32, 3] in [-1, 1], digits int [N])} of a folder of styles."""
    found, result = data.open_images(folder, check=False), {}
    for style, members in zip(found.domains, found.members):
        pixels = np.stack([np.asarray(found.read(member)) for member in members])
        digits = np.array([int(member[-5]) for member in members])   # 0123-7.png
        result[style] = data.in_range(pixels), digits
    return result


def classifier(images, classes):
    """A function images -> classes, trained on these."""
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    model = tf.keras.Sequential([
        layers.Conv2D(32, 3, activation='relu', padding='same'), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation='relu', padding='same'), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(classes.max() + 1)])
    model.compile('adam', tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, classes, 64, EPOCHS, verbose=0)
    return lambda images: model.predict(images, 256, verbose=0).argmax(axis=1)


def mean_distance(a, b):
    return float(np.abs(a - b).mean())


def uint8(images):
    return to_still(tf.constant(images))


def measured(translator, train, val, guide, read_digit, read_style, random):
    """{pair: {name of LIMITS: number}} of translations by 'latent' or 'reference'."""
    styles, result = list(train), {}
    for source, target in itertools.permutations(styles, 2):
        (x, digits), (reals, real_digits) = val[source], val[target]
        y, count = styles.index(target), len(x)
        if guide == 'latent':
            z = random.normal(size=[2, count, translator.config.latent_dim])
            chosen = [translator.styles_of_latents(each, y) for each in z]
        else:
            chosen = [translator.styles_of_images(
                train[target][0][random.integers(len(train[target][0]), size=count)], y)
                for _ in range(2)]
        fakes = [translator.images(x, s) for s in chosen]
        both = np.concatenate(fakes)
        among_reals = (read_digit(reals) == real_digits).mean()
        pairs = random.permutation(len(reals))
        targets = uint8(train[target][0][:len(both)])
        result[f'{source} to {target}'] = {
            'digit': (read_digit(both) == np.tile(digits, 2)).mean() / among_reals,
            'style': (read_style(both) == y).mean(),
            'choice': mean_distance(*fakes) / mean_distance(reals, reals[pairs]),
            'swd': swd(targets, uint8(both))['mean']
            / swd(targets, uint8(train[source][0][:len(both)]))['mean']}
    return result


def report(guide, rows):
    """Prints a table; returns whether all means are within LIMITS."""
    print(f'\nby {guide}\n| | ' + ' | '.join(LIMITS) + ' |\n|' + ' --- |' * (len(LIMITS) + 1))
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in LIMITS}
    for label, row in {**rows, 'mean': means, 'limit': LIMITS}.items():
        print(f'| {label} | ' + ' | '.join(f'{row[name]:.2f}' for name in LIMITS) + ' |')
    return all(means[name] <= limit if name == 'swd' else means[name] >= limit
               for name, limit in LIMITS.items() if not (name == 'choice' and guide != 'latent'))


def command_line():
    """The parser of all flags."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--outdir', default=os.path.join(ROOT, 'out', 'translation-quality'))
    parser.add_argument('--total_kimg', type=float, default=112, help='default: 112')
    return parser


def main():
    args = command_line().parse_args()
    folder, results = (os.path.join(args.outdir, name) for name in ('styles', 'results'))
    run('demo_digits.py', folder, '--styles')
    run('train_translation.py', f'--data={folder}/train', f'--val={folder}/val', '--preset=small',
        f'--outdir={results}', '--metrics=none', f'--total_kimg={args.total_kimg}')
    network = os.path.join(list(directory.run_dirs(results).values())[-1], directory.FINAL)
    translator = Translator(snapshot.load(network, averages_only=True))
    train, val = (images_of(os.path.join(folder, split)) for split in ('train', 'val'))
    x = np.concatenate([images for images, _ in train.values()])
    read_digit = classifier(x, np.concatenate([digits for _, digits in train.values()]))
    read_style = classifier(x, np.repeat(range(len(train)), [len(y) for _, y in train.values()]))
    digit = np.mean([(read_digit(x) == digits).mean() for x, digits in val.values()])
    style = np.mean([(read_style(x) == k).mean() for k, (x, _) in enumerate(val.values())])
    print(f'{network}\nreal held-out images: digit {digit:.3f}, style {style:.3f}')
    random = np.random.default_rng(0)
    passed = [report(guide, measured(translator, train, val, guide, read_digit, read_style, random))
              for guide in ('latent', 'reference')]
    return 0 if all(passed) else 1


if __name__ == '__main__':
    sys.exit(main())
