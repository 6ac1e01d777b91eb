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


def load(path, name, others=(), optional=(), flag=None):
    """[array `name` as float32, ...] of the file that --flag names; executes nothing from it.

    Args:
        others: names of further arrays, which come as they are.
        optional: names of arrays that may be missing, in whose place None comes.
        flag: without dashes, for errors; None = `name`.
    Raises:
        ValueError: the file is not there, or no such file.
    """
    flag = flag or name
    try:
        with np.load(path, allow_pickle=False) as file:
            return [np.asarray(file[name], np.float32),
                    *(np.asarray(file[other]) for other in others),
                    *(np.asarray(file[other]) if other in file else None for other in optional)]
    except FileNotFoundError as error:
        raise ValueError(f'--{flag}={path}: there is no such file.') from error
    except (KeyError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        more = f' (and {", ".join(others)})' if others else ''
        raise ValueError(f'--{flag}={path}: must be an .npz file with an array {name} of numbers'
                         f'{more}, such as --save_{name} writes; this one is not.') from error


def check_rows(array, shape, path, name, flag=None):
    """float32 [N, *shape] of an array that `load` gave; one of just `shape` is the only row."""
    rows, label = array, f'--{flag or name}={path}: {name}'
    rows = rows[np.newaxis] if rows.shape == tuple(shape) else rows
    if rows.shape[1:] != tuple(shape) or not len(rows):
        raise ValueError(f'{label} must be [N, {", ".join(map(str, shape))}] for this network; '
                         f'received {list(rows.shape)}. Take the network that it was made with.')
    if not np.isfinite(rows).all():
        raise ValueError(f'{label} must be finite; some of its numbers are not. Make the file '
                         'again.')
    return rows
