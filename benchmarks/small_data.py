"""Few images: what augmentation, transfer and frozen layers do for them, on scikit-learn's digits.

Trains the demo's network (--preset=digits, 120 kimg) on 100 and on 400 of the 1,797 digits, without
augmentation and with --aug=ada, and on all of them; and on 100 digits of 5 to 9, for 40 kimg at
full resolution: from fresh weights, from a network of the digits 0 to 4, and from that with D's
finest layers frozen. Four seeds each, one thread each, two at a time; a run that was stopped goes
on when the same command is given again. For each network, against *all* the digits (of 5 to 9):

    swd        sliced Wasserstein distance of as many fakes (no truncation, random noise), the mean
               of five draws
    ms-ssim    mean similarity of pairs of fakes; higher = less varied (that of reals beside it)
    memorised  the held-out gap at the end: how far D's scores of digits that were not trained on
               have gone from those of the others to the fakes'; the mean of the last five ticks

Fails where, with 400 images, `ada` is not at most half way from 400 to all of them by swd, or its
gap is more than half of that without.

    python benchmarks/small_data.py [--outdir=out/small-data] [--arms=400,400-ada] [--seeds=1,2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [ROOT, HERE]

from training_quality import distances  # noqa: E402

from formats.files import write_atomically  # noqa: E402
from metrics.ms_ssim import Diversity  # noqa: E402
from metrics.sources import DatasetSource, GeneratorSource  # noqa: E402
from runs import directory  # noqa: E402
from training import snapshot  # noqa: E402
from training.dataset import TFRecordDataset  # noqa: E402

SEEDS, AT_ONCE, LAST_TICKS = '1,2,3,4', 2, 5
DIGITS = {'all': range(10), 'low': range(5), 'high': range(5, 10)}  # {data set: its digits}
COMMON = ['--preset=digits', '--metrics=none', '--network_snapshot_ticks=0']
FROM_SCRATCH = ['--total_kimg=120']
AT_FULL_SIZE = ['--lod_initial_resolution=32', '--lod_training_kimg=0', '--lod_transition_kimg=0',
                '--total_kimg=40', '--resume_kimg=0']
BASE = 'base'                  # the network of the digits 0 to 4 that transfer begins with
FREEZED = 5                    # layers of D: the blocks at 32x32 and 16x16, and fromRGB
ARMS = {  # {arm: (data set, trained images or None = as held out by default, flags)}
    '100': ('all', 100, [*FROM_SCRATCH, '--aug=none']),
    '100-ada': ('all', 100, [*FROM_SCRATCH, '--aug=ada']),
    '400': ('all', 400, [*FROM_SCRATCH, '--aug=none']),
    '400-ada': ('all', 400, [*FROM_SCRATCH, '--aug=ada']),
    'all': ('all', None, [*FROM_SCRATCH, '--aug=none']),
    'all-ada': ('all', None, [*FROM_SCRATCH, '--aug=ada']),
    'scratch': ('high', 100, [*AT_FULL_SIZE[:-1], '--aug=none']),
    'transfer': ('high', 100, [*AT_FULL_SIZE, '--aug=none', '--resume=BASE']),
    'freezed': ('high', 100, [*AT_FULL_SIZE, '--aug=none', '--resume=BASE',
                              f'--freezed={FREEZED}'])}
COMPARED = [('100', '100-ada'), ('400', '400-ada'), ('all', 'all-ada')]


def run(*command, one_thread=False):
    threads = {'TF_NUM_INTRAOP_THREADS': '1', 'TF_NUM_INTEROP_THREADS': '1'} if one_thread else {}
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, env={**os.environ, **threads},
                   stdout=subprocess.DEVNULL)


def data_set(outdir, name):
    """A directory of records of some of the digits, made where it is missing."""
    images, data = os.path.join(outdir, 'digits-images'), os.path.join(outdir, name)
    if not os.path.isdir(images):
        run('demo_digits.py', images)
    if not os.path.isdir(data):
        part = os.path.join(outdir, f'{name}-images')
        os.makedirs(part, exist_ok=True)
        for digit in DIGITS[name]:
            link = os.path.join(part, str(digit))
            if not os.path.islink(link):
                os.symlink(os.path.join(images, str(digit)), link)
        run('dataset_tool.py', 'create_from_images', data, part)
    return TFRecordDataset(data)


def trained(outdir, arm, seed, data, images, flags, base=None):
    """The run directory of one training, which goes on where it stopped.

    images: how many are trained on; None = all that are not held out by default.
    """
    results = os.path.join(outdir, arm, f'seed{seed}')
    holdout = [] if images is None else [f'--holdout={data.num_images - images}']
    run('train.py', f'--data={data.directory}', f'--outdir={results}', f'--seed={seed}', *COMMON,
        *holdout, *(flag.replace('BASE', base or '') for flag in flags), one_thread=True)
    return list(directory.run_dirs(results).values())[-1]


def final(run_dir):
    return os.path.join(run_dir, directory.FINAL)


def stats_of(run_dir):
    """The lines of a run's stats.jsonl."""
    with open(os.path.join(run_dir, 'stats.jsonl'), encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def measured(run_dir, data):
    """{'swd', 'ms-ssim', 'memorised', 'augment': number} of a finished run; kept in a file."""
    path = os.path.join(run_dir, 'small-data.json')
    if not os.path.exists(path):
        diversity = Diversity()
        for batch in GeneratorSource(snapshot.load(final(run_dir)).Gs, 32, 0).images(
                data.num_images):
            diversity.add(batch)
        last = stats_of(run_dir)[-LAST_TICKS:]
        found = {'swd': float(np.mean(distances(final(run_dir), data))),
                 'ms-ssim': diversity.value,
                 'memorised': float(np.mean([line['memorised'] for line in last])),
                 'augment': last[-1].get('augment', 0.0)}
        write_atomically(path, json.dumps(found).encode())
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def reals_similarity(data):
    diversity = Diversity()
    for batch in DatasetSource(data, 32).images(data.num_images):
        diversity.add(batch)
    return diversity.value


def table(results):
    """Markdown of {arm: [what `measured` found, of each seed]}."""
    lines = ['| arm | swd of each seed | mean | ms-ssim | memorised of each seed | mean | p at the '
             'end |', '| --- | --- | --- | --- | --- | --- | --- |']
    for arm, found in results.items():
        swd, similarity, memorised, p = ([each[name] for each in found] for name in
                                         ('swd', 'ms-ssim', 'memorised', 'augment'))
        lines.append(f'| {arm} | {", ".join(f"{x:.1f}" for x in swd)} | **{np.mean(swd):.1f}** | '
                     f'{np.mean(similarity):.3f} | {", ".join(f"{x:.2f}" for x in memorised)} | '
                     f'**{np.mean(memorised):.2f}** | {np.mean(p):.2f} |')
    return '\n'.join(lines)


def draw(runs, path):
    """A PNG: the held-out gap over time, without and with augmentation. runs: {arm: [run_dir]}."""
    pairs = [pair for pair in COMPARED if set(pair) & set(runs)]
    if not pairs:
        return
    figure = Figure((2 + 4 * len(pairs), 4), layout='constrained', dpi=110)
    panels = figure.subplots(1, len(pairs), sharex=True, sharey=True, squeeze=False)[0]
    for panel, pair in zip(panels, pairs):
        for color, arm in zip(('C3', 'C0'), pair):
            curves = [{line['kimg']: line['memorised'] for line in stats_of(run_dir)}
                      for run_dir in runs.get(arm, ())]
            for curve in curves:
                panel.plot(curve.keys(), curve.values(), color=color, alpha=0.25, linewidth=1)
            if curves:
                kimg = sorted(set.intersection(*map(set, curves)))
                panel.plot(kimg, [np.mean([curve[at] for curve in curves]) for at in kimg],
                           color=color, linewidth=2.2,
                           label='with --aug=ada' if arm.endswith('-ada') else 'without')
        panel.set_title(f'{pair[0]} images' if pair[0] != 'all' else 'all 1,708 images')
        panel.axhline(1, color='0.6', linewidth=0.8, linestyle='--')
        panel.set_xlabel('kimg')
        panel.spines[['top', 'right']].set_visible(False)
    panels[0].set_ylabel('memorised\n(1 = unseen reals are fakes to D)')
    panels[0].legend(frameon=False)
    figure.savefig(path)


def verdict(results):
    """(whether the goals are reached, or None where arms are missing; text)."""
    if not {'400', '400-ada', 'all'} <= set(results):
        return None, 'The goals need the arms 400, 400-ada and all.'
    mean = {(arm, name): np.mean([each[name] for each in results[arm]])
            for arm in ('400', '400-ada', 'all') for name in ('swd', 'memorised')}
    way = (mean['400', 'swd'] - mean['400-ada', 'swd']) / (mean['400', 'swd'] - mean['all', 'swd'])
    gap = mean['400-ada', 'memorised'] / mean['400', 'memorised']
    return way >= 0.5 and gap <= 0.5, (
        f'With 400 images, ada goes {way:.0%} of the way by swd from without it to all images (at '
        f'least 50%); the held-out gap is {gap:.2f} of that without it (at most 0.50).')


def arguments():
    """The command line's."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--outdir', default='out/small-data')
    parser.add_argument('--arms', default=','.join(ARMS))
    parser.add_argument('--seeds', default=SEEDS)
    parser.add_argument('--plot', help='PNG to draw; default: held-out.png in --outdir')
    return parser.parse_args()


def main():
    args = arguments()
    outdir, seeds, arms = os.path.abspath(args.outdir), args.seeds.split(','), args.arms.split(',')
    data = {name: data_set(outdir, name) for name in DIGITS}
    base = None
    if any('--resume=BASE' in ARMS[arm][2] for arm in arms):
        base = final(trained(outdir, BASE, 1, data['low'], None, [*FROM_SCRATCH, '--aug=none']))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:  # seed by seed: all arms alike far
        jobs = {(arm, seed): pool.submit(trained, outdir, arm, seed, data[ARMS[arm][0]],
                                         *ARMS[arm][1:], base) for seed in seeds for arm in arms}
        runs = {arm: [jobs[arm, seed].result() for seed in seeds] for arm in arms}
    results = {arm: [measured(run_dir, data[ARMS[arm][0]]) for run_dir in runs[arm]]
               for arm in arms}
    print(table(results))
    print(f'\nMS-SSIM of pairs of reals: all {reals_similarity(data["all"]):.3f}, 5 to 9 '
          f'{reals_similarity(data["high"]):.3f}')
    draw(runs, args.plot or os.path.join(outdir, 'held-out.png'))
    reached, text = verdict(results)
    print(f'\n{text}')
    return int(reached is False)


if __name__ == '__main__':
    sys.exit(main())
