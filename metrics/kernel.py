"""Kernel distance between two sets of feature vectors: unbiased squared MMD, cubic kernel.

Binkowski et al., 2018, arXiv 1801.01401: k(x, y) = (x.y / D + 1)^3, mean over 100 pairs of
subsets of at most 1000 vectors. With the pool_3 features of Inception it is KID. Being unbiased,
it may come out slightly below 0.
"""

from __future__ import annotations

import numpy as np

SUBSETS = 100
SUBSET_SIZE = 1000


def _kernel(a, b):
    base = a @ b.T / a.shape[1] + 1
    return base * base * base  # ten times as fast as ** 3


def squared_mmd(a, b):
    """Unbiased estimate from two sets of equally many vectors, [M, D] each."""
    count = len(a)
    within = sum(kernel.sum() - np.trace(kernel) for kernel in (_kernel(a, a), _kernel(b, b)))
    return within / (count * (count - 1)) - 2 * _kernel(a, b).mean()


def kernel_distance(reals, fakes, seed, progress=lambda done, total: None):
    """Mean `squared_mmd` of random subsets of features [N, D] and [M, D].

    Args:
        seed: an int that the subsets come from.
        progress: told how many subsets are done, of how many.
    """
    size = min(SUBSET_SIZE, len(reals), len(fakes))
    if size < 2:
        raise ValueError('kernel distance: both sides must hold two images or more; received '
                         f'{len(reals)} and {len(fakes)}.')
    random, found = np.random.default_rng(seed), []
    for done in range(1, SUBSETS + 1):
        found.append(squared_mmd(*(
            side[random.choice(len(side), size, replace=False)].astype(np.float64)
            for side in (reals, fakes))))
        progress(done, SUBSETS)
    return float(np.mean(found))


def measure(task, count):
    """KID of a Task: {'': distance}."""
    def features(images):
        return np.concatenate([some for some, _ in task.networks.inception(images)])

    sides = task.both_sides('inception', count, features)
    return {'': kernel_distance(*sides, task.seed, task.statistics_progress())}
