"""The types that options may have: how a flag's text is read, what a file's value may be."""

from __future__ import annotations

import dataclasses
import math
import typing
from typing import Any, Callable, NamedTuple, Optional, Union

from training import config


class FieldType(NamedTuple):
    """What is known of one type of a config's fields."""
    read: Optional[Callable[[str], Any]]  # a flag's text -> value, or ValueError; None = a switch,
    # which is given as --name or --noname
    wanted: str                           # what an error says that a flag must be
    kwarg: tuple[type, ...]               # types that the reference's static kwarg may have

    @property
    def is_switch(self):
        """Whether it is given as --name or --noname."""
        return self.read is None

    @property
    def may_be_none(self):
        """Whether None is a value of its own, not a missing one."""
        return type(None) in self.kwarg


def _number(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return int(value) if value == int(value) and '.' not in text and 'e' not in text else value


def _optional(read):
    return lambda text: None if text.lower() == 'none' else read(text)


def _bool_or_auto(text):
    values = {'true': True, 'false': False, '1': True, '0': False, 'auto': 'auto'}
    if text.lower() not in values:
        raise ValueError
    return values[text.lower()]


def _numbers(text):
    return tuple(float(number) for number in text.split(','))


def _pairs(text):
    pairs = [pair.split(':') for pair in text.split(',') if pair]
    return tuple((int(resolution), _number(value)) for resolution, value in pairs)


NONE = type(None)
FIELD_TYPES = {  # {a field's type hint: what is known of it}
    int: FieldType(int, 'a whole number', (int,)),
    float: FieldType(_number, 'a number', (int, float)),
    bool: FieldType(None, 'a switch', (bool,)),
    str: FieldType(str, 'a word', (str,)),
    Optional[str]: FieldType(_optional(str), "a word or 'none'", (str, NONE)),
    Optional[int]: FieldType(_optional(int), "a whole number or 'none'", (int, NONE)),
    Optional[float]: FieldType(_optional(_number), "a number or 'none'", (int, float, NONE)),
    Optional[bool]: FieldType(None, 'a switch', (bool, NONE)),
    Union[bool, str]: FieldType(_bool_or_auto, "'true', 'false' or 'auto'", (bool, str)),
    Optional[tuple[float, ...]]: FieldType(_optional(_numbers), "numbers such as 1,2,1 or 'none'",
                                           (tuple, list, NONE)),
    config.Pairs: FieldType(_pairs, 'pairs such as 8:256,16:128', (tuple, list))}


def _is_config(hint):
    return any(map(dataclasses.is_dataclass, (hint, *typing.get_args(hint))))  # Optional[...] too


def field_types(config_class):
    """{field: FieldType} of a config's fields, without those that are configs themselves."""
    hints = typing.get_type_hints(config_class)
    return {item.name: FIELD_TYPES[hints[item.name]] for item in dataclasses.fields(config_class)
            if not _is_config(hints[item.name])}
