"""Files that appear whole or not at all, and what tells their contents apart: sha256."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile


def not_written(path, error, size):
    """What to raise where `size` bytes could not be written to `path`: an OSError in its words."""
    return OSError(error.errno, f'{error.strerror}: {path} could not be written '
                   f'({size / 2**20:.1f} MB); what was there before is untouched. Free '
                   'some space, then run the same command again')


@contextlib.contextmanager
def whole_file(path, durable=True):
    """A binary file to write to, beside `path`; it takes that name when the block ends well.

    durable: as for `write_atomically`. An error or Ctrl-C removes it; what was there before stays.
    """
    path = os.fspath(path)
    temporary = f'{path}.part'
    try:
        with open(temporary, 'wb') as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def write_atomically(path, data, durable=True):
    """Writes bytes beside `path` and renames; cleans up if it fails.

    Args:
        durable: wait until the bytes are on the disk, so that a power cut cannot leave half of
            them; not worth its time for thousands of small files that can be made again.
    Raises:
        OSError: naming the path; what was there before is untouched.
    """
    try:
        with whole_file(path, durable) as file:
            file.write(data)
    except OSError as error:
        raise not_written(path, error, len(data)) from error


def writable_folder(path, flag='outdir'):
    """Makes the folder `path` where it is missing; ValueError, naming --flag, if that cannot be.

    To be called before long work whose results go there.
    """
    try:
        os.makedirs(path, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise ValueError(f'--{flag}={path}: cannot be written to ({error.strerror}); name another '
                         'folder.') from error


def file_sha256(path):
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2 ** 20), b''):
            digest.update(block)
    return digest.hexdigest()
