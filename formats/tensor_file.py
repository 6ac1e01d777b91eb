"""Tensor files: arrays by name and metadata, as safetensors; nothing in them is ever executed."""

from __future__ import annotations

import contextlib

import numpy as np
import safetensors
import safetensors.numpy

from formats.files import write_atomically

FORMATS = {  # {metadata['format']: what is in such a file, and who takes it}
    'stylegan-tf2-networks-1': 'a StyleGAN or ProGAN network, which generate.py takes',
    'stylegan-tf2-directions-1': 'directions in w, which edit.py apply takes',
    'stylegan-tf2-planes-1': 'planes of linear separability, which edit.py directions --from_ls '
                             'takes',
    'stylegan-tf2-translation-1': 'a translation network (StarGAN v2), which translate.py takes'}


def write(path, arrays, metadata):
    """Writes a tensor file atomically: beside the target, then renamed.

    Args:
        arrays: {name: float32 array}.
        metadata: {str: str}; 'format' is one of FORMATS.
    Raises:
        ValueError: a weight is not finite. OSError: the disk is full; what was there stays.
    """
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f'{path}: not written, because weights are not finite: '
                         f'{", ".join(broken[:5])}. Go on from an earlier checkpoint.')
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, safetensors.numpy.save(arrays, metadata))


@contextlib.contextmanager
def opened(path, wanted):
    """Gives (file, metadata) of the tensor file `path`, whose format must be `wanted`.

    Raises:
        ValueError: one line that says what the file is instead, and who takes it.
    """
    try:
        with safetensors.safe_open(path, framework='np') as file:
            metadata = file.metadata() or {}
            found = metadata.get('format')
            if found != wanted and found in FORMATS:
                raise ValueError(f'{path}: this is {FORMATS[found]}; here it must be '
                                 f'{FORMATS[wanted]}.')
            if found != wanted:
                raise ValueError(f'{path}: a safetensors file, but not of networks of this project '
                                 f'(format {found!r}, expected {wanted!r}).')
            yield file, metadata
    except safetensors.SafetensorError as error:
        raise ValueError(f'{path}: not a whole safetensors file ({error}). It may be truncated; '
                         'copy or download it again.') from error


def format_of(path):
    """The format that the metadata of the file `path` names; None where it is no tensor file."""
    try:
        with safetensors.safe_open(path, framework='np') as file:
            return (file.metadata() or {}).get('format')
    except (safetensors.SafetensorError, OSError):
        return None


@contextlib.contextmanager
def reading_metadata(path):
    """Turns what reading metadata raises, where they are not as expected, into one ValueError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'{path}: its metadata is damaged or of another version ({error}).'
                         ) from error


def check_tensors(path, file, expected, beside=None):
    """ValueError unless the file holds tensors of exactly these names and shapes, all float32.

    Reads no numbers, so that a wrong file takes no memory.

    Args:
        expected: {name: shape}.
        beside: what names of further tensors begin with; None = there must be no others.
    """
    found = {name: (tuple(file.get_slice(name).get_shape()), file.get_slice(name).get_dtype())
             for name in file.keys() if beside is None or not name.startswith(beside)}
    expected = {name: tuple(shape) for name, shape in expected.items()}
    wrong = [name for name, shape in expected.items() if found.get(name) != (shape, 'F32')]
    wrong += sorted(set(found) - set(expected))
    if wrong:
        name = wrong[0]
        raise ValueError(f'{path}: {len(wrong)} of its tensors do not fit its configs, {name} for '
                         f'one: expected {expected.get(name, "none")}, found '
                         f'{found.get(name, "none")}.')
