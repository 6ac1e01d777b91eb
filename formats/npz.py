"""Files of named arrays (.npz) that a script saves with --save_X and takes back with --X."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from formats.files import write_atomically


def save(path, arrays):
    """Writes {name: array of numbers or text} to the file `path`, under just that name."""
    data = io.BytesIO()
    np.savez(data, **arrays)
    write_atomically(path, data.getvalue())


def load(path, flag, others=(), optional=()):
    """[array `flag` as float32, ...] of the file that --flag names; executes nothing from it.

    Args:
        flag: without dashes.
        others: names of further arrays, which come as they are.
        optional: names of arrays that may be missing, in whose place None comes.
    Raises:
        ValueError: the file is not there, or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return [np.asarray(file[flag], np.float32),
                    *(np.asarray(file[name]) for name in others),
                    *(np.asarray(file[name]) if name in file else None for name in optional)]
    except FileNotFoundError as error:
        raise ValueError(f'--{flag}={path}: there is no such file.') from error
    except (KeyError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        more = f' (and {", ".join(others)})' if others else ''
        raise ValueError(f'--{flag}={path}: must be an .npz file with an array {flag} of numbers'
                         f'{more}, such as --save_{flag} writes; this one is not.') from error


def check_rows(array, shape, path, flag):
    """float32 [N, *shape] of an array that `load` gave; one of just `shape` is the only row."""
    rows, label = array, f'--{flag}={path}: {flag}'
    rows = rows[np.newaxis] if rows.shape == tuple(shape) else rows
    if rows.shape[1:] != tuple(shape) or not len(rows):
        raise ValueError(f'{label} must be [N, {", ".join(map(str, shape))}] for this network; '
                         f'received {list(rows.shape)}. Take the network that it was made with.')
    if not np.isfinite(rows).all():
        raise ValueError(f'{label} must be finite; some of its numbers are not. Make the file '
                         'again.')
    return rows
