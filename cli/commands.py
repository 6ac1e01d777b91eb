"""Scripts that have commands, such as `dataset_tool.py info`: their parsers."""

from __future__ import annotations

import argparse

from absl.flags import argparse_flags


def count(text):
    """The type of a flag that is a whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected a whole number of at least 1, got {text!r}')
    return int(text)


def parser_of(script, description):
    """(parser, what `add_command` adds commands to) of a script, such as 'edit.py'."""
    parser = argparse_flags.ArgumentParser(
        prog=script, description=description, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    return parser, parser.add_subparsers(metavar='COMMAND', required=True)


def add_command(commands, function, text):
    """Adds the command of the function's name, for args.function to call; returns its parser."""
    command = commands.add_parser(function.__name__, help=text, description=text,
                                  allow_abbrev=False)
    command.set_defaults(function=function)
    return command
