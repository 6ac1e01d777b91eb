"""What w look like: the mean, spread and usual reach of those that a mapping network makes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pictures.latents import class_labels

COUNT = 10_000     # z that are mapped (Karras et al. 2019, StyleGAN 2, appendix D)
AT_A_TIME = 1000
SEED = 18          # of these z
USUAL = 0.999      # share of w that are nearer to the mean than what is called far out


def mapped(sampler, count=COUNT, class_idx=None):
    """Yields w float32 [n, dlatent_size], `count` in all, not truncated; always the same.

    class_idx: of a conditional network, the class of all; None = each class in turn.
    """
    random = np.random.default_rng(SEED)
    for start in range(0, count, AT_A_TIME):
        size = min(AT_A_TIME, count - start)
        z = random.standard_normal([size, sampler.config.latent_size], np.float32)
        labels = class_labels(sampler.config, class_idx, size, start)
        yield sampler.w(z, labels, truncation=None)[:, 0]


class WStatistics(NamedTuple):
    """Of many w, each a point of dlatent_size numbers."""
    mean: np.ndarray        # float32 [D]
    axes: np.ndarray        # float32 [D, D]: principal axes, unit columns, the widest first
    deviations: np.ndarray  # float32 [D]: standard deviation along each
    usual: float            # distance from the mean, in `deviation`s, that 999 of 1000 stay below

    @property
    def deviation(self):
        """sigma, the root of the mean squared distance from the mean."""
        return float(np.sqrt(np.sum(np.square(self.deviations, dtype=np.float64))))

    def along(self, vectors):
        """[K]: standard deviation of w along unit vectors [K, D]."""
        return np.sqrt(np.sum((vectors @ self.axes * self.deviations) ** 2, axis=1))

    def distances(self, w):
        """[N]: distance of w [N, ..., D] from the mean, in `deviation`s; its layers' root mean."""
        squares = np.sum((w - self.mean) ** 2, axis=-1)
        return np.sqrt(squares.reshape(len(w), -1).mean(axis=1)) / self.deviation


def principal_axes(parts):
    """(mean [D], axes [D, D], variances [D]) of w that come in parts [n, D]; constant memory.

    Axes are unit columns, that of the largest variance first.
    """
    count, total, products = 0, 0.0, 0.0
    for part in parts:
        part = part.astype(np.float64)
        count, total, products = count + len(part), total + part.sum(0), products + part.T @ part
    mean = total / count
    variances, axes = np.linalg.eigh(products / count - np.outer(mean, mean))
    return mean, axes[:, ::-1], np.maximum(variances[::-1], 0)


def check_has_w(sampler):
    """ValueError for a network without w."""
    if not sampler.has_w:
        raise ValueError('--network: this is a ProGAN network, which has no w to edit; take a '
                         'StyleGAN network.')


def statistics(sampler, class_idx=None, count=COUNT):
    """The WStatistics of a Sampler's mapping network; for the arguments see `mapped`."""
    check_has_w(sampler)
    mean, axes, variances = principal_axes(mapped(sampler, count, class_idx))
    found = WStatistics(*(x.astype(np.float32) for x in (mean, axes, np.sqrt(variances))), 0.0)
    distances = np.concatenate([found.distances(w) for w in mapped(sampler, count, class_idx)])
    return found._replace(usual=float(np.quantile(distances, USUAL)))
