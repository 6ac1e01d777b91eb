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

GROUPS = (('run', config.RunConfig), ('schedule', config.ScheduleConfig),
          ('losses', config.LossConfig),
          *(pair for row in ARCHITECTURES.values() for pair in zip('GD', row.configs)))
NOT_OPTIONS = {'data', 'G', 'D', 'losses', 'schedule', 'num_gpus',  # set in other ways
               'resolution', 'num_channels', 'label_size'}  # the data set's


class Option(NamedTuple):
    """A field of a config as a command-line flag."""
    name: str
    kind: str     # the field's annotation
    help: str

    @property
    def is_switch(self):
        """Whether it is given as --name or --noname."""
        return self.kind in ('bool', 'Optional[bool]')


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


def all_options():
    """Every option, by name."""
    found = {}
    for group, config_class in GROUPS:
        comments = _comments(config_class)
        for item in dataclasses.fields(config_class):
            if item.name not in NOT_OPTIONS and item.name not in found:
                text = comments.get(item.name, '')
                found[item.name] = Option(item.name, item.type, f'[{group}] {text}'.strip())
    return found


def parse(option, text):
    """The value that `text` means for an option; ValueError names the flag and what it takes."""
    readers = {'int': (int, 'a whole number'), 'float': (_number, 'a number'),
               'str': (str, 'a word'), 'Pairs': (_pairs, 'pairs such as 8:256,16:128'),
               'Optional[int]': (_optional(int), "a whole number or 'none'"),
               'Optional[float]': (_optional(_number), "a number or 'none'"),
               'Union[bool, str]': (_fused, "'true', 'false' or 'auto'"),
               'Optional[tuple[float, ...]]': (_optional(_taps), "numbers such as 1,2,1 or 'none'")}
    read, wanted = readers[option.kind]
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ValueError(f'--{option.name} must be {wanted}; received {text!r}.') from None


def _number(text):
    value = float(text)
    if value != value or value in (float('inf'), float('-inf')):
        raise ValueError
    return int(value) if value == int(value) and '.' not in text and 'e' not in text else value


def _optional(read):
    return lambda text: None if text.lower() == 'none' else read(text)


def _fused(text):
    return {'true': True, 'false': False, '1': True, '0': False, 'auto': 'auto'}[text.lower()]


def _taps(text):
    return tuple(float(tap) for tap in text.split(','))


def _pairs(text):
    pairs = [pair.split(':') for pair in text.split(',') if pair]
    return tuple((int(resolution), _number(value)) for resolution, value in pairs)
