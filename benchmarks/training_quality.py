"""Is training as good as the reference's? The configuration of its recorded network, trained anew.

Trains on scikit-learn's 1,797 digits for 120 kimg as the reference trained tests/parity/digits (its
configuration: ARGUMENTS below), once for each seed, about 20 minutes each on two idle cores. Then
measures, with the same code, the sliced Wasserstein distance of 1,797 generated digits (no
truncation, random noise) to the 1,797 real ones, for each of these networks and for the
reference's. A run that was stopped goes on when the same command is given again. Fails where the
mean of the seeds is more than 1.1 times the reference's distance. Two seeds decide little: runs
differ by more than that among themselves (README.md beside this file), so it says as well how many
runs that scatter as these do would be as good as the reference's.

    python benchmarks/training_quality.py [--seeds=1,2,...] [--outdir=out/training-quality]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
import scipy.stats  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from metrics.sliced_wasserstein import swd  # noqa: E402
from metrics.sources import DatasetSource, GeneratorSource  # noqa: E402
from runs import directory  # noqa: E402
from training import snapshot  # noqa: E402
from training.dataset import TFRecordDataset  # noqa: E402

REFERENCE = os.path.join(ROOT, 'tests', 'parity', 'digits', 'network-final.pkl')
ARGUMENTS = ['--preset=digits', '--fmap_base=2048', '--fmap_max=64', '--minibatch_base=32',
             '--lod_training_kimg=15', '--lod_transition_kimg=15', '--G_lrate_base=0.002',
             '--D_lrate_base=0.002', '--total_kimg=120', '--G_smoothing_kimg=2', '--metrics=none',
             '--holdout=0']
LIMIT = 1.1
DRAWS = 5  # of latents and of random directions, for each network


def run(*command):
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True)


def trained(data, outdir, seed):
    """The final network of one seed's training."""
    results = os.path.join(outdir, f'seed{seed}')
    run('train.py', f'--data={data}', f'--outdir={results}', f'--seed={seed}', *ARGUMENTS)
    return os.path.join(list(directory.run_dirs(results).values())[-1], directory.FINAL)


def distances(path, dataset):
    """swd of a network to all images of the data set, once for each draw."""
    count = dataset.num_images
    reals = np.concatenate(list(DatasetSource(dataset, 32).images(count)))
    Gs = snapshot.load(path).Gs
    fakes = (np.concatenate(list(GeneratorSource(Gs, 32, seed).images(count)))
             for seed in range(DRAWS))
    return [swd(reals, images, seed)['mean'] for seed, images in enumerate(fakes)]


def verdict(found, reference):
    """(The ratio of the means, two lines of text), of the seeds' distances and the reference's."""
    mean, ratio = np.mean(found), np.mean(found) / reference
    text = f'Mean of the seeds {mean:.2f}, over the reference\'s: {ratio:.3f} (at most {LIMIT})'
    if len(found) > 1:
        deviation = np.std(found, ddof=1)
        t = (reference - mean) / (deviation * np.sqrt(1 + 1 / len(found)))
        share = scipy.stats.t.cdf(t, len(found) - 1)
        text += (f'\nDeviation between seeds {deviation:.2f}: of such runs, {share:.0%} would be '
                 'as good as the reference or better')
    return ratio, text


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--seeds', default='1,2,11,12,13,14,15,16')
    parser.add_argument('--outdir', default='out/training-quality')
    args = parser.parse_args()
    outdir = os.path.abspath(args.outdir)
    images, data = (os.path.join(outdir, name) for name in ('digits-images', 'digits'))
    if not os.path.isdir(data):
        run('demo_digits.py', images)
        run('dataset_tool.py', 'create_from_images', data, images)
    networks = {f'seed {seed}': trained(data, outdir, seed) for seed in args.seeds.split(',')}
    dataset = TFRecordDataset(data)
    print('| network | swd, mean | deviation over draws |\n| --- | --- | --- |')
    means = {}
    for name, path in [*networks.items(), ('the reference', REFERENCE)]:
        found = distances(path, dataset)
        means[name] = np.mean(found)
        print(f'| {name} | {means[name]:.2f} | {np.std(found):.2f} |', flush=True)
    ratio, text = verdict([means[name] for name in networks], means['the reference'])
    print(f'\n{text}')
    return int(ratio > LIMIT)


if __name__ == '__main__':
    sys.exit(main())
