"""Finds the w that draws a given image, and directions in which w changes what is seen.

  edit.py project --network=faces.pkl --target=me.png                photo to w: OUTDIR/w.npz
  edit.py project --network=faces.pkl --target=photos --space=w+ --steps=500
  edit.py directions --network=faces.pkl --method=sefa               from the weights alone
  edit.py directions --network=faces.pkl --method=labels --data=smiling,serious    two folders
  edit.py apply --network=faces.pkl --directions=out/directions.safetensors --seeds=3
  edit.py apply --network=faces.pkl --directions=out/directions.safetensors \\
      --w=out/projection/w.npz --direction=smiling --strength=-3:3:7     a sheet and a film

`edit.py COMMAND --help` lists the options of a command. docs/editing.md says what to expect.
"""

from __future__ import annotations

import math
import os
import sys

import tqdm

from cli import feature_flags, shared_flags, startup
from cli.commands import add_command, count, parser_of

SHOWN = 20   # lines on the terminal, of numbers
FIRST = 10   # directions that are shown if none is named
STRENGTHS = '-3:3:7'
SECONDS, FPS = 4, 30   # of apply's film


def found_distance(args, resolution):
    """The distance of editing.distances that --distance asks for; says which it is."""
    from editing.distances import PixelPyramid
    given = {name: getattr(args, name) for name in ('vgg16', 'lpips') if getattr(args, name)}
    distance = feature_flags.distance(given, args.distance, resolution, args.cache_dir)
    missed = args.distance == 'auto' and not given and isinstance(distance, PixelPyramid)
    print(f'Distance: {distance.name}' + (' (no files of LPIPS)' if missed else ''))
    return distance


def opened(args):
    """The Sampler of --network, of a network with w, checked against the flags of all commands."""
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


def write_projections(args, job, titles, statistics):
    """w.npz, a picture for each target and one of all, numbers.csv, lines on the terminal."""
    from conversion.collection import printable
    from editing import pairs
    from formats.png import save_png
    from pictures import w_files
    found, titles = job.projection(), titles[:len(job.images)]
    w_files.save_w(os.path.join(args.outdir, 'w.npz'), found.w, found.noise,
                   job.sampler.network_sha256)
    for title, image in zip(titles, job.images):
        save_png(os.path.join(args.outdir, f'{title}.png'), pairs.visible(image))
    save_png(os.path.join(args.outdir, 'sheet.png'), pairs.sheet(job.images, len(job.images)))
    pairs.write_table(os.path.join(args.outdir, 'numbers.csv'), titles, found, statistics)
    for number, title in enumerate(titles[:SHOWN]):
        print(pairs.sentence(printable(title), number, found, statistics))
    print(f'Wrote w.npz, numbers.csv, sheet.png and {len(titles)} pictures to {args.outdir}')


def paths_of(text):
    """The paths of a list with commas, or the one path that `text` is."""
    return [text] if os.path.exists(text) else text.split(',')


def project_film(args, job):
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
        job = Projecting(len(targets.files), targets.read, sampler, statistics, distance, options,
                         args.minibatch, with_bar, lambda: stop.number is not None)
        try:
            project_film(args, job)
        finally:
            if job.images:  # a film that cannot be written must not cost what was found
                write_projections(args, job, targets.titles(), statistics)
    if job.stopped:
        print(f'edit.py: interrupted; these are the best so far of {len(job.images)} of '
              f'{job.count} images', file=sys.stderr)
        return 130


def layer_ranges(args, sampler):
    """[(name or None = all, style layers)] that --layers asks for, or that --method takes."""
    from pictures.style_layers import NAMES, chosen_layers
    every = (None, range(sampler.num_layers))
    if args.layers:
        return [every if text == 'all' else (text.replace(',', '+'), chosen_layers(
            sampler.num_layers, text, 'layers')) for text in args.layers]
    if args.method != 'sefa' or sampler.num_layers < len(NAMES):
        return [every]
    return [every, *((name, chosen_layers(sampler.num_layers, name)) for name in NAMES)]


def labelled_images(args, sampler):
    """The editing.labelled.Labelled of --data; None where it is not needed."""
    from editing import labelled, labels
    if args.method != 'labels' or not args.data and sampler.config.label_size:
        return None
    if not args.data:
        raise ValueError('--method=labels: the network has no classes; give --data, labelled '
                         'images.')
    images = labelled.open_labelled(paths_of(args.data), sampler, args.labels)
    images = images.some(args.max_images)
    labels.check_counts(images.attributes)
    return images


def labelled_w(args, sampler, statistics, images):
    """(w [N, D], {attribute: bool [N]}) of Labelled images; None = of a network's own classes."""
    import numpy as np

    from editing import latents
    from editing.labelled import attributes_of
    from editing.projecting import Projecting
    from editing.projection import Options
    from pictures.latents import class_labels
    if images is None:
        w = np.concatenate(list(latents.mapped(sampler, args.max_images)))
        classes = class_labels(sampler.config, None, len(w))
        return w, attributes_of(classes, range(classes.shape[1]))
    distance = found_distance(args, sampler.resolution)
    job = Projecting(images.count, images.read, sampler, statistics, distance,
                     Options(steps=args.steps), args.minibatch, with_bar)
    list(job.frames(film=False))
    return job.projection().w[:, 0], images.attributes


def found_directions(args, sampler, statistics, images):
    """(Directions, sha256 of their network)."""
    from editing import directions as found
    from editing import labels
    ranges = layer_ranges(args, sampler)
    if args.from_ls:
        return found.from_planes(args.from_ls, sampler, statistics, ranges[0][1])
    if args.method == 'labels':
        w, attributes = labelled_w(args, sampler, statistics, images)
        return labels.fitted(w, attributes, ranges[0][1], statistics, args.classifier,
                             args.conditional), sampler.network_sha256
    result = []
    for name, layers in ranges:
        if args.method == 'sefa':
            result += found.sefa(sampler, layers, args.count, statistics, name)
        else:
            result += found.pca(sampler, layers, args.count, statistics, args.class_idx,
                                range_name=name)
    return result, sampler.network_sha256


def directions(args):
    from editing import directions as found
    from editing import latents
    from editing.directions import check_has_styles
    from formats.file_kind import NETWORK_SUFFIX
    from formats.files import writable_folder
    if bool(args.method) == bool(args.from_ls):
        raise ValueError('give --method (sefa, pca or labels) or --from_ls, one of them.')
    if not args.output.endswith(NETWORK_SUFFIX):
        raise ValueError(f'--output={args.output}: must end in {NETWORK_SUFFIX}; name it '
                         f'{args.output}{NETWORK_SUFFIX}, say.')
    sampler = opened(args)
    check_has_styles(sampler)
    layer_ranges(args, sampler)
    images = labelled_images(args, sampler)
    writable_folder(os.path.dirname(args.output) or '.', 'output')
    statistics = latents.statistics(sampler, args.class_idx)
    result, network_sha256 = found_directions(args, sampler, statistics, images)
    found.save(args.output, result, network_sha256,
               {'method': 'ls' if args.from_ls else args.method})
    for one in result[:2 * SHOWN]:
        known = ', '.join(f'{name} {value:.3g}' for name, value in one.measures.items())
        print(f'{one.name}: {known}')
    print(f'Wrote {len(result)} directions to {args.output}')


def starting_w(args, sampler):
    """The SavedW of --w or --seeds."""
    from pictures import w_files
    from pictures.latents import class_labels, latents_of, parse_numbers
    from pictures.opening import check_truncation
    from training.sampler import Truncation
    truncation = Truncation(args.trunc, shared_flags.cutoff_of(args.trunc_cutoff))
    check_truncation(sampler, truncation)
    if args.w:
        return w_files.load(args.w, sampler, args.trunc, truncation.cutoff,
                            args.allow_other_network)
    seeds = parse_numbers(args.seeds, 'seeds')
    labels = class_labels(sampler.config, args.class_idx, len(seeds))
    return w_files.SavedW(sampler.w(latents_of(seeds, sampler.config.latent_size), labels,
                                    truncation), noise=None)


def chosen_moves(args, sampler):
    """The Moves of --direction in the files of --directions; without it, the first ones."""
    from editing import directions as files
    from editing.moves import parse_move
    known = {}
    for path in paths_of(args.directions):
        known.update(files.load(path, sampler, args.allow_other_network))
    names = args.direction or list(known)[:FIRST]
    return [parse_move(name, known, sampler.num_layers) for name in names]


def write_moves(args, sampler, saved, moves, strengths, each):
    """sheet.png, with --save_w also w.npz, and film.mp4."""
    from editing import moves as moving
    from formats.png import save_png
    from pictures import films, mp4, w_files
    save_png(os.path.join(args.outdir, 'sheet.png'),
             moving.sheet(sampler, saved, moves, strengths, each))
    written = ['sheet.png']
    if args.save_w:
        w_files.save_w(os.path.join(args.outdir, 'w.npz'),
                       *moving.all_w(saved, moves, strengths, each), sampler.network_sha256)
        written.append('w.npz')
    if not args.nofilm and strengths.shape[1] > 1:
        film, timing = moving.film(saved, moves, strengths, each), films.Timing(SECONDS, FPS, True)
        frames = films.frames(sampler, film, timing, math.ceil(math.sqrt(film.cells)))
        mp4.write_mp4(os.path.join(args.outdir, 'film.mp4'),
                      tqdm.tqdm(frames, 'Frames', timing.num_frames, disable=None), FPS)
        written.append('film.mp4')
    print(f'Wrote {", ".join(written)} to {args.outdir}')


def apply(args):
    from editing.moves import strengths_of
    from formats.files import writable_folder
    sampler = opened(args)
    moves = chosen_moves(args, sampler)
    strengths = strengths_of(args.strength or [STRENGTHS], len(moves))
    saved = starting_w(args, sampler)
    writable_folder(args.outdir)
    write_moves(args, sampler, saved, moves, strengths, args.each or not args.direction)


def _add_command(commands, function, text):
    """Adds the command of the function's name with the flags of all; returns its parser."""
    command = add_command(commands, function, text)
    command.add_argument('--network', required=True, help=shared_flags.SHARED['network'][1])
    shared_flags.add_arguments(command, 'which', 'lod', 'class_idx', 'cache_dir')
    return command


def _add_projecting(command):
    """Adds the flags of how images are projected."""
    command.add_argument(
        '--distance', choices=['auto', 'lpips', 'pixels'], default='auto', help='What a projection '
        'makes small: LPIPS, which is downloaded, or pixels at several scales; auto = LPIPS where '
        'its files are there (default: %(default)s)')
    command.add_argument('--minibatch', type=count, metavar='N', help='Images that are projected '
                         'at a time. Default: as many as fit.')
    shared_flags.add_arguments(command, 'vgg16', 'lpips')


def _add_project(commands):
    command = _add_command(commands, project, 'find the w and the noise that draw given images')
    add = command.add_argument
    add('--target', required=True, help='Images: files, folders or zips, separated by commas. '
        'Their middle squares are scaled to the size of the network.')
    add('--space', choices=['w', 'w+'], default='w', help='w = one w for all layers, which edits '
        'well; w+ = one for each, which comes nearer (default: %(default)s)')
    add('--steps', type=count, metavar='N', default=1000, help='Steps of the descent; w+ takes as '
        'many again (default: %(default)s)')
    add('--crop', choices=['center', 'pad'], default='center', help='Images that are not square: '
        'their middle, or all of them between black bars (default: %(default)s)')
    add('--keep_noise', action='store_true', help="Keep the network's own noise maps: only w is "
        'optimised.')
    add('--seed', type=int, default=0, help='Of the noise that is added to w on the way (default: '
        '%(default)s)')
    add('--nofilm', action='store_true', help='Make no film of the way.')
    add('--outdir', default='out/projection', help='Where w.npz, the pictures, numbers.csv and '
        'film.mp4 are written (default: %(default)s)')
    _add_projecting(command)


def _add_directions(commands):
    command = _add_command(commands, directions, 'find directions in w along which images change')
    add = command.add_argument
    add('--method', choices=['sefa', 'pca', 'labels'], help='sefa = what changes the styles most, '
        'by the weights alone; pca = along which w varies most; labels = what parts labelled '
        'images')
    add('--layers', action='append', help='Style layers that the directions are for: numbers, '
        'resolutions, ranges, or coarse, middle, fine, all; several times for several ranges. '
        'Default: all; of sefa also coarse, middle and fine each.')
    add('--count', type=count, metavar='N', default=10, help='Directions of each range, of sefa '
        'and pca (default: %(default)s)')
    add('--data', help='Of labels: a labelled data set, a folder or zip with labels, or folders '
        'separated by commas, one for each attribute. Default: the classes of the network itself.')
    add('--labels', help='Of the images of one folder: folders = each sub-folder is a class, or a '
        'JSON or CSV file. Default: dataset.json, or else its sub-folders.')
    add('--max_images', type=count, metavar='N', default=500, help='Images of --data that are '
        'projected, at most (default: %(default)s)')
    add('--steps', type=count, metavar='N', default=100, help='Steps of each projection (default: '
        '%(default)s)')
    add('--classifier', choices=['svm', 'logistic'], default='svm', help='What parts the w: a '
        'linear SVM or a logistic regression (default: %(default)s)')
    add('--conditional', action='store_true', help='Each attribute without what it has in common '
        'with the others.')
    add('--from_ls', help="Instead of a method: ls-planes.safetensors, which run_metrics.py leaves "
        'with the metric ls.')
    add('--output', default='out/directions.safetensors', help='File to write (default: '
        '%(default)s)')
    _add_projecting(command)


def _add_apply(commands):
    command = _add_command(commands, apply, 'move images along directions: a sheet and a film')
    add = command.add_argument
    add('--directions', required=True, help='Files that edit.py directions wrote, separated by '
        'commas.')
    add('--direction', action='append', help='Name of a direction, or NAME:LAYERS for other layers '
        'than its own; several times for several at once. Default: a row for each of the first '
        f'{FIRST}.')
    add('--strength', action='append', help='How far, in standard deviations: FROM:TO:COUNT, or '
        'numbers separated by commas; once for all directions, or once for each. Default: '
        f'{STRENGTHS}.')
    add('--each', action='store_true', help='A row for each direction, not all of them at once.')
    add('--seeds', default='0-3', help='Which latents: numbers and ranges (default: %(default)s)')
    add('--w', help='Instead of seeds: .npz file that edit.py or generate.py --save_w wrote.')
    add('--save_w', action='store_true', help='Also write the w of the sheet to OUTDIR/w.npz.')
    add('--nofilm', action='store_true', help='Make no film.')
    add('--outdir', default='out/edited', help='Where sheet.png and film.mp4 are written (default: '
        '%(default)s)')
    shared_flags.add_arguments(command, 'trunc', 'trunc_cutoff', 'allow_other_network')


def command_line():
    """The parser of all flags."""
    parser, commands = parser_of('edit.py', __doc__)
    _add_project(commands)
    _add_directions(commands)
    _add_apply(commands)
    return parser


def main(args):
    """Returns the exit code of the command."""
    startup.load_tensorflow()
    return args.function(args)


if __name__ == '__main__':
    startup.run(main, command_line)
