"""Random draws that follow from a stateless seed pair, or from the global generator (None)."""

from __future__ import annotations

import tensorflow as tf


def run_seed(seed, rollbacks):
    """The seed of a run that has gone back to a checkpoint `rollbacks` times (a tensor or not)."""
    return seed + 1_000_003 * rollbacks


def folded_seed(seed, number):
    """A stateless seed pair for the draw `number`; None stays None (the global generator)."""
    return None if seed is None else tf.random.experimental.stateless_fold_in(
        tf.cast(tf.convert_to_tensor(seed), tf.int32), number)


def random_normal(shape, seed):
    """N(0, 1) float32, from a stateless seed pair or (None) from the global generator."""
    if seed is None:
        return tf.random.normal(shape)
    return tf.random.stateless_normal(shape, seed)


def random_uniform(shape, seed, **options):
    """Uniform numbers, from a stateless seed pair or (None) from the global generator."""
    if seed is None:
        return tf.random.uniform(shape, **options)
    return tf.random.stateless_uniform(shape, seed, **options)
