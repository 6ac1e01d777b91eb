"""Finds the class of each image: from sub-folders, or from a JSON or CSV file."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import posixpath
from typing import Optional

import numpy as np

from conversion.collection import nearby, printable, read_file
from conversion.decode import Unusable

DEFAULT_FILE = 'dataset.json'  # where a folder or zip has this, it is used unless told otherwise
UNBALANCED = 2  # times as many images in the largest class as in the smallest are worth a word
MAX_CLASSES = 10000  # a larger class number is a mistake: labels take 4 bytes a class and image
NAME_COLUMNS = ('path', 'file', 'filename', 'file_name', 'image', 'name')  # in a CSV file


@dataclasses.dataclass(frozen=True)
class Labels:
    """The labels of a collection of images."""
    of: dict                       # image name -> class number or tuple of numbers
    size: int                      # components of a label
    class_names: Optional[tuple]   # of str, one a class; None = the classes are only numbered
    source: str                    # where they come from, in words

    def array(self, names):
        """Returns float32 [len(names), size]; class numbers become one-hot rows."""
        rows = np.zeros([len(names), self.size], np.float32)
        for row, name in zip(rows, names):
            if isinstance(self.of[name], tuple):
                row[:] = self.of[name]
            else:
                row[self.of[name]] = 1
        return rows


def find(collection, choice=None):
    """Returns the Labels of a collection.Collection, or None where there are none.

    Args:
        choice: 'none', 'folders', the path of a JSON or CSV file, or None = dataset.json if the
            collection has one.
    """
    if choice == 'none':
        return None
    if choice == 'folders':
        return _from_folders(collection)
    if choice:
        if not os.path.isfile(choice):
            raise ValueError(f'--labels={printable(choice)}: must be folders, none or a '
                             f'file, but there is no such file{nearby(choice)}')
        with open(choice, 'rb') as file:
            return _from_file(file.read(), choice)
    try:
        return _from_file(read_file(collection.path, DEFAULT_FILE),
                          posixpath.join(collection.path, DEFAULT_FILE))
    except Unusable:  # a folder, or a zip, without one
        return None


def _from_folders(collection):
    """The first folders below the one that holds everything are the classes."""
    top = posixpath.commonpath([posixpath.dirname(name) or '.' for name in collection.names]) \
        if all('/' in name for name in collection.names) else ''
    folder_of = {}
    for name in collection.names:
        inside = name[len(top) + 1:] if top else name
        if '/' in inside:
            folder_of[name] = inside.split('/')[0]
    names = sorted(set(folder_of.values()))
    if len(names) < 2:
        raise ValueError(f'--labels=folders: {printable(collection.path)} has no sub-folders '
                         'to use as classes; put the images of each class into one')
    if all(name.isdecimal() for name in names):
        names.sort(key=int)  # 2 comes before 10
    number = {name: index for index, name in enumerate(names)}
    return Labels({name: number[folder] for name, folder in folder_of.items()}, len(names),
                  tuple(names), 'sub-folders')


def _from_file(data, path):
    """Reads `{"labels": [["path", class], ...], "classes": [...]}`, or CSV lines `path,class`."""
    shown = f'labels file {printable(str(path))}'
    try:
        text = data.decode('utf-8-sig')
        pairs, class_names = _parse_json(text) if text.lstrip()[:1] in ('{', '[') else \
            (_parse_csv(text), None)
    except (ValueError, TypeError, LookupError, csv.Error, RecursionError) as error:
        raise ValueError(f'{shown}: expected JSON like {{"labels": [["a/b.png", 3], ...]}} or CSV '
                         f'lines like a/b.png,3, got something else ({error})') from error
    if not pairs:
        return None
    of = {}
    for name, label in pairs:
        name = posixpath.normpath(name.replace('\\', '/'))
        if of.setdefault(name, label) != label:
            raise ValueError(f'{shown}: lists {printable(name)} twice, as '
                             f'{of[name]} and as {label}')
    return _numbered(of, class_names, shown)


def _parse_json(text):
    content = json.loads(text)
    pairs = content['labels'] if isinstance(content, dict) else content
    if isinstance(pairs, dict):
        pairs = pairs.items()
    class_names = content.get('classes') if isinstance(content, dict) else None
    if not isinstance(class_names, (list, type(None))):
        raise ValueError('"classes" is not a list of names')
    return [(str(name), tuple(label) if isinstance(label, list) else label)
            for name, label in pairs or ()], class_names


def _parse_csv(text):
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if rows and rows[0][0].strip().lower() in NAME_COLUMNS:
        del rows[0]
    return [(row[0].strip(), int(row[1]) if row[1].strip().isdecimal() else row[1].strip())
            for row in rows]


def _numbered(of, class_names, shown):
    """Labels from what a file says: class numbers, class names, or vectors; one kind for all."""
    kinds = {type(label) for label in of.values()}
    if kinds == {tuple}:
        sizes = {len(label) for label in of.values()}
        if len(sizes) > 1 or 0 in sizes:
            raise ValueError(f'{shown}: all label vectors must have the same length, '
                             f'got lengths {sorted(sizes)[:5]}')
        if not all(type(x) in (int, float) for label in of.values() for x in label):
            raise ValueError(f'{shown}: label vectors must hold numbers only')
        return _checked(of, sizes.pop(), class_names, shown)
    if kinds == {str}:
        class_names = sorted(set(of.values()))
        number = {name: index for index, name in enumerate(class_names)}
        of = {name: number[label] for name, label in of.items()}
    elif kinds != {int}:
        raise ValueError(f'{shown}: classes must be all numbers from 0, all names, or all lists '
                         f'of numbers; got {", ".join(sorted(kind.__name__ for kind in kinds))}')
    lowest, highest = min(of.values()), max(of.values())
    size = max(highest + 1, len(class_names or ()))
    if lowest < 0 or size > MAX_CLASSES:
        raise ValueError(f'{shown}: class numbers must run from 0 to at most {MAX_CLASSES - 1}, '
                         f'got {lowest if lowest < 0 else highest}')
    return _checked(of, size, class_names, shown)


def _checked(of, size, class_names, shown):
    """Labels with names that are one string for each component, or none."""
    if class_names is not None and [type(name) for name in class_names] != [str] * size:
        raise ValueError(f'{shown}: expected {size} class names, one for each component of the '
                         f'labels, got {len(class_names)}')
    return Labels(of, size, tuple(class_names) if class_names else None, shown)


def class_numbers(array):
    """Returns int64 [N] for one-hot labels [N, size]; None for others, or where size is 0."""
    if not array.size or not np.isin(array, (0, 1)).all() or (array.sum(axis=1) != 1).any():
        return None
    return array.argmax(axis=1)


def balance(array, class_names=None):
    """The smallest and the largest class of labels [N, size] in words; None = no need to say so."""
    classes = class_numbers(array)
    if classes is None:
        return None
    counts = np.bincount(classes, minlength=array.shape[1])
    least, most = (f'{printable(class_names[i]) if class_names else i} {counts[i]:,}'
                   for i in (counts.argmin(), counts.argmax()))
    if counts.max() < UNBALANCED * max(1, counts.min()):
        return None
    return (f'from {least} to {most}; the network will see the large classes most, '
            f'--max_per_class=N takes at most N of each')


def describe(array, class_names=None):
    """Labels [N, size] in words: '4 classes (cat 120, dog 98, ...)'."""
    size, classes = array.shape[1], class_numbers(array)
    if size == 0:
        return 'none'
    if classes is None:
        return f'vectors of {size} numbers'
    counts = np.bincount(classes, minlength=size)
    shown = [f'{printable(class_names[index]) if class_names else index} {count:,}'
             for index, count in enumerate(counts[:10])]
    return f'{size} classes ({", ".join(shown)}{", ..." if size > 10 else ""})'
