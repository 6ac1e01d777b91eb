"""Finds and reads the images of a folder (with its sub-folders) or a zip file."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import functools
import os
import re
import stat
import zipfile
import zlib

from conversion.decode import Unusable
from formats.files import write_atomically

EXTENSIONS = frozenset('.png .jpg .jpeg .jpe .jfif .webp .bmp .gif .tif .tiff .ppm .pgm .pbm .pnm '
                       '.jp2 .tga .avif .heic .heif'.split())  # HEIC cannot be read, but that
                                                               # phones' pictures are missing must
                                                               # not go unnoticed
BOMB_BYTES, BOMB_RATIO = 2**26, 100  # a zip member larger than both when unpacked is refused
SHOWN = 3                            # names in an error


@dataclasses.dataclass(frozen=True)
class Collection:
    """The images of one folder or zip file."""
    path: str        # of the folder or the zip file
    names: tuple     # relative paths of the images, with '/', sorted: the order of the dataset
    others: dict     # {what: how many} of the files that were ignored

    @property
    def is_zip(self):
        return not os.path.isdir(self.path)


def find_collection(path):
    """Returns the Collection of all images below the folder, or in the zip file, `path`."""
    path = os.fspath(path)
    if not os.path.exists(path):
        raise ValueError(f'{printable(path)}: no such folder or zip file{nearby(path)}')
    if not os.path.isdir(path) and not zipfile.is_zipfile(path):
        raise ValueError(f'{printable(path)}: expected a folder of images or a zip file, '
                         'got another kind of file')
    images, others = [], collections.Counter()
    for name in _walk(path) if os.path.isdir(path) else _zip_names(path):
        extension = os.path.splitext(name)[1].lower()
        if any(part.startswith('.') or part == '__MACOSX' for part in name.split('/')):
            others['hidden files'] += 1
        elif extension in EXTENSIONS:
            images.append(name)
        else:
            others[f'{extension or "files without an extension"}'] += 1
    if not images:
        found = ', '.join(f'{count} {what}' for what, count in others.items())
        hint = '; it may be a dataset already' if '.tfrecords' in others else ''
        raise ValueError(f'{printable(path)}: holds no images (.png, .jpg, .webp, ...), '
                         f'{"only " + printable(found) if found else "no files at all"}{hint}')
    return Collection(path, tuple(sorted(images)), dict(others))


def read_file(path, name):
    """Returns the bytes of the image `name` of the folder or zip file `path`.

    Raises:
        Unusable: it is not there, not a file, or not readable.
    """
    full = os.path.join(path, name)
    try:
        if not os.path.isdir(path):
            return _opened_zip(path, os.stat(path).st_mtime_ns).read(name)
        if not stat.S_ISREG(os.stat(full).st_mode):  # reading a pipe would wait for ever
            raise Unusable('is not a regular file')
        with open(full, 'rb') as file:
            return file.read()
    except (FileNotFoundError, KeyError) as error:
        raise Unusable('is a broken symbolic link' if os.path.islink(full) else
                       'no longer exists') from error
    except OSError as error:
        raise Unusable(f'cannot be read ({error.strerror or error})') from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError,
            NotImplementedError) as error:  # damaged, encrypted, or a rare compression
        raise Unusable(f'cannot be unpacked ({error})') from error


def write_names(path, names):
    """Writes the names of images as create_from_images --exclude reads them: one a line."""
    write_atomically(path, ''.join(f'{name}\n' for name in names).encode('utf-8',
                                                                         'surrogateescape'))


def printable(name):
    """A file name as it may be shown: newlines, control characters, bad bytes as escapes."""
    return ''.join(char if char.isprintable() else char.encode('unicode_escape').decode()
                   for char in name)


def some_names(names):
    """The first of these, as they may be shown in an error."""
    return ', '.join(map(printable, names[:SHOWN])) + (', ...' if len(names) > SHOWN else '')


def nearby(path):
    """What may have been meant: '; nearby: a, b' or ''."""
    parent, wanted = os.path.split(os.path.abspath(path))
    try:
        there = sorted(name for name in os.listdir(parent) if not name.startswith('.'))
    except OSError:
        return ''
    close = difflib.get_close_matches(wanted, there, n=3) or there[:5]
    return '; nearby: ' + ', '.join(printable(os.path.join(os.path.dirname(path), name))
                                      for name in close) if close else ''


def _walk(root):
    """Yields the relative paths of all files below root; links to folders are followed, once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders[:] = []
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')


def _raise(error):
    raise error


def _zip_names(path):
    """Yields the names of the files in a zip; refuses one that is not what it should be."""
    seen = set()
    for member in _opened_zip(path, os.stat(path).st_mtime_ns).infolist():
        if member.is_dir():
            continue
        name = member.filename
        if name.startswith('/') or '..' in name.split('/') or re.match('[A-Za-z]:', name):
            raise ValueError(f'{printable(path)}: refused: its file {printable(name)} '
                             'points outside the zip')
        if member.file_size > max(BOMB_BYTES, BOMB_RATIO * member.compress_size):
            raise ValueError(f'{printable(path)}: refused: its file {printable(name)} '
                             f'unpacks to {member.file_size:,} bytes: perhaps a zip bomb')
        if name in seen:
            raise ValueError(f'{printable(path)}: refused: it holds {printable(name)} '
                             'more than once')
        seen.add(name)
        yield name


@functools.lru_cache(maxsize=1)
def _opened_zip(path, mtime):  # mtime: a file that was replaced is opened anew
    """The zip stays open in each process: its list of contents is read once."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f'{printable(path)}: damaged zip file ({error})') from error
