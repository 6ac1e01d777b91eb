"""Ranks a dataset or a folder of images with a network's discriminator: which look wrong to it?

  rank_images.py --network=results/00012-sgan-faces-1gpu/network-final.safetensors --data=photos
  rank_images.py --network=mine.safetensors --data=datasets/faces --drop_worst=5%
  rank_images.py --network=mine.safetensors --data=datasets/faces --nearest     does it copy them?

Writes scores.csv, the best first, and sheet.png with the best and the worst; with --drop_worst also
worst.txt, a list of names. This is advice: a discriminator likes what its generator cannot do yet,
and has a taste for the usual. Look at the images before you leave any out.

With --nearest it writes nearest.png and nearest.csv in their place: images that the network draws,
each beside the nearest of --data. They are compared by their pixels at several scales; where the
files of LPIPS are there (as run_metrics.py has them for ppl), LPIPS orders the nearest.
"""

import os
import sys

import tqdm
from absl import flags

from cli import feature_flags, shared_flags, startup

FLAGS = flags.FLAGS

shared_flags.define('cache_dir', 'vgg16', 'lpips')
flags.DEFINE_string('network', None, 'Network with its discriminator: a path, a URL or a short '
                    'name (ffhq, ...).')
flags.DEFINE_string('data', None, 'Images: a dataset, a folder (with sub-folders) or a zip file. '
                    'Their middle squares are scaled to the size of the network.')
flags.DEFINE_string('drop_worst', None, 'Also list the worst images in worst.txt: a share, 5%, or '
                    'a number.')
flags.DEFINE_integer('groups', 8, 'Groups of other images that each image is scored in; the scores '
                     'are averaged.', lower_bound=1, upper_bound=1000)
flags.DEFINE_string('labels', None, 'Classes of the images, for a conditional network: folders = '
                    'each sub-folder is one, or a JSON or CSV file. Default: dataset.json, or '
                    'those of the dataset.')
flags.DEFINE_integer('class_idx', None, 'Class of all images, for a conditional network.')
flags.DEFINE_boolean('nearest', False, 'Look for copies: the nearest images of --data beside '
                     'what the network draws.')
flags.DEFINE_string('outdir', 'out/ranking', 'Where the files are written.')
flags.mark_flags_as_required(['network', 'data'])


def progress(pools):
    return tqdm.tqdm(pools, 'Reading' if FLAGS.nearest else 'Scoring', disable=None)


def tell_unusable(unusable):
    """Which images are left out, and why."""
    for name, reason in unusable.items():
        print(f'Left out {name!r}: {reason}', file=sys.stderr)


def found_lpips(resolution):
    """LPIPS where its files are there and images are large enough for it; else None."""
    from metrics import vgg16
    from metrics.features import FeatureNetworks
    given = {name: path for name, path in feature_flags.given(FLAGS).items()
             if name in ('vgg16', 'lpips')}
    feature_flags.check(given)
    networks = FeatureNetworks(given, FLAGS.cache_dir)
    if resolution < vgg16.MIN_RESOLUTION or networks.missing('lpips'):
        return None
    return networks.lpips[0]


def write_nearest(network):
    """nearest.png and nearest.csv: what the network draws beside the nearest of --data."""
    from formats.png import save_png
    from pictures import image_sources, nearest
    from training.config import DiscriminatorConfig
    from training.sampler import Sampler
    sampler, config = Sampler(network.Gs, network.lod), network.Gs.config
    shape = DiscriminatorConfig(config.resolution, config.num_channels)  # no labels are needed
    source = image_sources.open_source(FLAGS.data, shape, network.lod)
    fakes = nearest.drawn(sampler, FLAGS.class_idx)
    comparison = nearest.compare(fakes, source, progress)
    tell_unusable(comparison.unusable)
    lpips = found_lpips(sampler.resolution)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    nearest.write_table(os.path.join(FLAGS.outdir, 'nearest.csv'), comparison, source)
    save_png(os.path.join(FLAGS.outdir, 'nearest.png'),
             nearest.contact_sheet(comparison, source, lpips))
    print(f'Wrote nearest.csv and nearest.png to {FLAGS.outdir}; the numbers in the picture are '
          + ('grey levels of 255 (no files of LPIPS)' if lpips is None else "LPIPS' distances"))
    print(nearest.summary(comparison))


def main(args):
    startup.refuse_positional(args)
    if FLAGS.nearest and FLAGS.drop_worst:
        raise ValueError(f'--drop_worst={FLAGS.drop_worst} ranks images, --nearest looks for '
                         'copies; give one of them.')
    startup.load_tensorflow()
    from formats import download
    from formats.png import save_png
    from pictures import image_sources, ranking
    from training import snapshot
    network = snapshot.load(download.local_path(FLAGS.network, FLAGS.cache_dir))
    if FLAGS.nearest:
        write_nearest(network)
        return
    if network.D is None:
        raise ValueError(f'--network={FLAGS.network}: holds no discriminator, it was made for '
                         'generating only; take a whole network file.')
    source = image_sources.open_source(FLAGS.data, network.D.config, network.lod,
                                       FLAGS.class_idx, FLAGS.labels)
    if FLAGS.drop_worst:
        ranking.number_to_drop(FLAGS.drop_worst, len(source.names))
    scores = ranking.rank(network.D, network.lod, source, FLAGS.groups, progress)
    tell_unusable(scores.unusable)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    ranking.write_scores(os.path.join(FLAGS.outdir, 'scores.csv'), source, scores)
    save_png(os.path.join(FLAGS.outdir, 'sheet.png'), ranking.contact_sheet(source, scores))
    print(f'Wrote scores.csv and sheet.png of {len(scores.indices)} images to {FLAGS.outdir}')
    if FLAGS.drop_worst:
        count = ranking.number_to_drop(FLAGS.drop_worst, len(scores.indices))
        ranking.write_worst(os.path.join(FLAGS.outdir, 'worst.txt'), source, scores, count)
        print(f'Wrote worst.txt with the names of the worst {count}')
    print(ranking.ADVICE)


if __name__ == '__main__':
    startup.run(main)
