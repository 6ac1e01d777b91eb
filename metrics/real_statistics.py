"""Files with the mean and covariance of features: writes, reads and checks them."""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np

from formats.files import write_atomically

MEAN, COVARIANCE, ABOUT = 'mu', 'sigma', 'about'  # the first two: the keys that others use too
GRAPH = 'inception_sha256'  # in ABOUT
UNREADABLE = (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError)


def read_statistics(path):
    """(mean [D], covariance [D, D]) of an .npz file; ValueError says what it lacks."""
    try:
        with np.load(path, allow_pickle=False) as file:
            mean, covariance = (np.asarray(file[key], np.float64) for key in (MEAN, COVARIANCE))
    except UNREADABLE as error:
        raise ValueError(f'{path}: must be an .npz file with {MEAN} and {COVARIANCE}, the mean and '
                         f'the covariance of features ({" ".join(str(error).split())}).') from None
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise ValueError(f'{path}: {MEAN} must be [D] and {COVARIANCE} [D, D]; received '
                         f'{list(mean.shape)} and {list(covariance.shape)}.')
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise ValueError(f'{path}: holds numbers that are not finite.')
    return mean, covariance


def _noted_graph(path):
    """sha256 of the Inception graph that an .npz file says it is of; None where it doesn't say."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file[ABOUT]))[GRAPH]
    except UNREADABLE:
        return None


def check_graph(path, sha256):
    """ValueError where an .npz file names another Inception graph than `sha256`.

    Files of elsewhere don't say, and are taken.
    """
    noted = _noted_graph(path)
    if noted not in (None, sha256):
        raise ValueError(f'{path}: its features must be of the Inception graph in use, sha256 '
                         f'{sha256}; received those of {noted!r:.70}. Name the file of that graph '
                         'by --inception, or the data set by --reals in place of --real_stats.')


def write_statistics(path, mean, covariance, about):
    """Writes an .npz file atomically, whole or not at all; `about`: a dict, kept as JSON."""
    file = io.BytesIO()
    np.savez(file, **{MEAN: mean, COVARIANCE: covariance, ABOUT: json.dumps(about)})
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomically(path, file.getvalue())
