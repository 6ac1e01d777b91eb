"""The real images that fakes are compared with, and what has been computed of them."""

from __future__ import annotations

import os
import sys

from metrics.features import RESIZES
from metrics.real_statistics import check_graph, read_statistics, write_statistics

FOLDER = 'statistics'  # below the cache directory


class Reals:
    """Real images, whose features are computed once, however many networks they serve.

    Args:
        source: DatasetSource of the images; None = there are only `given` statistics.
        networks: FeatureNetworks that the statistics are of.
        folder: where mean and covariance of the features are kept for other commands;
            None = nowhere.
        given: path of an .npz file with these two, in place of the images' own.
        network: the feature network that the statistics are of.
    Raises:
        ValueError: `given` is no such file.
    """

    def __init__(self, source, networks=None, folder=None, given=None, network='inception'):
        self.source, self.networks, self.folder, self.given = source, networks, folder, given
        self.network = network
        self._given = read_statistics(given) if given else None
        self._kept = {}

    @property
    def num_images(self):
        return 0 if self.source is None else self.source.num_images

    @property
    def labels(self):
        """[num_images, label_size]; None without images."""
        return None if self.source is None else self.source.dataset.labels

    def images(self, count):
        """Yields uint8 [N, R, R, C]: the first `count` images; of fewer it goes round them."""
        return self.source.images(count)

    def kept(self, what, compute):
        """compute(), or what it gave the last time; what: a hashable name for it."""
        if what not in self._kept:
            self._kept[what] = compute()
        return self._kept[what]

    def statistics(self, count, compute):
        """Mean [D] and covariance [D, D] of the features of `count` reals.

        Those given, or from the file of an earlier command, or compute() and into the file.
        """
        if self._given is not None:
            check_graph(self.given, self.networks.sha256(self.network))
            return self._given
        if self.folder is None:
            return self.kept((FOLDER, count), compute)
        return self.kept((FOLDER, count), lambda: self._filed(count, compute))

    def statistics_path(self, count):
        """The file for the first `count` images; its name says what the numbers depend on."""
        data, seed = self.source.dataset, self.source.mirror_seed
        flips = '' if seed is None else f'-mirror{seed}'
        return os.path.join(self.folder, f'{data.name}-{data.resolution}x{data.resolution}-'
                            f'{count}{flips}-{data.fingerprint()[:16]}-{self.network}-'
                            f'{self.networks.sha256(self.network)[:16]}.npz')

    def _filed(self, count, compute):
        path, data = self.statistics_path(count), self.source.dataset
        if os.path.exists(path):
            try:
                return read_statistics(path)
            except ValueError as error:
                print(f'{error} It is made again.', file=sys.stderr)
        mean, covariance = compute()
        about = {'dataset': data.directory, 'fingerprint': data.fingerprint(),
                 'resolution': data.resolution, 'count': count,
                 'mirror_seed': self.source.mirror_seed, 'resize': RESIZES[self.network],
                 f'{self.network}_sha256': self.networks.sha256(self.network)}
        try:
            write_statistics(path, mean, covariance, about)
        except OSError as error:  # a full disk must not cost the number that is there already
            print(f'{path}: not kept for the next time: {error}', file=sys.stderr)
        return mean, covariance
