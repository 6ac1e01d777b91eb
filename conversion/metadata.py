"""What is known of images: a table, CSV or JSON, with a row for each."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import posixpath
import re
from typing import NamedTuple

from conversion.collection import nearby, printable
from conversion.labels import NAME_COLUMNS

EXPECTED = ('expected CSV with a first line of column names, or JSON: a list of objects, or '
            '{"a/b.png": {"width": 640, ...}, ...}, or an object a line')


class Table(NamedTuple):
    """What a file says, row by row."""
    columns: dict   # {name: its type, float, bool or str}
    rows: list      # [(path or name of an image's file, {column: value, None = missing}), ...]


class Metadata(NamedTuple):
    """What is known of images, each of which has one row at most."""
    columns: dict   # {name: its type, float, bool or str}
    rows: dict      # {path or name of an image's file: {column: value, None = missing}}

    def of(self, name):
        """What is known of the image `name`, a path with '/'; None = there is no row for it."""
        return row_of(self.rows, name)


def row_of(rows, name):
    """What a dict has for the image `name`: by its path, its file name, or that without extension.

    None = nothing.
    """
    base = posixpath.basename(name)
    for key in (name, base, posixpath.splitext(base)[0]):
        if key in rows:
            return rows[key]
    return None


def rows(path, flag='metadata'):
    """The Table in a file.

    A column of numbers holds float; other values are strings, or bool of JSON; lists become strings
    with commas. Names of columns get _ for what a condition could not spell. The images' paths are
    in the column path, file, filename, file_name, image or name, else in the first one; rows
    without one are passed over.

    Raises:
        ValueError: it is no such table; names the flag.
    """
    shown = f'--{flag}={printable(path)}'
    if not os.path.isfile(path):
        raise ValueError(f'{shown}: there is no such file{nearby(path)}')
    try:
        with open(path, encoding='utf-8-sig', errors='surrogateescape', newline='') as file:
            text = file.read()
        found = _from_json(text) if text.lstrip()[:1] in ('{', '[') else _from_csv(text)
        if not found or not found[0]:
            raise ValueError('it has no rows')
        names = next((name for name in found[0] if name.strip().lower() in NAME_COLUMNS),
                     next(iter(found[0])))
        keys = [posixpath.normpath(str(row[names]).replace('\\', '/')) if row[names] else ''
                for row in found]
    except (ValueError, TypeError, LookupError, AttributeError, csv.Error, RecursionError) as error:
        raise ValueError(f'{shown}: {EXPECTED}; got something else ({error})') from error
    columns = {re.sub(r'\W', '_', name, flags=re.ASCII): _typed([row.get(name) for row in found])
               for name in dict.fromkeys(name for row in found for name in row)}
    return Table({name: kind for name, (kind, _) in columns.items()},
                 [(key, {name: values[number] for name, (_, values) in columns.items()})
                  for number, key in enumerate(keys) if key])


def read(path, flag='metadata'):
    """The Metadata in a file, as `rows` reads it; ValueError where rows contradict each other."""
    table, found = rows(path, flag), {}
    for key, row in table.rows:
        if found.setdefault(key, row) != row:
            raise ValueError(f'--{flag}={printable(path)}: has two rows for {printable(key)} that '
                             'differ; keep one')
    return Metadata(table.columns, found)


def _from_csv(text):
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ValueError(f'row {number} has another number of columns than the first line')
    return rows


def _from_json(text):
    """Rows of a list, of a dict of dicts, or of one object in each line."""
    try:
        content = json.loads(text)
    except ValueError:
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(content, dict):
        content = [{'path': name, **row} for name, row in content.items()]
    return [dict(row) for row in content]


def _typed(values):
    """(float, bool or str, the values as such); empty strings and None are None."""
    values = [None if value in (None, '') else
              ','.join(map(str, value)) if isinstance(value, (list, dict)) else value
              for value in values]
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return bool, values
    try:
        numbers = [None if value is None else float(value) for value in values]
        if all(number is None or math.isfinite(number) for number in numbers):
            return float, numbers
    except ValueError:
        pass
    return str, [None if value is None else str(value) for value in values]
