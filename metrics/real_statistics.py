"""Mean and covariance of the reals' features: computed once, kept in a file, read from others."""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile

import numpy as np

from formats import download
from formats.files import write_atomically
from metrics.features import RESIZES

FOLDER = 'statistics'  # below the cache directory
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
    """ValueError where an .npz file says that it is of another Inception graph than that of sha256.

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


class CachedStatistics:
    """The statistics of a data set's Inception features, below the cache directory.

    Args:
        dataset: TFRecordDataset.
        mirror: whether images are flipped, by `seed`.
        networks: FeatureNetworks.
        cache_dir: None = that of downloads.
    """

    def __init__(self, dataset, mirror, seed, networks, cache_dir=None):
        self.dataset, self.networks = dataset, networks
        self.mirror_seed = seed if mirror else None
        self.folder = os.path.join(download.cache_directory(cache_dir), FOLDER)

    def path(self, count):
        """The file for the first `count` images; its name tells all that the numbers hang on."""
        data = self.dataset
        flips = '' if self.mirror_seed is None else f'-mirror{self.mirror_seed}'
        return os.path.join(self.folder, f'{data.name}-{data.resolution}x{data.resolution}-'
                            f'{count}{flips}-{data.fingerprint()[:16]}-inception-'
                            f'{self.networks.sha256("inception")[:16]}.npz')

    def __call__(self, count, compute):
        """(mean, covariance) of `count` reals: from the file, or `compute()` and into the file."""
        path = self.path(count)
        if os.path.exists(path):
            try:
                return read_statistics(path)
            except ValueError as error:
                print(f'{error} It is made again.', file=sys.stderr)
        mean, covariance = compute()
        about = {'dataset': self.dataset.directory, 'fingerprint': self.dataset.fingerprint(),
                 'resolution': self.dataset.resolution, 'count': count,
                 'mirror_seed': self.mirror_seed, 'resize': RESIZES['inception'],
                 GRAPH: self.networks.sha256('inception')}
        try:
            write_statistics(path, mean, covariance, about)
        except OSError as error:  # a full disk must not cost the number that is there already
            print(f'{path}: not kept for the next time: {error}', file=sys.stderr)
        return mean, covariance
