"""Small trainings that go wrong, and the pictures of docs/reading-a-training.md made from them.

Trains on scikit-learn's 1,797 digits at 16x16 pixels (once on 50 of them) with one thing changed
in each run, and draws what came of it. Some twelve minutes on one idle core; a run that was
stopped goes on when the same command is given again. Prints the numbers that the page quotes. More
flags are passed on to each train.py.

    python benchmarks/training_troubles.py [--pictures=docs/images] [--only=rates]
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import shutil
import subprocess
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.insert(0, ROOT)

from formats import sheets  # noqa: E402
from runs import directory, plots  # noqa: E402
from training.dataset import TFRecordDataset  # noqa: E402

RESOLUTION = 16
FEW = 50
COLUMNS, ROWS = 16, 6  # of each run's sample grid
ARGUMENTS = ['--preset=digits', f'--resolution={RESOLUTION}', '--fmap_max=32',
             '--lod_initial_resolution=4', '--lod_training_kimg=6', '--lod_transition_kimg=4',
             '--tick_kimg_base=1', '--network_snapshot_ticks=10', '--metrics=swd16k',
             f'--grid={COLUMNS}x{ROWS}', '--holdout=0']
WITHOUT_GROWING = [f'--lod_initial_resolution={RESOLUTION}', '--lod_training_kimg=0',
                   '--lod_transition_kimg=0', '--total_kimg=1.024', '--tick_kimg_base=0.512',
                   '--metrics=none']
PSI = ('1.5', '1', '0.7', '0.5', '0', '-1')
WORDS = 20  # pixels, height of a line of words
SHOWN = 48  # pixels, width of an image in the pictures


class Lab:
    """Where the runs are, and how one is made."""

    def __init__(self, outdir, total_kimg, extra):
        self.outdir, self.total_kimg, self.extra = outdir, total_kimg, extra

    def path(self, *names):
        return os.path.join(self.outdir, *names)

    def script(self, *command):
        """Runs a script of this repository; its output goes on, errors end this program."""
        print('$', *command, flush=True)
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True)

    def train(self, name, *changes, data='digits', share=1.0):
        """The run directory of `name`, trained for `share` of total_kimg."""
        self.script('train.py', f'--data={self.path(data)}', f'--outdir={self.path(name)}',
                    *ARGUMENTS, f'--total_kimg={self.total_kimg * share}', *self.extra, *changes)
        return self.run_dir(name)

    def run_dir(self, name):
        return list(directory.run_dirs(self.path(name)).values())[-1]


def make_data(lab):
    """The datasets 'digits' and 'digits-few': all digits, and FEW of them."""
    images = lab.path('digits-images')
    lab.script('demo_digits.py', images)
    for name, flags in (('digits', []), ('digits-few', [f'--max_images={FEW}'])):
        if not os.path.isdir(lab.path(name)):
            lab.script('dataset_tool.py', 'create_from_images', lab.path(name), images,
                       f'--resolution={RESOLUTION}', *flags)


def cells(path):
    """uint8 [ROWS * COLUMNS, r, r, 1], the images of a run's sample grid."""
    grid = np.asarray(Image.open(path))
    side = grid.shape[1] // COLUMNS
    rows = grid.reshape(ROWS, side, COLUMNS, side).swapaxes(1, 2)
    return rows.reshape(ROWS * COLUMNS, side, side, 1)


def fakes_at(run_dir, kimg):
    """cells() of the newest sample grid that is no later than `kimg`."""
    paths = sorted(glob.glob(os.path.join(glob.escape(run_dir), 'fakes*.png')))
    return cells([path for path in paths if int(path[-10:-4]) <= kimg][-1])


def stats(run_dir):
    """The lines of stats.jsonl, one dict for each tick."""
    with open(os.path.join(run_dir, plots.STATS_FILE), encoding='utf-8') as file:
        return [json.loads(line) for line in file]


def strip(images, words, rows=1):
    """The first images in `rows` rows of COLUMNS, enlarged, with a line of words above."""
    shown = sheets.enlarge(images[:rows * COLUMNS], SHOWN // images.shape[1])
    sheet = sheets.arrange([list(shown[i * COLUMNS:(i + 1) * COLUMNS]) for i in range(rows)], 2)
    return np.concatenate([sheets.caption(sheet[:0], words, WORDS), sheet])


def save(path, parts):
    """Strips, one below the other, as one PNG."""
    Image.fromarray(np.concatenate(parts)[:, :, 0]).save(path, optimize=True)
    print(f'Wrote {path}', flush=True)


def distances(images, others, same=False):
    """(Root mean square distance to the nearest of `others`, its index), for each image.

    same: whether both are the same images; none is then compared with itself.
    """
    a, b = (np.float32(x).reshape(len(x), -1) for x in (images, others))
    squares = np.stack([np.square(b - image).mean(axis=1) for image in a])
    if same:
        np.fill_diagonal(squares, np.inf)
    return np.sqrt(squares.min(axis=1)), squares.argmin(axis=1)


def memorising(lab, pictures):
    """FEW images against all: fakes above the training images that they are nearest to.

    Medians of distances, too: of fakes, and of digits that are new to these images. Among all
    there is none: each is taken for new to the others.
    """
    reals, few = (TFRecordDataset(lab.path(name), RESOLUTION) for name in ('digits', 'digits-few'))
    reals, few = (data.read(RESOLUTION, np.arange(data.num_images)) for data in (reals, few))
    unseen = reals[distances(reals, few)[0] > 0]
    parts = []
    for name, images, fresh in (('few', few, distances(unseen, few)[0]),
                                ('many', reals, distances(reals, reals, same=True)[0])):
        fakes = fakes_at(lab.run_dir(name), lab.total_kimg)
        found, nearest = distances(fakes, images)
        text = (f'{len(images):,} training images: fakes, and below each the nearest of them, '
                f'{np.median(found):.0f} grey levels away (new digits: {np.median(fresh):.0f})')
        print(text)
        pairs = np.concatenate([fakes[:COLUMNS], images[nearest[:COLUMNS]]])
        parts.append(strip(pairs, text, rows=2))
    save(os.path.join(pictures, 'trouble-memorising.png'), parts)


def collapse(lab, pictures):
    """The Wasserstein loss without its penalty, in time."""
    run_dir, total = lab.run_dir('collapse'), lab.total_kimg * 2 / 3
    moments = [total * share for share in (1 / 4, 1 / 2, 3 / 4, 1)]
    save(os.path.join(pictures, 'trouble-collapse.png'),
         [strip(fakes_at(run_dir, kimg), f'kimg {kimg:.0f}') for kimg in moments])


def strong_D(lab, pictures):
    """R1 as in the preset, and hardly any."""
    kimg = lab.total_kimg * 2 / 3
    parts = [strip(fakes_at(lab.run_dir(name), kimg), f'r1_gamma {gamma}, kimg {kimg:.0f}', rows=2)
             for name, gamma in (('healthy', '1, the preset\'s'), ('strong-D', '0.001'))]
    save(os.path.join(pictures, 'trouble-strong-D.png'), parts)
    curves(lab, os.path.join(pictures, 'trouble-strong-D-curves.png'),
           {'healthy': 'r1_gamma 1', 'strong-D': 'r1_gamma 0.001'},
           ('loss_D', 'score_real', 'penalty'))


def rates(lab, pictures):
    """Learning rates that are right, high, too high, and lowered."""
    half, total = lab.total_kimg / 2, lab.total_kimg
    shown = (('rate-high', half, f'0.06 until kimg {half:.0f}'),
             ('rate-high', total, f'0.06 until kimg {total:.0f}'),
             ('rate-lowered', total, f'lowered to 0.006 at kimg {half:.0f}, kimg {total:.0f}'))
    save(os.path.join(pictures, 'trouble-rate.png'),
         [strip(fakes_at(lab.run_dir(name), kimg), f'learning rate {words}')
          for name, kimg, words in shown])
    curves(lab, os.path.join(pictures, 'trouble-rate-curves.png'),
           {'healthy': 'learning rate 0.003, the preset\'s', 'many': '0.02',
            'rate-high': '0.06', 'rate-lowered': f'0.06, from kimg {half:.0f} on 0.006'},
           ('swd16k',))


def curves(lab, path, names, wanted):
    """Some of the curves of plot_run.py for some runs. names: {run: what it is called}."""
    runs = []
    for name, words in names.items():
        run = plots.read_run(lab.run_dir(name))
        ticks, metrics = ({curve: points for curve, points in group.items() if curve in wanted}
                          for group in (run.ticks, run.metrics))
        runs.append(plots.Curves(words, ticks, metrics))
    plots.draw(runs, path)
    print(f'Wrote {path}', flush=True)


def growing(lab, pictures):
    """The same latents through all lods of the healthy run."""
    run_dir = lab.run_dir('healthy')
    parts, ticks = [], stats(run_dir)
    for lod in (2, 1.5, 1, 0.5, 0):
        # The last tick at this lod: at whole ones, when that resolution has been trained longest.
        off = min(abs(tick['lod'] - lod) for tick in ticks)
        tick = [tick for tick in ticks if abs(tick['lod'] - lod) <= off][-1]
        size = tick['resolution']
        images = fakes_at(run_dir, tick['kimg'])
        parts.append(strip(images, f'kimg {tick["kimg"]:.0f}: lod {tick["lod"]:.2f}, '
                                   f'{size}x{size} pixels'))
    save(os.path.join(pictures, 'trouble-lod.png'), parts)


def truncation(lab, pictures):
    """One network at many psi."""
    network = os.path.join(lab.run_dir('healthy'), directory.FINAL)
    lab.script('generate.py', f'--network={network}', f'--seeds=0-{COLUMNS - 1}',
               f'--sweep={",".join(PSI)}', f'--outdir={lab.path("psi")}')
    sheet = np.asarray(Image.open(lab.path('psi', 'sweep.png')))[:, :, np.newaxis]
    factor = sheets.VISIBLE // RESOLUTION  # generate.py shows each pixel so large
    step = sheets.VISIBLE + sheets.gap(sheets.VISIBLE)
    parts = []
    for column, psi in enumerate(PSI):
        left = column * step
        images = [sheet[top:top + sheets.VISIBLE:factor, left:left + sheets.VISIBLE:factor]
                  for top in range(0, COLUMNS * step, step)]
        parts.append(strip(np.stack(images), f'psi {psi}'))
    save(os.path.join(pictures, 'trouble-psi.png'), parts)


def repeats(lab, pictures):
    """Trains with minibatch_repeats 1 and 4, and says in how many arrays the networks differ."""
    del pictures  # there is nothing to see
    found = [load_file(os.path.join(lab.train(f'repeats-{number}', *WITHOUT_GROWING,
                                              f'--minibatch_repeats={number}'), directory.FINAL))
             for number in (1, 4)]
    differing = sum(not np.array_equal(found[0][name], found[1][name]) for name in found[0])
    print(f'minibatch_repeats 1 and 4: {differing} of {len(found[0])} arrays differ')


def report(lab, name):
    """Prints what the page says of a run."""
    ticks = stats(lab.run_dir(name))
    for tick in ticks[::max(1, len(ticks) // 6)] + ticks[-1:]:
        print(name, *(f'{key} {tick[key]:.3f}' for key in (
            'kimg', 'lod', 'loss_D', 'loss_G', 'score_real', 'score_fake', 'penalty')), sep='  ')
    for kimg, swd in plots.read_run(lab.run_dir(name)).metrics.get('swd16k', {}).items():
        print(name, f'kimg {kimg:.1f}', f'swd16k {swd:.1f}', sep='  ')


def rates_of(value):
    return [f'--G_lrate_base={value}', f'--D_lrate_base={value}']


def lowered(lab):
    """Half of a run with rates that are too high, and a copy of it that goes on with lower ones."""
    name = 'rate-lowered'
    if not os.path.isdir(lab.path(name)):
        lab.train('rate-start', *rates_of(0.06), share=0.5)
        shutil.copytree(lab.path('rate-start'), lab.path(name))
    lab.train(name, *rates_of(0.006), '--resume=latest')


RUNS = {
    'healthy': lambda lab: lab.train('healthy'),
    'many': lambda lab: lab.train('many', *rates_of(0.02), share=2 / 3),
    'few': lambda lab: lab.train('few', *rates_of(0.02), data='digits-few', share=2 / 3),
    'collapse': lambda lab: lab.train('collapse', '--G_loss=G_wgan', '--D_loss=D_wgan',
                                      '--mbstd_group_size=0', share=2 / 3),
    'strong-D': lambda lab: lab.train('strong-D', '--r1_gamma=0.001', share=2 / 3),
    'rate-high': lambda lab: lab.train('rate-high', *rates_of(0.06)),
    'rate-lowered': lowered}
TOPICS = {  # {topic: (runs it draws, what draws it)}
    'memorising': (('few', 'many'), memorising),
    'collapse': (('collapse',), collapse),
    'strong-D': (('healthy', 'strong-D'), strong_D),
    'rates': (('healthy', 'many', 'rate-high', 'rate-lowered'), rates),
    'growing': (('healthy',), growing),
    'truncation': (('healthy',), truncation),
    'repeats': ((), repeats)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--outdir', default='out/troubles')
    parser.add_argument('--pictures', help='folder of the pictures; default: --outdir')
    parser.add_argument('--total_kimg', type=float, default=60)
    parser.add_argument('--only', help=f'topics, separated by commas: {", ".join(TOPICS)}')
    args, extra = parser.parse_known_args()
    lab = Lab(os.path.abspath(args.outdir), args.total_kimg, extra)
    pictures = os.path.abspath(args.pictures or args.outdir)
    for path in (lab.outdir, pictures):
        os.makedirs(path, exist_ok=True)
    make_data(lab)
    topics = args.only.split(',') if args.only else list(TOPICS)
    runs = dict.fromkeys(run for topic in topics for run in TOPICS[topic][0])
    for run in runs:
        RUNS[run](lab)
    for topic in topics:
        TOPICS[topic][1](lab, pictures)
    for run in runs:
        report(lab, run)


if __name__ == '__main__':
    main()
