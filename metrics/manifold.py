"""Precision and recall: how much of one set of feature vectors lies within the other's manifold.

Kynkaanniemi et al., 2019, arXiv 1904.06991: a manifold is the union of balls round its points,
each as wide as the distance to the point's third neighbour. Precision is the part of the fakes
within the manifold of the reals, recall that of the reals within the fakes'.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

NEIGHBOURS = 3
BLOCK = 1024  # points whose distances are computed at a time: to 50,000 others they take 200 MB


def _squared_distances(a, b):
    """[N, D], [M, D] -> [N, M], not below 0."""
    products = tf.matmul(a, b, transpose_b=True)
    squares = tf.reduce_sum(a * a, axis=1)[:, tf.newaxis] + tf.reduce_sum(b * b, axis=1)
    return tf.maximum(squares - 2 * products, 0)


@tf.function(reduce_retracing=True)
def _squared_radii(block, points, start):
    """Squared radii of the balls round `block`, which is the part of `points` from `start` on."""
    distances = _squared_distances(block, points)
    rows = tf.range(tf.shape(block)[0])
    itself = tf.stack([rows, rows + start], axis=1)
    distances = tf.tensor_scatter_nd_update(distances, itself, tf.zeros_like(rows, tf.float32))
    return -tf.math.top_k(-distances, NEIGHBOURS + 1).values[:, -1]


@tf.function(reduce_retracing=True)
def _within_each_other(reals, fakes, real_radii, fake_radii):
    """Which of `reals` lie within the manifold of `fakes`, and the other way: bool [N], [M]."""
    distances = _squared_distances(reals, fakes)
    return (tf.reduce_any(distances <= fake_radii, axis=1),
            tf.reduce_any(distances <= real_radii[:, tf.newaxis], axis=0))


def precision_recall(reals, fakes, progress=lambda done, total: None):
    """(precision, recall), each in [0, 1], of features [N, D] and [M, D].

    progress: told how many features are done, of how many.
    """
    if min(len(reals), len(fakes)) <= NEIGHBOURS:
        raise ValueError(f'precision and recall: both sides must hold more than {NEIGHBOURS} '
                         f'images; received {len(reals)} and {len(fakes)}.')
    center = np.mean(reals, axis=0, dtype=np.float64)  # Shorter vectors: smaller rounding errors.
    sides = [tf.constant(side - center, tf.float32) for side in (reals, fakes)]
    done, total = 0, len(reals) + 2 * len(fakes)

    def blocks(points):
        nonlocal done
        for start in range(0, len(points), BLOCK):
            yield slice(start, start + BLOCK)
            done += len(points[start:start + BLOCK])
            progress(done, total)

    real_radii, fake_radii = (
        tf.concat([_squared_radii(side[block], side, tf.constant(block.start))
                   for block in blocks(side)], 0) for side in sides)
    real_points, fake_points = sides
    recalled, precise = np.zeros(len(reals), bool), []
    for block in blocks(fake_points):
        of_reals, of_fakes = _within_each_other(real_points, fake_points[block], real_radii,
                                                fake_radii[block])
        recalled |= of_reals.numpy()
        precise.append(of_fakes.numpy())
    return float(np.concatenate(precise).mean()), float(recalled.mean())


def measure(task, count):
    """Precision and recall of a Task: {'_precision': share, '_recall': share}."""
    sides = task.both_sides('vgg16', count,
                            lambda images: np.concatenate(list(task.networks.fc2(images))))
    precision, recall = precision_recall(*sides, task.statistics_progress())
    return {'_precision': precision, '_recall': recall}
