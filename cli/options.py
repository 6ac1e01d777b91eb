"""Command-line options made from the config dataclasses: name, help and how a value is read.

The help text of an option is the comment that stands behind its field in config.py.
"""

from __future__ import annotations

from typing import NamedTuple

from absl import flags

from cli.comments import comments
from training import config
from training.build import ARCHITECTURES
from training.field_types import FieldType, field_types

flags.disclaim_key_flags()  # --help lists them with the script's own

GROUPS = (('run', config.RunConfig), ('schedule', config.ScheduleConfig),
          ('losses', config.LossConfig),
          *(pair for row in ARCHITECTURES.values() for pair in zip('GD', row.configs)))
NOT_OPTIONS = {'data', 'val', 'G', 'D', 'losses', 'schedule', 'augment', 'networks',
               'num_gpus',                                            # set in other ways
               'resolution', 'num_channels', 'label_size', 'num_domains'}  # the data set's


class Option(NamedTuple):
    """A field of a config as a command-line flag."""
    name: str          # of the flag
    kind: FieldType
    help: str


def meanings(config_class, groups=GROUPS):
    """{field: what it means}, of all fields of a config in `groups`.

    A field without a comment means what the field of that name means in an earlier config.
    """
    known = {}
    for _, earlier in groups:
        own = {**known, **comments(earlier)}
        if earlier is config_class:
            return own
        known = {**own, **known}
    raise ValueError(config_class)


def all_options(groups=GROUPS, silent=()):
    """{field: its Option}, of all options.

    Args:
        groups: (name of a group, its config); silent: names of those that only lend their comments.
    """
    found = {}
    for group, config_class in groups:
        if group in silent:
            continue
        texts = meanings(config_class, groups)
        for name, kind in field_types(config_class).items():
            if name not in NOT_OPTIONS and name not in found:
                found[name] = Option(config.flag_name(name), kind,
                                     f'[{group}] {texts.get(name, "")}'.strip())
    return found


def parse(name, kind, text):
    """The value that `text` means for the flag --name, of a FieldType that is no switch.

    Raises:
        ValueError: it means none; names the flag and what it takes.
    """
    try:
        return kind.read(text)
    except ValueError:
        raise ValueError(f'--{name} must be {kind.wanted}; received {text!r}.') from None


def define_flags(options):
    """Defines a flag for each {field: Option}; its default is None."""
    for option in options.values():
        define = flags.DEFINE_boolean if option.kind.is_switch else flags.DEFINE_string
        define(option.name, None, option.help)


def given(options, values):
    """{field: value} of those that the command line names; values: absl's FLAGS."""
    found = {}
    for name, option in options.items():
        value = values[option.name].value
        if value is not None:
            found[name] = value if option.kind.is_switch else parse(option.name, option.kind, value)
    return found
