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
            model = flatbuffer_utils.convert_bytearray_to_object(
                _converted(folder, signature.name, quantize))
            if quantize == 'int8':
                _compute_in_float32(model)
            _add_metadata(model, json.dumps(about))
            write_atomically(os.path.join(directory, f'{signature.name}.tflite'),
                             bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


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


def _add_metadata(model, text):
    """Adds the metadata `about`: a text."""
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry.name, entry.buffer = 'about', len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


def _compute_in_float32(model):
    """Has weights that are kept as bytes turned into float32 when the file is loaded.

    As the converter leaves them, activations are rounded to bytes for each operation too: half as
    much error again, and transposed convolutions have no fast kernel for it.
    """
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 5    # the first one with a scale for each channel
    model.operatorCodes.append(code)
    for graph in model.subgraphs:
        floats = {}     # {bytes: what is made of them}, as numbers of tensors
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode == code.builtinCode:
                continue   # the converter of TensorFlow 2.15 does this to some of them
            for index in set(operator.inputs) - {-1} - set(floats):
                if _is_bytes(model, graph.tensors[index]):
                    floats[index] = _add_float32(graph, index)
            operator.inputs = [floats.get(index, index) for index in operator.inputs]
        graph.operators = [*(_dequantize(len(model.operatorCodes) - 1, index, result)
                             for index, result in floats.items()), *graph.operators]


def _is_bytes(model, tensor):
    return tensor.type == schema.TensorType.INT8 and model.buffers[tensor.buffer].data is not None


def _add_float32(graph, index):
    """The number of a new tensor: what the bytes `index` stand for."""
    tensor = schema.TensorT()
    tensor.name = graph.tensors[index].name + b'/float32'
    tensor.shape, tensor.type = graph.tensors[index].shape, schema.TensorType.FLOAT32
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _dequantize(code, index, result):
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [index], [result]
    return operator
