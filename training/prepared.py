"""Weights prepared once for several calls of a network: the cache, and where it holds."""

from __future__ import annotations

import contextvars

import tensorflow as tf

from training.scoped import within

_prepared = contextvars.ContextVar('prepared', default=None)


def weights_prepared_once():
    """Inside, a network that is called several times scales its weights only once.

    For one gradient tape and graph: outside of these the tensors mean nothing. They are float32,
    in which the gradients of the several calls are then added up.
    """
    return within(_prepared, {})


def prepared(prepare, dtype):
    """What the layer's method `prepare` makes of its weight, as `dtype`.

    Within `weights_prepared_once` it is called once.
    """
    kept = _prepared.get()
    if kept is None:
        return tf.cast(prepare(), dtype)
    if prepare not in kept:
        kept[prepare] = prepare()
    return tf.cast(kept[prepare], dtype)
