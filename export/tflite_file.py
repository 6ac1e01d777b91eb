"""TensorFlow Lite: a file for each function, for phones and small computers."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from export import saved_model
from formats.files import write_atomically

QUANTIZE = ('none', 'float16', 'int8')
TITLE = 'TensorFlow Lite'
WORDS = ('Needs LiteRT (pip install ai-edge-litert) and NumPy only. Each function is a file of its '
         'own.')
LINES = """\
import numpy
from ai_edge_litert.interpreter import Interpreter
inputs = INPUTS
run = Interpreter('z_to_image.tflite').get_signature_runner('z_to_image')
images = run(**inputs)['images']"""


def write(directory, signatures, networks, about, quantize='none'):
    """Writes NAME.tflite for each Signature; about: metadata, ready for JSON.

    quantize: how weights are kept. 'none' = float32; 'float16'; 'int8' = as bytes, with a scale
        for each matrix or channel, while activations stay float32.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved_model.write(folder, signatures, networks)
        for signature in signatures:
            data = _converted(folder, signature.name, quantize)
            write_atomically(os.path.join(directory, f'{signature.name}.tflite'),
                             _with_metadata(data, json.dumps(about)))


def _converted(folder, name, quantize):
    """The bytes of one function of a SavedModel as a TensorFlow Lite file."""
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
    if quantize != 'none':
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == 'float16':
        converter.target_spec.supported_types = [tf.float16]
    with _without_greetings():
        return converter.convert()


@contextlib.contextmanager
def _without_greetings():
    """Keeps off stderr what the converter says there, past Python: lists of operations."""
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def _with_metadata(data, text):
    """A TensorFlow Lite file with the metadata `about`: a text."""
    model = flatbuffer_utils.convert_bytearray_to_object(data)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry.name, entry.buffer = 'about', len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
