"""ONNX: a file for each function, for ONNX Runtime and whatever else reads ONNX."""

from __future__ import annotations

import json
import logging
import os

from export.signatures import compiled
from formats.files import write_atomically

OPSET = 18
TITLE = f'ONNX, opset {OPSET}'
WORDS = 'Needs ONNX Runtime and NumPy only. Each function is a file of its own.'
LINES = """\
import numpy, onnxruntime
session = onnxruntime.InferenceSession('z_to_image.onnx')
inputs = INPUTS
[images] = session.run(['images'], inputs)"""


def write(directory, signatures, about):
    """Writes NAME.onnx for each Signature; about: metadata, ready for JSON."""
    for signature in signatures:
        write_atomically(os.path.join(directory, f'{signature.name}.onnx'),
                         _model(signature, about).SerializeToString())


def _model(signature, about):
    """The checked onnx.ModelProto of a Signature."""
    import onnx
    model = _converted(signature)
    words = {value.name: value.words for value in [*signature.inputs, signature.output]}
    for value in [*model.graph.input, *model.graph.output]:
        value.doc_string = words[value.name]
    model.doc_string = signature.words
    onnx.helper.set_model_props(model, {'about': json.dumps(about)})
    onnx.checker.check_model(model, full_check=True)
    return model


def _converted(signature):
    """The onnx.ModelProto, as the converter makes it; errors come as exceptions, not as logs."""
    import tf2onnx
    function = compiled(signature)
    logging.disable(logging.CRITICAL)
    try:
        return tf2onnx.convert.from_function(function, function.input_signature, opset=OPSET)[0]
    finally:
        logging.disable(logging.NOTSET)
