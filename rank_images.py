"""Ranks a dataset or a folder of images with a network's discriminator: which look wrong to it?

  rank_images.py --network=results/00012-sgan-faces-1gpu/network-final.safetensors --data=photos
  rank_images.py --network=mine.safetensors --data=datasets/faces --drop_worst=5%

Writes scores.csv, the best first, and sheet.png with the best and the worst; with --drop_worst also
worst.txt, a list of names. This is advice: a discriminator likes what its generator cannot do yet,
and has a taste for the usual. Look at the images before you leave any out.
"""

import os
import sys

import tqdm
from absl import flags

from cli import shared_flags, startup

FLAGS = flags.FLAGS

shared_flags.define('cache_dir')
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
flags.DEFINE_string('outdir', 'out/ranking', 'Where the files are written.')
flags.mark_flags_as_required(['network', 'data'])


def progress(pools):
    return tqdm.tqdm(pools, 'Scoring', disable=None)


def main(args):
    startup.refuse_positional(args)
    startup.load_tensorflow()
    from formats import download
    from formats.png import save_png
    from pictures import image_sources, ranking
    from training import snapshot
    network = snapshot.load(download.local_path(FLAGS.network, FLAGS.cache_dir))
    if network.D is None:
        raise ValueError(f'--network={FLAGS.network}: holds no discriminator, it was made for '
                         'generating only; take a whole network file.')
    source = image_sources.open_source(FLAGS.data, network.D.config, network.lod,
                                       FLAGS.class_idx, FLAGS.labels)
    if FLAGS.drop_worst:
        ranking.number_to_drop(FLAGS.drop_worst, len(source.names))
    scores = ranking.rank(network.D, network.lod, source, FLAGS.groups, progress)
    for name, reason in scores.unusable.items():
        print(f'Left out {name!r}: {reason}', file=sys.stderr)
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
