"""Files that appear whole or not at all, and what tells their contents apart: sha256."""

from __future__ import annotations

import hashlib
import os


def write_atomically(path, data, durable=True):
    """Writes bytes beside `path` and renames; cleans up if it fails.

    Args:
        durable: wait until the bytes are on the disk, so that a power cut cannot leave half of
            them; not worth its time for thousands of small files that can be made again.
    Raises:
        OSError: naming the path; what was there before is untouched.
    """
    path = os.fspath(path)
    temporary = f'{path}.part'
    try:
        with open(temporary, 'wb') as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise OSError(error.errno, f'{error.strerror}: {path} could not be written '
                      f'({len(data) / 2**20:.1f} MB); what was there before is untouched. Free '
                      'some space, then run the same command again') from error


def file_sha256(path):
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2 ** 20), b''):
            digest.update(block)
    return digest.hexdigest()
