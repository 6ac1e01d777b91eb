"""Generates images with a trained network: the smallest example of how one is used.

  pretrained_example.py --network=results/00000-sgan-digits-1gpu/network-final.safetensors
  pretrained_example.py --network=faces.pkl --seeds=0-35,99 --trunc=0.5 --outdir=out/faces
  pretrained_example.py --network=ffhq       the paper's faces, downloaded once (NVIDIA's licence)

Image k comes from the latent numpy.random.RandomState(seed k).randn(1, latent_size), so that equal
seeds give equal images everywhere. Writes seed0000.png, ... and samples.png, all of them in a grid.
"""

import math
import os
import sys

from absl import flags

from cli import shared_flags, startup
from pictures.latents import class_labels, latents_of, parse_numbers

FLAGS = flags.FLAGS
MINIBATCH = 8  # images at once: 1024x1024 ones fit into 8 GB

shared_flags.define('which', 'lod', 'trunc_cutoff', 'class_idx', 'cache_dir')
flags.DEFINE_string('network', None, 'Network: a .safetensors file, a .pkl of the reference, a '
                    'URL, or ffhq, celebahq, bedrooms, cars, cats: the published ones.')
flags.DEFINE_string('seeds', '0-35', 'Which latents: numbers and ranges, such as 0-35,99.')
flags.DEFINE_float('trunc', None, 'Truncation psi: 1 = none, 0 = the average style in all layers '
                   "that --trunc_cutoff names. Default: the network's own, 0.7 as a rule.")
flags.DEFINE_boolean('randomize_noise', False, 'Fresh noise in each image, not the stored maps.')
flags.DEFINE_string('outdir', 'out', 'Where the images are written.')
flags.mark_flag_as_required('network')


def main(args):
    startup.refuse_positional(args)
    seeds = parse_numbers(FLAGS.seeds, 'seeds')
    startup.load_tensorflow()
    from formats.png import grid, save_png
    from pictures.opening import check_truncation, open_generator
    from training.sampler import Sampler
    from training.summary import layer_table
    truncation = shared_flags.truncation()
    Gs, lod = open_generator(FLAGS.network, FLAGS.cache_dir, FLAGS.which, FLAGS.lod)
    print(layer_table(Gs, FLAGS.which or 'Gs'))
    labels = class_labels(Gs.config, FLAGS.class_idx, len(seeds))
    noise = 'fresh' if FLAGS.randomize_noise else 'stored'
    sampler = Sampler(Gs, lod, noise, MINIBATCH)
    check_truncation(sampler, truncation)
    pictures = sampler.images_of(latents_of(seeds, Gs.config.latent_size), labels, truncation)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    for seed, picture in zip(seeds, pictures):
        save_png(os.path.join(FLAGS.outdir, f'seed{seed:04d}.png'), picture)
    columns = math.ceil(math.sqrt(len(seeds)))
    samples = os.path.join(FLAGS.outdir, 'samples.png')
    save_png(samples, grid(pictures, columns, math.ceil(len(seeds) / columns)))
    print(f'Wrote {len(seeds)} images and {samples}.')
    print(f'The published FFHQ network: {os.path.basename(sys.argv[0])} --network=ffhq --seeds=5')


if __name__ == '__main__':
    startup.run(main)
