"""Makes pictures with a trained network: images, truncation sweeps, style mixing, interpolations.

  generate.py --network=faces.pkl --seeds=0-35,99 --trunc=0.7        an image for each seed
  generate.py --network=faces.pkl --seeds=0-3 --sweep=1,0.5,0,-0.5   each at several truncations
  generate.py --network=faces.pkl --row_seeds=1-4 --col_seeds=5-9 --styles=4x4-8x8    style mixing
  generate.py --network=faces.pkl --seeds=3,14,15 --strip=w --steps=9    from each to the next
  generate.py --network=faces.pkl --seeds=0-9 --save_w               also OUTDIR/w.npz, for --w
  generate.py --network=faces.pkl --seeds=0-99999 --format=jpg --skip_existing    many; or go on

Seed s is the latent numpy.random.RandomState(s).randn(1, latent_size), as everywhere in the field.
"""

import collections
import contextlib
import os

import tqdm
from absl import flags

from cli import shared_flags, startup
from pictures.latents import check_seeds, class_labels, latents_of, parse_floats, parse_numbers
from pictures.style_layers import chosen_layers

FLAGS = flags.FLAGS
QUALITY = 90  # of JPEGs: compression is hardly seen
MANY = 1000   # images; more are worth compiling for. It also saves memory: TensorFlow 2.15 under
              # Python 3.11 loses some 50 bytes in each operation outside compiled code

shared_flags.define('network', 'which', 'lod', 'trunc', 'trunc_cutoff', 'styles', 'class_idx',
                    'allow_other_network', 'cache_dir')
flags.DEFINE_string('seeds', '0-7', 'Which latents: numbers and ranges, such as 0-35,99.')
flags.DEFINE_string('w', None, 'Instead of seeds: .npz file that --save_w or edit.py wrote.')
flags.DEFINE_enum('noise', 'stored', ['stored', 'random', 'none'], 'Noise of the images: the maps '
                  'stored in the file of --w or in the network, fresh ones, or none.')
flags.DEFINE_string('sweep', None, 'Sheet of each image at these truncations, such as 1,0.7,0,-1.')
flags.DEFINE_string('row_seeds', None, 'Style mixing: images at the left, that styles go into.')
flags.DEFINE_string('col_seeds', None, 'Style mixing: images at the top, that the styles of '
                    '--styles come from.')
for side in 'row', 'col':
    flags.DEFINE_string(f'{side}_w', None, f'Instead of --{side}_seeds: .npz file that --save_w or '
                        'edit.py wrote.')
flags.DEFINE_enum('strip', None, ['z', 'w'], 'Sheet of the way from each image to the next: z = '
                  'along the sphere of latents, w = straight in w.')
flags.DEFINE_integer('steps', 9, 'Images in each strip.', lower_bound=2)
flags.DEFINE_boolean('save_w', False, 'Also write the w of the images to OUTDIR/w.npz.')
flags.DEFINE_string('crop', 'full', "What is shown of each image: full, 512x384 = the middle rows, "
                    'or auto = without black bars, if the network makes such.')
flags.DEFINE_enum('format', 'png', ['png', 'jpg'], 'Format of the pictures.')
flags.DEFINE_integer('quality', None, f'Of JPEG pictures, 1..100. Default: {QUALITY}.',
                     lower_bound=1, upper_bound=100)
flags.DEFINE_boolean('skip_existing', False, 'Leave out images whose whole files are in OUTDIR: so '
                     'a job that was stopped goes on. The first of these files are compared with '
                     'what the command makes.')
flags.DEFINE_string('outdir', 'out/pictures', 'Where the pictures are written.')
flags.mark_flag_as_required('network')


def check_sides():
    """ValueError unless each side of a mixing sheet has seeds or a file of w."""
    for side in 'row', 'col':
        seeds, path = FLAGS[f'{side}_seeds'].value, FLAGS[f'{side}_w'].value
        if seeds and path:
            raise ValueError(f'--{side}_seeds={seeds} and --{side}_w={path}: both name the images '
                             'of one side; leave one of them out.')
        if not seeds and not path:
            raise ValueError(f'style mixing needs both --row_seeds and --col_seeds, or --row_w and '
                             f'--col_w for files of w; give --{side}_seeds or --{side}_w too.')


def chosen_mode():
    """'mixing', 'sweep', 'strip' or 'images', as the flags say."""
    modes = [mode for mode, asked in (
        ('mixing', FLAGS.row_seeds or FLAGS.col_seeds or FLAGS.row_w or FLAGS.col_w),
        ('sweep', FLAGS.sweep), ('strip', FLAGS.strip)) if asked]
    if len(modes) > 1:
        raise ValueError(f'{" and ".join(modes)} at once: only one of --row_seeds/--col_seeds, '
                         '--sweep and --strip may be given; run the command for each.')
    mode = modes[0] if modes else 'images'
    if mode == 'mixing':
        check_sides()
    if FLAGS.w and (mode == 'mixing' or FLAGS.strip == 'z'):
        raise ValueError('--w holds no seeds; leave it out for style mixing and --strip=z.')
    if FLAGS.save_w and mode == 'mixing':
        raise ValueError('--save_w is not for style mixing, whose images are of two; leave it out.')
    if FLAGS.styles is not None and mode != 'mixing':
        raise ValueError('--styles is for style mixing; give --row_seeds and --col_seeds with it.')
    if FLAGS.sweep and FLAGS.trunc is not None:
        raise ValueError('--trunc is what --sweep changes; leave it out.')
    if FLAGS.quality is not None and FLAGS.format != 'jpg':
        raise ValueError(f'--quality={FLAGS.quality}: is of JPEG pictures; give --format=jpg too, '
                         'or leave it out.')
    if FLAGS.skip_existing and mode != 'images':
        raise ValueError('--skip_existing is for images, one a file, not for sheets; leave it out.')
    return mode


def chosen_seeds():
    """The numbers of `--seeds`, checked."""
    seeds = parse_numbers(FLAGS.seeds, 'seeds')
    check_seeds(seeds)
    if FLAGS.skip_existing and not FLAGS.w and len(set(seeds)) < len(seeds):
        twice = collections.Counter(seeds).most_common(1)[0][0]
        raise ValueError(f'--skip_existing: seed {twice} stands in --seeds twice, and both images '
                         'have the same name; name it once.')
    return seeds


def labels_of(sampler, seeds, start=0):
    return class_labels(sampler.config, FLAGS.class_idx, len(seeds), start)


def w_of(sampler, seeds, psi=None, start=0):
    """w of seeds; `start`: how many others come before them."""
    z = latents_of(seeds, sampler.config.latent_size)
    return sampler.w(z, labels_of(sampler, seeds, start), shared_flags.truncation(psi))


def saved_w(sampler, flag='w'):
    """The SavedW of the file that --w, or another flag, names; no noise maps if --noise says so."""
    from pictures import w_files
    saved = w_files.load(FLAGS[flag].value, sampler, FLAGS.trunc, shared_flags.truncation().cutoff,
                         FLAGS.allow_other_network, flag)
    return saved if FLAGS.noise == 'stored' else saved._replace(noise=None)


def mixing_side(sampler, side):
    """The SavedW of the images at one side, 'row' or 'col'."""
    from pictures.w_files import SavedW
    if FLAGS[f'{side}_w'].value:
        return saved_w(sampler, f'{side}_w')
    flag = f'{side}_seeds'
    return SavedW(w_of(sampler, parse_numbers(FLAGS[flag].value, flag)), noise=None)


def mixing_sheet(sampler):
    from pictures import stills
    layers = chosen_layers(sampler.num_layers, FLAGS.styles)
    rows, columns = (mixing_side(sampler, side) for side in ('row', 'col'))
    return stills.mixing(sampler, rows.w, columns.w, [layers] * len(rows.w), rows.noise_of,
                         columns.noise_of)


def sheet_of(sampler, mode, w, noise_of, seeds):
    """The sheet that `mode` asks for, of images w with noise, or of seeds for strips in z."""
    from pictures import stills
    if mode == 'sweep':
        cutoff = shared_flags.truncation().cutoff
        return stills.sweep(sampler, w, parse_floats(FLAGS.sweep, 'sweep'), cutoff, noise_of)
    if len(w) < 2:
        raise ValueError('--strip goes from one image to the next; give two seeds or more.')
    if FLAGS.strip == 'w':
        return stills.strips_w(sampler, w, FLAGS.steps, noise_of)
    z = latents_of(seeds, sampler.config.latent_size)
    return stills.strips_z(sampler, z, labels_of(sampler, seeds), shared_flags.truncation(),
                           FLAGS.steps)


def opened(mode, seeds):
    """The Sampler, checked against the flags."""
    from pictures.opening import check_truncation, open_sampler
    truncation = shared_flags.truncation()
    sampler = open_sampler(FLAGS.network, FLAGS.crop, FLAGS.cache_dir, FLAGS.which, FLAGS.lod,
                           FLAGS.noise, compiled=mode == 'images' and len(seeds) > MANY)
    check_truncation(sampler, truncation)
    if not sampler.has_w and (mode == 'sweep' or FLAGS.save_w or FLAGS.strip == 'w'):
        raise ValueError('--sweep, --save_w and --strip=w need w, which a ProGAN network does not '
                         'have; take a StyleGAN network.')
    return sampler


def job_of(sampler, seeds, saved):
    """The image_files.Job: an image for each of the seeds, or for each w of a SavedW."""
    from pictures.image_files import Job
    if saved:
        return Job(len(saved.w), 'w{:04d}'.format, lambda start, stop: saved.w[start:stop],
                   saved.noise_of)
    labels_of(sampler, seeds[:1])  # checks --class_idx
    return Job(len(seeds), lambda i: f'seed{seeds[i]:04d}',
               lambda start, stop: w_of(sampler, seeds[start:stop], start=start),
               repeats=len(set(seeds)) < len(seeds))


def w_path():
    return os.path.join(FLAGS.outdir, 'w.npz')


def write_images(sampler, seeds, files):
    """Writes an image for each row of w, and with --save_w all w, as they are made."""
    from pictures import image_files, w_files
    saved = saved_w(sampler) if FLAGS.w else None
    job = job_of(sampler, seeds, saved)
    if FLAGS.skip_existing:
        image_files.check_existing(sampler, job, files)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    with contextlib.ExitStack() as stack:
        take_w = None
        if FLAGS.save_w:
            shape = job.count, sampler.config.num_styles, sampler.config.dlatent_size
            take_w = stack.enter_context(w_files.w_writer(
                w_path(), shape, saved and saved.noise, sampler.network_sha256))
        written = image_files.write_images(sampler, job, files, FLAGS.skip_existing, take_w,
                                           progress)
    print(f'Wrote {written} images to {FLAGS.outdir}'
          + (f'; {job.count - written} were there' if FLAGS.skip_existing else ''))


def progress(minibatches):
    return tqdm.tqdm(minibatches, 'Minibatches', disable=None)


def write_sheet(sampler, mode, seeds, files):
    """Writes the one picture of `mode`, and with --save_w the w of its images."""
    from pictures import w_files
    if mode == 'mixing':
        sheet = mixing_sheet(sampler)
    else:
        saved = saved_w(sampler) if FLAGS.w else w_files.SavedW(
            w_of(sampler, seeds, 1.0 if mode == 'sweep' else None), noise=None)
        sheet = sheet_of(sampler, mode, saved.w, saved.noise_of, seeds)
    os.makedirs(FLAGS.outdir, exist_ok=True)
    print('Wrote', files.save(f'strip-{FLAGS.strip}' if mode == 'strip' else mode, sheet))
    if FLAGS.save_w:
        w_files.save_w(w_path(), *saved, sampler.network_sha256)


def main(args):
    startup.refuse_positional(args)
    mode, seeds = chosen_mode(), chosen_seeds()
    startup.load_tensorflow()
    from pictures.image_files import Files
    quality = FLAGS.quality or QUALITY
    files = Files(FLAGS.outdir, f'.{FLAGS.format}', quality if FLAGS.format == 'jpg' else None)
    sampler = opened(mode, seeds)
    if mode == 'images':
        write_images(sampler, seeds, files)
    else:
        write_sheet(sampler, mode, seeds, files)
    if FLAGS.save_w:
        print(f'Wrote {w_path()}')


if __name__ == '__main__':
    startup.run(main)
