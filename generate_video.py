"""Makes films (mp4) with a trained network, or of a training.

  generate_video.py --network=faces.pkl                                a grid of smooth random walks
  generate_video.py --network=faces.pkl --kind=coarse --seeds=3,14     pose and shape change
  generate_video.py --network=faces.pkl --kind=fine --seeds=3,14       colours and details change
  generate_video.py --network=faces.pkl --kind=styles --styles=16x16-32x32   what lies between
  generate_video.py --network=faces.pkl --kind=noise --seeds=3,14      hair, freckles, background
  generate_video.py --network=faces.pkl --kind=truncation --seeds=0-5  over the average and back
  generate_video.py --network=faces.pkl --kind=keys --seeds=3,14,15,92 through these images
  generate_video.py --run=results/00012-sgan-faces-1gpu                a training's fakes*.png

Films are loops unless --noloop is given. However long they are, they take the same memory.
"""

import math
import re

import tqdm
from absl import flags

from cli import shared_flags, startup
from pictures.latents import class_labels, latents_of, parse_numbers
from pictures.style_layers import chosen_layers

FLAGS = flags.FLAGS
KINDS = ['walk', 'coarse', 'fine', 'styles', 'noise', 'truncation', 'keys']

shared_flags.define('network', 'which', 'lod', 'trunc', 'trunc_cutoff', 'styles', 'class_idx',
                    'allow_other_network', 'cache_dir')
flags.DEFINE_string('run', None, 'Instead of a network: a run directory, or the number of a run in '
                    'results/, whose fakes*.png become the film.')
flags.DEFINE_enum('kind', 'walk', KINDS, 'What the film shows.')
flags.DEFINE_string('output', 'out/film.mp4', 'Film to write.')
flags.DEFINE_float('seconds', 10, 'Length of the film.')
flags.DEFINE_float('fps', 30, 'Frames a second.')
flags.DEFINE_boolean('loop', True, 'The end of the film is its beginning.')
flags.DEFINE_float('pace', 2, 'Random walks: seconds within which an image becomes another one.',
                   lower_bound=0.01)
flags.DEFINE_integer('seed', 0, 'Of random walks and of the noise.', lower_bound=0,
                     upper_bound=2 ** 31 - 1)
flags.DEFINE_string('grid', None, 'Columns and rows of images, such as 3x2. Default: 3x2 for '
                    'walks, else as many as there are seeds.')
flags.DEFINE_string('seeds', None, 'The fixed images, or the key frames: such as 0-5,99.')
flags.DEFINE_string('w', None, 'Instead of seeds: .npz file that generate.py --save_w or '
                    'edit.py wrote.')
flags.DEFINE_string('crop', 'auto', "What is shown of each image: full, 512x384 = the middle rows, "
                    'or auto = without black bars, if the network makes such.')


def grid(count):
    """(columns, cells) of the screen; count: fixed images, None = as many as there are cells."""
    if FLAGS.grid is None:
        return (3, 6) if count is None else (math.ceil(math.sqrt(count)), count)
    match = re.fullmatch(r'([1-9]\d?)x([1-9]\d?)', FLAGS.grid, re.ASCII)
    if not match:
        raise ValueError(f'--grid={FLAGS.grid}: must be COLUMNSxROWS, such as 3x2, 99 at most.')
    columns, cells = int(match[1]), int(match[1]) * int(match[2])
    if count is not None and count > cells:
        raise ValueError(f'--grid={FLAGS.grid}: has {cells} places for {count} images; give fewer '
                         'seeds or a larger grid.')
    return columns, cells if count is None else count


def fixed_images(sampler, seeds):
    """The SavedW of the seeds, or of the file that --w names."""
    from pictures import w_files
    truncation = shared_flags.truncation(1.0 if FLAGS.kind == 'truncation' else None)
    if FLAGS.w:
        return w_files.load(FLAGS.w, sampler, FLAGS.trunc, truncation.cutoff,
                            FLAGS.allow_other_network)
    labels = class_labels(sampler.config, FLAGS.class_idx, len(seeds))
    w = sampler.w(latents_of(seeds, sampler.config.latent_size), labels, truncation)
    return w_files.SavedW(w, noise=None)


def film_of(sampler, timing):
    """(Film, columns of the screen)."""
    from pictures import films
    truncation = shared_flags.truncation()
    walk = {'timing': timing, 'seed': FLAGS.seed, 'pace': FLAGS.pace, 'truncation': truncation,
            'class_idx': FLAGS.class_idx}
    if FLAGS.kind == 'walk':
        columns, cells = grid(None)
        return films.random_walks(sampler, cells, **walk), columns
    films.check(sampler, FLAGS.kind)
    saved = fixed_images(sampler, parse_numbers(FLAGS.seeds or '0-5', 'seeds'))
    w = saved.w
    if FLAGS.kind == 'keys':
        return films.key_frames(w, timing.loop), 1
    columns, _ = grid(len(w))
    if FLAGS.kind == 'noise':
        return films.noise_loop(sampler, w, FLAGS.seed), columns
    if FLAGS.kind == 'truncation':
        film = films.truncation_sweep(sampler, w, timing.loop, truncation.cutoff)
    else:
        layers = chosen_layers(sampler.num_layers,
                               FLAGS.styles if FLAGS.kind == 'styles' else FLAGS.kind)
        film = films.style_walk(sampler, w, layers, **walk)
    return film._replace(noise_at=saved.noise_of and (lambda t: saved.noise_of)), columns


def check_flags():
    """ValueError for flags that do not go together."""
    if (FLAGS.network is None) == (FLAGS.run is None):
        raise ValueError('give either --network (a film of its images) or --run (of a training).')
    if FLAGS.kind == 'walk' and (FLAGS.seeds or FLAGS.w):
        raise ValueError('--seeds and --w are not for --kind=walk, which starts anywhere; choose '
                         'another start with --seed, or --kind=keys to go through given images.')
    if FLAGS.kind == 'truncation' and FLAGS.trunc is not None:
        raise ValueError('--trunc is what --kind=truncation changes; leave it out.')
    if FLAGS.styles is not None and FLAGS.kind != 'styles':
        raise ValueError('--styles is for --kind=styles; give that too, or leave it out.')
    if FLAGS.kind == 'keys' and FLAGS.grid:
        raise ValueError('--grid is not for --kind=keys, which shows one image; leave it out.')


def main(args):
    startup.refuse_positional(args)
    check_flags()
    startup.load_tensorflow()
    from pictures import films, mp4, training_film
    from runs import directory
    mp4.check_path(FLAGS.output)
    timing = films.Timing(FLAGS.seconds, FLAGS.fps, FLAGS.loop)
    if FLAGS.run:
        paths = training_film.pictures_of(directory.find_run('results', FLAGS.run, '--run='))
        frames = training_film.frames(paths, training_film.frame_size(paths), timing.num_frames)
    else:
        from pictures.opening import check_truncation, open_sampler
        truncation = shared_flags.truncation()
        sampler = open_sampler(FLAGS.network, FLAGS.crop, FLAGS.cache_dir, FLAGS.which, FLAGS.lod,
                               compiled=True)
        check_truncation(sampler, truncation)
        film, columns = film_of(sampler, timing)
        frames = films.frames(sampler, film, timing, columns)
    mp4.write_mp4(FLAGS.output, tqdm.tqdm(frames, 'Frames', timing.num_frames), FLAGS.fps)
    print(f'Wrote {FLAGS.output}: {timing.num_frames} frames, {FLAGS.seconds:g} seconds')


if __name__ == '__main__':
    startup.run(main)
