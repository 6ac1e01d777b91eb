"""SavedModel: TensorFlow's own form, for TensorFlow Serving, TensorFlow.js and any Python."""

from __future__ import annotations

import tensorflow as tf

from export.signatures import compiled
from training.layers import named_variables

TITLE = 'a SavedModel'
WORDS = 'Needs TensorFlow only. It has gradients, and its weights are variables.'
LINES = """\
import numpy, tensorflow
network = tensorflow.saved_model.load('.')
inputs = INPUTS
inputs = {name: tensorflow.constant(value) for name, value in inputs.items()}
images = network.signatures['z_to_image'](**inputs)['images'].numpy()"""


def write(directory, signatures, networks):
    """Writes a SavedModel of Signatures; networks: all whose variables they read."""
    module = tf.Module()
    module.network_variables = [variable for network in networks
                                for variable in named_variables(network).values()]
    tf.saved_model.save(module, directory, signatures={
        signature.name: compiled(signature).get_concrete_function() for signature in signatures})
