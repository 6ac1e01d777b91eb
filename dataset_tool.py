"""Makes datasets for training from images, and shows what is in them."""

from __future__ import annotations

import argparse

from absl.flags import argparse_flags

from conversion import decode, images
from training import cli


def _on_off(text):
    """0, 1, true, false (the reference took 0 and 1)."""
    if text.lower() not in ('0', '1', 'true', 'false'):
        raise argparse.ArgumentTypeError(f'expected 0 or 1, got {text!r}')
    return text.lower() in ('1', 'true')


def _create_from_images(args):
    rules = decode.Rules(args.resolution, args.channels, args.resize, args.crop, args.background)
    images.create(args.dataset_dir, args.image_dir, images.Options(
        rules, args.labels, args.shuffle, args.max_images, args.skip_bad, args.check_only,
        args.overwrite, args.workers))


def _add_create_from_images(commands):
    command = commands.add_parser('create_from_images', help='from a folder or zip of images')
    command.set_defaults(function=_create_from_images)
    add = command.add_argument
    add('dataset_dir', help='dataset directory to write')
    add('image_dir', help='folder (with sub-folders) or zip file of images')
    add('--shuffle', type=_on_off, default=True, metavar='0|1')
    add('--labels')
    add('--resolution', type=int)
    add('--channels', type=int, choices=(1, 3))
    add('--resize', choices=tuple(decode.RESIZES), default='lanczos')
    add('--crop', choices=decode.CROPS, default='none')
    add('--background', default='white')
    add('--max_images', type=int)
    add('--skip_bad', action='store_true')
    add('--check_only', action='store_true')
    add('--overwrite', action='store_true')
    add('--workers', type=int)


def _parse(argv):
    parser = argparse_flags.ArgumentParser(prog='dataset_tool.py', description=__doc__)
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    _add_create_from_images(commands)
    return parser.parse_args(argv[1:])


def main(args):
    return args.function(args)


if __name__ == '__main__':
    cli.run(main, flags_parser=_parse)
