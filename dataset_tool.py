"""Makes training datasets from images, and shows what they hold.

  dataset_tool.py create_from_images datasets/faces ~/photos --resolution=256 --crop=center
  dataset_tool.py create_from_images datasets/animals animals.zip --labels=folders --check_only
  dataset_tool.py info datasets/faces --verify --quality

`dataset_tool.py COMMAND --help` lists the options of a command.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

from cli import startup
from cli.commands import add_command, count, parser_of
from cli.comments import comments
from conversion import (
    celeba,
    choosing,
    cifar,
    decode,
    from_images,
    hdf5,
    lsun,
    mnist,
    quality,
    svhn,
    writing,
)


def _on_off(text):
    """0, 1, true or false (the reference took 0 and 1)."""
    if text.lower() not in ('0', '1', 'true', 'false'):
        raise argparse.ArgumentTypeError(f'expected 0 or 1, got {text!r}')
    return text.lower() in ('1', 'true')


def display(args):
    startup.load_tensorflow()  # here, as below, for it takes seconds
    from conversion import view
    view.display(args.dataset_dir, args.output, args.window, args.pages)


def extract(args):
    startup.load_tensorflow()
    from conversion import view
    view.extract(args.dataset_dir, args.output_dir)


def compare(args):
    startup.load_tensorflow()
    from conversion import compare as comparison
    return min(1, comparison.compare(args.dataset_dir_a, args.dataset_dir_b, args.ignore_labels))


def info(args):
    startup.load_tensorflow()
    from conversion import info as information
    return min(1, information.info(args.dataset_dir, args.verify, args.quality, args.worst))


def create_mnist(args):
    writing.write_arrays(args.dataset_dir, *mnist.read(args.mnist_dir), overwrite=args.overwrite)


def create_mnistrgb(args):
    digits, _ = mnist.read(args.mnist_dir)
    triples = mnist.RandomTriples(digits, args.num_images, args.random_seed)
    writing.write_arrays(args.dataset_dir, triples, shuffle=False, overwrite=args.overwrite)


def create_cifar10(args):
    writing.write_arrays(args.dataset_dir, *cifar.read_cifar10(args.cifar_dir),
                         overwrite=args.overwrite)


def create_cifar100(args):
    writing.write_arrays(args.dataset_dir, *cifar.read_cifar100(args.cifar_dir),
                         overwrite=args.overwrite)


def create_svhn(args):
    writing.write_arrays(args.dataset_dir, *svhn.read(args.svhn_dir), overwrite=args.overwrite)


def create_lsun(args):
    lsun.create(args.dataset_dir, args.lmdb_dir, args.resolution, max_images=args.max_images,
                num_workers=args.workers, overwrite=args.overwrite)


def create_lsun_wide(args):
    lsun.create(args.dataset_dir, args.lmdb_dir, width=args.width, height=args.height,
                max_images=args.max_images, num_workers=args.workers, overwrite=args.overwrite)


def create_celeba(args):
    celeba.create(args.dataset_dir, args.celeba_dir, args.cx, args.cy, args.workers,
                  args.overwrite)


def create_from_images(args):
    rules = decode.Rules(args.resolution, args.channels, args.resize, args.crop, args.background)
    choice = choosing.Choice(args.include, args.exclude, args.filter, args.metadata,
                             args.max_per_class)
    from_images.create(args.dataset_dir, args.image_dir, from_images.Options(
        rules, args.labels, args.shuffle, args.max_images, args.skip_bad, args.check_only,
        args.overwrite, args.workers, choice))


def clean(args):
    from conversion import clean as cleaning
    names = [field.name for field in dataclasses.fields(quality.Limits)]
    cleaning.clean(args.image_dir, args.report,
                   quality.Limits(**{name: getattr(args, name) for name in names}), args.workers)


def crop(args):
    from conversion import crop as cropping
    cropping.crop(args.image_dir, args.output_dir, cropping.Options(
        args.detector, args.margin, args.min_side, args.per_image, args.outside, args.background,
        args.workers))


def create_from_hdf5(args):
    with hdf5.opened(args.hdf5_file) as (arrays, labels):
        writing.write_arrays(args.dataset_dir, arrays, labels, shuffle=args.shuffle,
                             overwrite=args.overwrite)


def _add_command(commands, function, text, *positionals):
    """Adds the command of the function's name; returns the function that adds its options."""
    command = add_command(commands, function, text)
    for name, meaning in positionals:
        command.add_argument(name, help=meaning)
    if function.__name__.startswith('create_'):
        command.add_argument('--overwrite', action='store_true',
                             help='replace an existing dataset, once the new one is complete')
    return command.add_argument


def _add_workers(add):
    add('--workers', type=count, metavar='N',
        help='processes that decode images (default: one per core, if there is enough to do)')


def _add_viewing(commands):
    dataset = ('dataset_dir', 'dataset directory')
    add = _add_command(commands, display, 'write the first images of a dataset as one PNG', dataset)
    add('--output', metavar='PNG',
        help='file to write, or directory of --pages (default: NAME-sheet.png or NAME-pages here)')
    add('--pages', action='store_true',
        help='all images, on pages, with the names of their files or their numbers below')
    add('--window', action='store_true', help='also show it in a window')
    _add_command(commands, extract, 'write the images of a dataset as PNG files, labels as JSON',
                 dataset, ('output_dir', 'directory for the files, new or empty'))
    add = _add_command(commands, compare, 'print where two datasets differ; exit code 1 if they do',
                       ('dataset_dir_a', 'dataset directory'), ('dataset_dir_b', 'another one'))
    add('--ignore_labels', type=_on_off, default=False, metavar='0|1',
        help='compare images only (default: 0)')
    add = _add_command(commands, info, 'print what a dataset holds', dataset)
    add('--verify', action='store_true',
        help='check every record against its checksum; exit code 1 if one is damaged')
    add('--quality', action='store_true',
        help='list images that are not good, as clean does: of one colour, blurred, doubled, ...')
    add('--worst', metavar='FILE',
        help='like --quality; writes the names of their files to FILE, for create_from_images '
             '--exclude')


def _add_published(commands):
    dataset = ('dataset_dir', 'dataset directory to write')
    _add_command(commands, create_mnist, 'convert MNIST: 32x32 gray, 10 classes', dataset,
                 ('mnist_dir', 'directory with train-images-idx3-ubyte.gz and train-labels-...'))
    add = _add_command(commands, create_mnistrgb,
                       'combine three random MNIST digits as red, green and blue', dataset,
                       ('mnist_dir', 'as for create_mnist'))
    add('--num_images', type=count, default=1000000, metavar='N',
        help='how many to make (default: %(default)s)')
    add('--random_seed', type=int, default=123, metavar='SEED',
        help='decides which digits are combined (default: %(default)s)')
    _add_command(commands, create_cifar10, 'convert CIFAR-10: 32x32, 10 classes', dataset,
                 ('cifar_dir', 'directory with data_batch_1 to data_batch_5 (Python version)'))
    _add_command(commands, create_cifar100, 'convert CIFAR-100: 32x32, 100 classes', dataset,
                 ('cifar_dir', 'directory with the file train (Python version)'))
    _add_command(commands, create_svhn, 'convert SVHN cropped digits: 32x32, 10 classes', dataset,
                 ('svhn_dir', 'directory with train_32x32.mat, or train_1.pkl to train_3.pkl'))
    lmdb = ('lmdb_dir', 'directory of an LSUN category, which holds data.mdb')
    add = _add_command(commands, create_lsun, 'convert LSUN: the middle square of each image',
                       dataset, lmdb)
    add('--resolution', type=int, default=256, metavar='R',
        help='side of the images (default: %(default)s)')
    add('--max_images', type=count, metavar='N', help='write at most N images (default: all)')
    _add_workers(add)
    add = _add_command(commands, create_lsun_wide, 'convert LSUN: wide images between black bars',
                       dataset, lmdb)
    add('--width', type=int, default=512, metavar='W',
        help='width of the images and side of the canvas (default: %(default)s)')
    add('--height', type=int, default=384, metavar='H',
        help='height of the images (default: %(default)s)')
    add('--max_images', type=count, metavar='N', help='write at most N images (default: all)')
    _add_workers(add)
    add = _add_command(commands, create_celeba, 'convert CelebA aligned faces: 128x128', dataset,
                       ('celeba_dir', 'directory that holds img_align_celeba_png'))
    add('--cx', type=int, default=89, metavar='X',
        help='centre of the crop, pixels from the left (default: %(default)s)')
    add('--cy', type=int, default=121, metavar='Y',
        help='centre of the crop, pixels from the top (default: %(default)s)')
    _add_workers(add)


def _add_limits(add):
    """A flag for each field of conversion.quality.Limits."""
    texts = comments(quality.Limits)
    for field in dataclasses.fields(quality.Limits):
        add(f'--{field.name}', type=type(field.default), default=field.default,
            metavar='N' if isinstance(field.default, int) else 'X',
            help=f'{texts[field.name]} (default: %(default)s)')


def _add_preparing(commands):
    add = _add_command(commands, clean, 'find the images of a folder that are not good ones: '
                       'small, plain, blurred, doubled, ...; changes none. 0 turns a check off.',
                       ('image_dir', 'folder or zip file'))
    add('--report', required=True, metavar='DIR',
        help='directory for clean.csv, exclude.txt and pages of pictures')
    _add_limits(add)
    _add_workers(add)
    add = _add_command(commands, crop, 'cut squares around faces out of photos',
                       ('image_dir', 'folder or zip file'),
                       ('output_dir', 'directory for the squares, new or empty'))
    add('--detector', default='face', metavar='face|catface|FILE',
        help='face or catface: cascades that come with OpenCV; FILE = another cascade (.xml), or '
             'boxes that are known: CSV or JSON with the columns path, left, top, width, height '
             '(default: %(default)s)')
    add('--margin', type=float, default=0.3, metavar='SHARE',
        help='added on each side of what was found, in shares of its size (default: %(default)s)')
    add('--min_side', type=count, default=128, metavar='PIXELS',
        help='leave out smaller squares (default: %(default)s)')
    add('--per_image', choices=('largest', 'all'), default='largest',
        help='of several in an image: the largest, or each (default: %(default)s)')
    add('--outside', choices=('inside', 'pad'), default='inside',
        help='a square that reaches beyond the image: moved inside (and made smaller if need be), '
             'or padded with --background (default: %(default)s)')
    add('--background', default='white', metavar='COLOUR',
        help='of padding and behind transparent images: a name or #rrggbb (default: %(default)s)')
    _add_workers(add)


def _add_own_images(commands):
    dataset = ('dataset_dir', 'dataset directory to write')
    shuffle = {'type': _on_off, 'default': True, 'metavar': '0|1',
               'help': 'shuffle the images, always in the same way; 0 = keep their order '
                       '(default: 1)'}
    add = _add_command(commands, create_from_images, 'convert a folder or zip of images',
                       dataset, ('image_dir', 'folder or zip file'))
    add('--shuffle', **shuffle)
    add('--labels', metavar='folders|none|FILE',
        help='folders = each sub-folder is a class; none = no labels; FILE = JSON {"labels": '
             '[["a/b.png", 3], ...]} or CSV lines a/b.png,3 (default: dataset.json, if there is '
             'one)')
    add('--resolution', type=int, metavar='R',
        help='scale all images to RxR, R a power of two (default: all must have one such size)')
    add('--resize', choices=tuple(decode.RESIZES), default='lanczos',
        help='filter for --resolution; none = never scale, only crop or pad '
             '(default: %(default)s)')
    add('--crop', choices=decode.CROPS, default='none',
        help='for images that are not square: center = take the middle square, pad = keep the '
             'whole image, with --background beside it, none = refuse (default: %(default)s)')
    add('--channels', type=int, choices=(1, 3),
        help='1 = gray, 3 = RGB (default: gray if all images are gray)')
    add('--background', default='white', metavar='COLOUR',
        help='behind transparent images and beside padded ones: a name or #rrggbb '
             '(default: %(default)s)')
    add('--max_images', type=count, metavar='N', help='use only the first N (default: all)')
    add('--skip_bad', action='store_true',
        help='leave out images that cannot be used (listed in skipped.txt) instead of stopping')
    add('--include', metavar='FILE',
        help='take only the images that FILE names, one path per line')
    add('--exclude', metavar='FILE',
        help='leave out the images that FILE names, one path per line, such as worst.txt of '
             'rank_images.py')
    add('--filter', metavar='CONDITION',
        help='take only images of which this holds, such as \'width >= 256 and label in ("cat", '
             '"dog")\', over the columns of --metadata and path')
    add('--metadata', metavar='FILE',
        help='what is known of the images: CSV with column names, or JSON; a row for each, named '
             'by the column path, or the first one')
    add('--max_per_class', type=count, metavar='N',
        help='take at most N images of each class (default: all)')
    add('--check_only', action='store_true', help='check and report, write nothing')
    _add_workers(add)
    add = _add_command(commands, create_from_hdf5,
                       'convert images in an HDF5 file, uint8 [N, C, H, W]', dataset,
                       ('hdf5_file', 'HDF5 file; labels from FILE-labels.npy'))
    add('--shuffle', **shuffle)


def command_line():
    """The parser of all flags."""
    parser, commands = parser_of('dataset_tool.py', __doc__)
    _add_viewing(commands)
    _add_published(commands)
    _add_preparing(commands)
    _add_own_images(commands)
    return parser


def main(args):
    """Returns the exit code of the command."""
    sys.stdout.reconfigure(errors='backslashreplace')  # file names need not be valid text
    return args.function(args)


if __name__ == '__main__':
    startup.run(main, command_line)
