"""Makes pictures with a trained network: images, truncation sweeps, style mixing, interpolations.

  generate.py --network=faces.pkl --seeds=0-35,99 --trunc=0.7        an image for each seed
  generate.py --network=faces.pkl --seeds=0-3 --sweep=1,0.5,0,-0.5   each at several truncations
  generate.py --network=faces.pkl --row_seeds=1-4 --col_seeds=5-9 --styles=0-3    style mixing
  generate.py --network=faces.pkl --seeds=3,14,15 --strip=w --steps=9    from each to the next
  generate.py --network=faces.pkl --seeds=0-9 --save_w               also OUTDIR/w.npz, for --w

Seed s is the latent numpy.random.RandomState(s).randn(1, latent_size), as everywhere in the field.
"""

import os

from absl import flags

from cli import shared_flags, startup
from pictures.latents import class_labels, latents_of, parse_floats, parse_numbers

FLAGS = flags.FLAGS

shared_flags.define('network', 'trunc', 'class_idx', 'cache_dir')
flags.DEFINE_string('seeds', '0-7', 'Which latents: numbers and ranges, such as 0-35,99.')
flags.DEFINE_string('w', None, 'Instead of seeds: .npz file that --save_w wrote.')
flags.DEFINE_enum('noise', 'stored', ['stored', 'random', 'none'], 'Noise of the images: the maps '
                  'stored in the network, fresh ones, or none.')
flags.DEFINE_string('sweep', None, 'Sheet of each image at these truncations, such as 1,0.7,0,-1.')
flags.DEFINE_string('row_seeds', None, 'Style mixing: images at the left, that styles go into.')
flags.DEFINE_string('col_seeds', None, 'Style mixing: images at the top, that styles come from.')
flags.DEFINE_string('styles', None, 'Style mixing: the layers taken from the top, such as 0-3. '
                    'Default: the coarse ones, the first two ninths.')
flags.DEFINE_enum('strip', None, ['z', 'w'], 'Sheet of the way from each image to the next: z = '
                  'along the sphere of latents, w = straight in w.')
flags.DEFINE_integer('steps', 9, 'Images in each strip.', lower_bound=2)
flags.DEFINE_boolean('save_w', False, 'Also write the w of the images to OUTDIR/w.npz.')
flags.DEFINE_string('crop', 'full', "What is shown of each image: full, 512x384 = the middle rows, "
                    'or auto = without black bars, if the network makes such.')
flags.DEFINE_string('outdir', 'out/pictures', 'Where the pictures are written.')
flags.mark_flag_as_required('network')


def chosen_mode():
    """'mixing', 'sweep', 'strip' or 'images', as the flags say."""
    modes = [mode for mode, asked in (
        ('mixing', FLAGS.row_seeds or FLAGS.col_seeds), ('sweep', FLAGS.sweep),
        ('strip', FLAGS.strip)) if asked]
    if len(modes) > 1:
        raise ValueError(f'{" and ".join(modes)} at once: only one of --row_seeds/--col_seeds, '
                         '--sweep and --strip may be given; run the command for each.')
    mode = modes[0] if modes else 'images'
    if mode == 'mixing' and not (FLAGS.row_seeds and FLAGS.col_seeds):
        raise ValueError('style mixing needs both --row_seeds and --col_seeds; give the other too.')
    if FLAGS.w and (mode == 'mixing' or FLAGS.strip == 'z'):
        raise ValueError('--w holds no seeds; leave it out for style mixing and --strip=z.')
    if FLAGS.save_w and mode == 'mixing':
        raise ValueError('--save_w is not for style mixing, whose images are of two; leave it out.')
    if FLAGS.styles and mode != 'mixing':
        raise ValueError('--styles is for style mixing; give --row_seeds and --col_seeds with it.')
    if FLAGS.sweep and FLAGS.trunc is not None:
        raise ValueError('--trunc is what --sweep changes; leave it out.')
    return mode


def labels_of(sampler, seeds):
    return class_labels(sampler.config, FLAGS.class_idx, len(seeds))


def truncation(psi=None):
    """As the flags say, unless `psi` is given."""
    from training.sampler import Truncation
    return Truncation(FLAGS.trunc if psi is None else psi)


def w_of(sampler, seeds, psi=None):
    z = latents_of(seeds, sampler.config.latent_size)
    return sampler.w(z, labels_of(sampler, seeds), truncation(psi))


def mixing_sheet(sampler):
    from pictures import stills
    styles = parse_numbers(FLAGS.styles, 'styles') if FLAGS.styles else None
    layers = stills.chosen_layers(sampler, styles)
    rows, columns = (w_of(sampler, parse_numbers(FLAGS[flag].value, flag))
                     for flag in ('row_seeds', 'col_seeds'))
    return stills.mixing(sampler, rows, columns, [layers] * len(rows))


def sheet_of(sampler, mode, w, seeds):
    """The sheet that `mode` asks for, of images w, or of seeds for strips in z."""
    from pictures import stills
    if mode == 'sweep':
        return stills.sweep(sampler, w, parse_floats(FLAGS.sweep, 'sweep'))
    if len(w) < 2:
        raise ValueError('--strip goes from one image to the next; give two seeds or more.')
    if FLAGS.strip == 'w':
        return stills.strips_w(sampler, w, FLAGS.steps)
    z = latents_of(seeds, sampler.config.latent_size)
    return stills.strips_z(sampler, z, labels_of(sampler, seeds), truncation(), FLAGS.steps)


def save_images(sampler, w, names):
    """Writes an image for each row of w, a minibatch at a time."""
    from formats.png import save_png
    images = (image for images in sampler.batches(w) for image in images)
    for name, image in zip(names, images):
        save_png(os.path.join(FLAGS.outdir, f'{name}.png'), image)
    print(f'Wrote {len(w)} images to {FLAGS.outdir}')


def opened(mode):
    """The Sampler, checked against the flags."""
    from pictures.opening import check_truncation, open_sampler
    sampler = open_sampler(FLAGS.network, FLAGS.crop, FLAGS.cache_dir, FLAGS.noise)
    check_truncation(sampler, truncation())
    if not sampler.has_w and (mode == 'sweep' or FLAGS.save_w or FLAGS.strip == 'w'):
        raise ValueError('--sweep, --save_w and --strip=w need w, which a ProGAN network does not '
                         'have; take a StyleGAN network.')
    return sampler


def main(args):
    startup.refuse_positional(args)
    mode, seeds = chosen_mode(), parse_numbers(FLAGS.seeds, 'seeds')
    startup.load_tensorflow()
    from formats.png import save_png
    from pictures import w_files
    sampler = opened(mode)
    if mode == 'mixing':
        sheet = mixing_sheet(sampler)
    else:
        w = (w_files.load_w(FLAGS.w, sampler, FLAGS.trunc) if FLAGS.w else
             w_of(sampler, seeds, 1.0 if mode == 'sweep' else None))
        sheet = None if mode == 'images' else sheet_of(sampler, mode, w, seeds)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    if sheet is not None:
        name = f'strip-{FLAGS.strip}' if mode == 'strip' else mode
        path = os.path.join(FLAGS.outdir, f'{name}.png')
        save_png(path, sheet)
        print(f'Wrote {path}')
    else:
        save_images(sampler, w, [f'w{i:04d}' for i in range(len(w))] if FLAGS.w else
                    [f'seed{seed:04d}' for seed in seeds])
    if FLAGS.save_w:
        path = os.path.join(FLAGS.outdir, 'w.npz')
        w_files.save_w(path, w)
        print(f'Wrote {path}')


if __name__ == '__main__':
    startup.run(main)
