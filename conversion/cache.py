"""Converts a folder or zip of images that training is given, once; finds the result later."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zipfile

from conversion import from_images, labels
from conversion.collection import find_collection

_VERSION = 1  # of the conversion: a later one must not find the datasets of an earlier one


def ensure_dataset(path, cache_dir, options=from_images.Options()):
    """Returns a dataset directory for `path`: itself, or a converted copy below `cache_dir`.

    A folder or zip of images is converted the first time. Later it is found again as long as the
    names, sizes and times of the files (of a zip: names and checksums) and the options stay.

    Args:
        path: a dataset directory, which is left alone; or a folder or zip of images.
        cache_dir: where converted datasets are kept; made if need be.
        options: from_images.Options; `overwrite`, `check_only` and `workers` make no difference.
    """
    path = os.fspath(path)
    if not os.path.exists(path) or is_dataset(path):
        return path  # whoever reads it says best what is wrong with it
    collection = find_collection(path)
    name = os.path.splitext(os.path.basename(os.path.abspath(path)))[0]
    directory = os.path.join(cache_dir, f'{name}-{_key(collection, options)[:12]}')
    if os.path.isdir(directory):
        print(f'{path} holds images, already converted: using {directory}')
    else:
        print(f'{path} holds images, not a dataset: converting them once, to {directory}')
        from_images.create(directory, path, dataclasses.replace(options, check_only=False))
    return directory


def is_dataset(path):
    """Whether `path` is a directory with TFRecord files, and no images to be converted."""
    return os.path.isdir(path) and any(name.endswith('.tfrecords') for name in os.listdir(path))


def _key(collection, options):
    """Hex digits that change with the images, the labels or what is done to them."""
    done = dataclasses.asdict(dataclasses.replace(options, overwrite=False, check_only=False,
                                                  workers=None))
    content = [_VERSION, done, contents(collection)]
    if options.labels not in (None, 'none', 'folders'):
        content.append(_times(options.labels))
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def contents(collection):
    """What tells one collection from another, without reading the images."""
    if collection.is_zip:
        with zipfile.ZipFile(collection.path) as file:
            return [(member.filename, member.file_size, member.CRC) for member in file.infolist()]
    names = [*collection.names, labels.DEFAULT_FILE]
    return [(name, _times(os.path.join(collection.path, name))) for name in names]


def _times(path):
    try:
        status = os.stat(path)
    except OSError:  # a broken link, or no labels: the conversion has something to say about it
        return None
    return status.st_size, status.st_mtime_ns
