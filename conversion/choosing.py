"""Which images of a collection are converted: lists of names, conditions, so many of each class."""

from __future__ import annotations

import collections
import dataclasses
from typing import Optional

from conversion import metadata
from conversion.collection import printable
from conversion.conditions import Condition


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which images are taken; all conditions must hold."""
    include: Optional[str] = None    # file with the names of images to take, one per line
    exclude: Optional[str] = None    # file with the names of images to leave out, one per line
    condition: Optional[str] = None  # of conditions.py, over the columns of the table
    metadata: Optional[str] = None   # the table's file: CSV or JSON
    max_per_class: Optional[int] = None  # so many images of each class, the first in writing order

    def __post_init__(self):
        if self.condition is not None and self.metadata is None:
            raise ValueError(f'--filter={self.condition}: needs --metadata, the table that it is '
                             'about')
        if self.metadata is not None and self.condition is None:
            raise ValueError(f'--metadata={printable(self.metadata)}: says nothing without '
                             "--filter, such as --filter='width >= 256'")


def chosen(collection, choice):
    """The Collection of the images that the lists and the condition of a Choice leave.

    What is left out is counted among its `others`.
    """
    for flag, path in (('include', choice.include), ('exclude', choice.exclude)):
        if path is not None:
            listed, shown = _listed(collection, flag, path), f'--{flag}={printable(path)}'
            if flag == 'include':
                collection = _only(collection, listed, 'images not named by --include', shown)
            else:
                collection = _only(collection, set(collection.names) - listed,
                                   'images named by --exclude', shown)
    if choice.condition is not None:
        collection = _filtered(collection, choice)
    return collection


def _only(collection, kept, what, flag):
    """The Collection of the images that are kept; ValueError, naming the flag, where none is."""
    names = tuple(name for name in collection.names if name in kept)
    if not names:
        raise ValueError(f'{flag}: leaves none of the {len(collection.names):,} images in '
                         f'{printable(collection.path)}')
    left_out = len(collection.names) - len(names)
    return dataclasses.replace(collection, names=names, others={
        **collection.others, **({what: left_out} if left_out else {})})


def _listed(collection, flag, path):
    """The names in the file `path`, which must all be images of the collection."""
    with open(path, encoding='utf-8', errors='surrogateescape') as file:
        names = {line for line in file.read().split('\n') if line}
    strangers = sorted(names - set(collection.names))
    if strangers:
        raise ValueError(f'--{flag}={printable(path)}: names {len(strangers)} that are not images '
                         f'in {printable(collection.path)}, for example '
                         f'{printable(strangers[0])}; each line must be a path below it')
    return names


def _filtered(collection, choice):
    """The Collection of the images of which the condition holds."""
    table = metadata.read(choice.metadata)
    condition = Condition(choice.condition, {**table.columns, 'path': str})
    rows = {name: table.of(name) for name in collection.names}
    unknown = sum(row is None for row in rows.values())
    if unknown == len(rows):
        raise ValueError(f'--metadata={printable(choice.metadata)}: has no row for any image in '
                         f'{printable(collection.path)}; its first column, or the one named path, '
                         f'must name them, as in {printable(collection.names[0])}')
    if unknown:
        print(f'Unknown  {unknown:,} images have no row in {printable(choice.metadata)}; they are '
              'left out')
    kept = {name for name, row in rows.items()
            if row is not None and condition.holds({**row, 'path': name})}
    return _only(collection, kept, 'images that --filter leaves out',
                 f'--filter={printable(choice.condition)}')


def limited_per_class(collection, labels, most, order):
    """The Collection with at most so many images of each class.

    Args:
        labels: conversion.labels.Labels of it, of classes.
        most: images of each class; None = all.
        order: names -> these in the order in which they would be written; the first ones stay.
    """
    if most is None:
        return collection
    if labels is None or any(isinstance(label, tuple) for label in labels.of.values()):
        raise ValueError(f'--max_per_class={most}: needs classes; add --labels=folders, or a file '
                         'of labels that has one class for each image')
    count, kept = collections.Counter(), set()
    for name in order(collection.names):
        count[labels.of.get(name)] += 1
        if count[labels.of.get(name)] <= most:
            kept.add(name)
    return _only(collection, kept, 'images beyond --max_per_class', f'--max_per_class={most}')
