"""The one table of forms in which networks are exported. A new one is a file and a row."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Callable, NamedTuple

from export import about, onnx_file, saved_model, tflite_file, torch_checkpoint
from formats import folders

REQUIREMENTS = 'requirements-export.txt'


class Form(NamedTuple):
    """One form: what its README says, and what writes it."""
    title: str
    words: str
    lines: str                 # Python that loads and runs one, see about.example
    needs: tuple[str, ...]     # modules of REQUIREMENTS
    write: Callable            # (directory, signatures, networks, content, quantize)


FORMS = {
    'savedmodel': Form(saved_model.TITLE, saved_model.WORDS, saved_model.LINES, (),
                       lambda directory, signatures, networks, content, quantize:
                       saved_model.write(directory, signatures, networks)),
    'onnx': Form(onnx_file.TITLE, onnx_file.WORDS, onnx_file.LINES, ('tf2onnx', 'onnx'),
                 lambda directory, signatures, networks, content, quantize:
                 onnx_file.write(directory, signatures, content)),
    'tflite': Form(tflite_file.TITLE, tflite_file.WORDS, tflite_file.LINES, (), tflite_file.write)}


def check_installed(name):
    """ValueError, with the command that installs it, where a form needs what is not there."""
    missing = [module for module in FORMS[name].needs if not importlib.util.find_spec(module)]
    if missing:
        raise ValueError(f'--format={name}: needs {" and ".join(missing)}, which is not installed: '
                         f'{sys.executable} -m pip install -r {REQUIREMENTS}')


def export(directory, name, signatures, networks, content, quantize='none', overwrite=False):
    """Writes an export with its README.md, completely or not at all.

    Args:
        directory: new, or an export to be replaced if `overwrite`.
        name: in FORMS.
        signatures: of export.signatures; the first one is the README's example.
        networks: all whose variables the signatures read.
        content: as from `about.about`.
        quantize: how TensorFlow Lite keeps weights, see tflite_file.write.
    Raises:
        ValueError: with the converter's own words, where it has no counterpart for an operation.
    """
    form = FORMS[name]
    with folders.replacing(directory, overwrite, about.FOLDER) as temporary:
        try:
            form.write(temporary, signatures, networks, content, quantize)
        except OSError:
            raise
        except Exception as error:   # converters raise what they like
            first = [*str(error).strip().splitlines(), type(error).__name__][0]
            raise ValueError(f'--format={name}: the converter refuses this network: '
                             f'{first}') from error
        about.write(temporary, content, form.title, form.words, form.lines, signatures)


def export_weights(directory, networks, content, kimg, lod, exact, overwrite=False):
    """Writes a checkpoint of the PyTorch port with its README.md, completely or not at all.

    Args:
        networks, kimg, lod, exact: as torch_checkpoint.save takes them.
    Returns:
        {part: why (str) it cannot be in such a file} of what was left out.
    """
    with folders.replacing(directory, overwrite, about.FOLDER) as temporary:
        left_out = torch_checkpoint.save(os.path.join(temporary, torch_checkpoint.FILE), networks,
                                         kimg, lod, exact)
        about.write(temporary, content, torch_checkpoint.TITLE, torch_checkpoint.WORDS,
                    torch_checkpoint.LINES)
    return left_out
