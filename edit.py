"""Finds the w that draws a given image, and directions in which w changes what is seen.

  edit.py project --network=faces.pkl --target=me.png                photo to w: OUTDIR/w.npz
  edit.py project --network=faces.pkl --target=photos --space=w+ --steps=500

`edit.py COMMAND --help` lists the options of a command. docs/editing.md says what to expect.
"""

from __future__ import annotations

import argparse
import os
import sys

import tqdm
from absl.flags import argparse_flags

from cli import feature_flags, shared_flags, startup

SHOWN = 20   # lines on the terminal, of numbers


def found_distance(args, resolution):
    """The distance of editing.distances that --distance asks for; says which it is."""
    from editing import distances
    from metrics.features import FeatureNetworks
    given = {name: getattr(args, name) for name in ('vgg16', 'lpips') if getattr(args, name)}
    feature_flags.check(given)
    distance = distances.choose(args.distance, resolution, FeatureNetworks(given, args.cache_dir))
    print(f'Distance: {distance.name}')
    return distance


def opened(args):
    """The Sampler of --network, of a network with w."""
    from editing.latents import check_has_w
    from pictures.latents import class_labels
    from pictures.opening import open_sampler
    sampler = open_sampler(args.network, 'full', args.cache_dir, args.which, args.lod)
    check_has_w(sampler)
    class_labels(sampler.config, args.class_idx, 1)
    return sampler


def with_bar(moments, total):
    """Moments of a projection, with a bar that shows the distance and the time left."""
    with tqdm.tqdm(moments, 'Projecting', total, disable=None) as bar:
        for moment in bar:
            bar.set_postfix_str(f'distance {moment.best.mean():.4f}', refresh=False)
            yield moment


def write_projections(args, job, statistics):
    """w.npz, a picture for each target, numbers.csv, and lines on the terminal."""
    from conversion.collection import printable
    from editing import pairs
    from formats.png import save_png
    from pictures import w_files
    found, titles = job.projection(), job.targets.titles()[:len(job.images)]
    w_files.save_w(os.path.join(args.outdir, 'w.npz'), found.w, found.noise,
                   job.sampler.network_sha256)
    for title, image in zip(titles, job.images):
        save_png(os.path.join(args.outdir, f'{title}.png'), pairs.visible(image))
    pairs.write_table(os.path.join(args.outdir, 'numbers.csv'), titles, found, statistics)
    for number, title in enumerate(titles[:SHOWN]):
        print(pairs.sentence(printable(title), number, found, statistics))
    print(f'Wrote w.npz, numbers.csv and {len(titles)} pictures to {args.outdir}')


def _count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)


def paths_of(text):
    """The paths of a list with commas, or the one path that `text` is."""
    return [text] if os.path.exists(text) else text.split(',')


def write_film(args, job):
    """Projects all images, with film.mp4 unless --nofilm is given."""
    from editing import pairs
    from pictures import mp4
    if args.nofilm:
        list(job.frames(film=False))
    else:
        mp4.write_mp4(os.path.join(args.outdir, 'film.mp4'), job.frames(), pairs.FPS)


def project(args):
    from editing import latents
    from editing.projecting import Projecting
    from editing.projection import Options
    from editing.targets import open_targets
    from formats.files import writable_folder
    from runs.stopping import StopSignal
    options = Options(args.space, args.steps, optimise_noise=not args.keep_noise, seed=args.seed)
    sampler = opened(args)
    targets = open_targets(paths_of(args.target), sampler, args.crop)
    distance = found_distance(args, sampler.resolution)
    writable_folder(args.outdir)
    statistics = latents.statistics(sampler, args.class_idx)
    with StopSignal() as stop:
        job = Projecting(sampler, targets, statistics, distance, options, args.minibatch, with_bar,
                         lambda: stop.number is not None)
        try:
            write_film(args, job)
        finally:
            if job.images:  # a film that cannot be written must not cost what was found
                write_projections(args, job, statistics)
    if job.stopped:
        print(f'edit.py: interrupted; these are the best so far of {len(job.images)} of '
              f'{len(targets.files)} images', file=sys.stderr)
        return 130


def _add_command(commands, function, text):
    """Adds the command of the function's name with the flags of all; returns its parser."""
    command = commands.add_parser(function.__name__, help=text, description=text,
                                  allow_abbrev=False)
    command.set_defaults(function=function)
    command.add_argument('--network', required=True, help=shared_flags.SHARED['network'][1])
    shared_flags.add_arguments(command, 'which', 'lod', 'class_idx', 'cache_dir')
    return command


def _add_project(commands):
    command = _add_command(commands, project, 'find the w and the noise that draw given images')
    add = command.add_argument
    add('--target', required=True, help='Images: files, folders or zips, separated by commas. '
        'Their middle squares are scaled to the size of the network.')
    add('--space', choices=['w', 'w+'], default='w', help='w = one w for all layers, which edits '
        'well; w+ = one for each, which comes nearer (default: %(default)s)')
    add('--steps', type=_count, metavar='N', default=1000, help='Steps of the descent; w+ takes as '
        'many again (default: %(default)s)')
    add('--distance', choices=['auto', 'lpips', 'pixels'], default='auto', help='What is made '
        'small: LPIPS, which is downloaded, or pixels at several scales; auto = LPIPS where its '
        'files are there (default: %(default)s)')
    add('--crop', choices=['center', 'pad'], default='center', help='Images that are not square: '
        'their middle, or all of them between black bars (default: %(default)s)')
    add('--keep_noise', action='store_true', help="Keep the network's own noise maps: only w is "
        'optimised.')
    add('--minibatch', type=_count, metavar='N', help='Images at a time. Default: as many as fit.')
    add('--seed', type=int, default=0, help='Of the noise that is added to w on the way (default: '
        '%(default)s)')
    add('--nofilm', action='store_true', help='Make no film of the way.')
    add('--outdir', default='out/projection', help='Where w.npz, the pictures, numbers.csv and '
        'film.mp4 are written (default: %(default)s)')
    shared_flags.add_arguments(command, 'vgg16', 'lpips')


def command_line():
    """The parser of all flags."""
    parser = argparse_flags.ArgumentParser(
        prog='edit.py', description=__doc__, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    _add_project(commands)
    return parser


def main(args):
    """Returns the exit code of the command."""
    startup.load_tensorflow()
    return args.function(args)


if __name__ == '__main__':
    startup.run(main, command_line)
