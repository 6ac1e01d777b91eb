"""Command-line options made from the config dataclasses: name, help and how a value is read.

The help text of an option is the comment that stands behind its field in config.py.
"""

from __future__ import annotations

import dataclasses
import inspect
import io
import tokenize
from typing import NamedTuple

from training import config
from training.build import ARCHITECTURES
from training.field_types import FieldType, field_types

GROUPS = (('run', config.RunConfig), ('schedule', config.ScheduleConfig),
          ('losses', config.LossConfig),
          *(pair for row in ARCHITECTURES.values() for pair in zip('GD', row.configs)))
NOT_OPTIONS = {'data', 'G', 'D', 'losses', 'schedule', 'num_gpus',  # set in other ways
               'resolution', 'num_channels', 'label_size'}  # the data set's


class Option(NamedTuple):
    """A field of a config as a command-line flag."""
    name: str
    kind: FieldType
    help: str


def _comments(config_class):
    """{field name: its trailing comment}; a comment may go on in a line of its own below."""
    comments, current = {}, None
    source = inspect.getsource(config_class)
    names = {item.name for item in dataclasses.fields(config_class)}
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in names and token.start[1] == 4:
            current = token.string
        elif token.type == tokenize.COMMENT and current:
            own_line = lines[token.start[0] - 1].strip().startswith('#')
            text = token.string.lstrip('# ')
            comments[current] = f'{comments[current]} {text}' if own_line and current in comments \
                else text
    return comments


def meanings(config_class):
    """{field: what it means}, of all fields of a config in GROUPS.

    A field without a comment means what the field of that name means in an earlier config.
    """
    known = {}
    for _, earlier in GROUPS:
        own = {**known, **_comments(earlier)}
        if earlier is config_class:
            return own
        known = {**own, **known}
    raise ValueError(config_class)


def all_options():
    """Every option, by name."""
    found = {}
    for group, config_class in GROUPS:
        texts = meanings(config_class)
        for name, kind in field_types(config_class).items():
            if name not in NOT_OPTIONS and name not in found:
                found[name] = Option(name, kind, f'[{group}] {texts.get(name, "")}'.strip())
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
