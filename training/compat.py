"""All that differs between the two lanes: TensorFlow 2.15 with Keras 2, and 2.21 with Keras 3."""

from __future__ import annotations

import tensorflow as tf

LAYERS_ARE_MODULES = issubclass(tf.keras.layers.Layer, tf.Module)  # Keras 2


def weight_name(name):
    """The name of a layer's weight for Keras; Keras 3 takes no slashes."""
    return name if LAYERS_ARE_MODULES else name.replace('/', '_')


def tf_variable(weight):
    """The tf.Variable of a layer's weight, which Keras 3 holds inside a class of its own."""
    return weight if isinstance(weight, tf.Variable) else weight.value
