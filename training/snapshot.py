"""Network files: write them, read them, never execute anything from them.

A network file is a safetensors file: the variables of G, D and Gs under the reference's names with
the prefixes `G/`, `D/`, `Gs/`, and as metadata the configs (JSON), kimg and lod. Files of the
reference itself (pickles) are read too, through `training.reference`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy

from formats.file_kind import NETWORK_SUFFIX
from formats.files import write_atomically
from training import reference
from training.build import architecture_of, build_network
from training.config_json import network_config_from_dict
from training.layers import named_variables, shapes_only

FORMAT = 'stylegan-tf2-networks-1'


class Snapshot(NamedTuple):
    """What a network file holds. G and D are None in a file for generating only."""
    G: Any
    D: Any
    Gs: Any
    kimg: float  # thousands of images shown in training
    lod: float   # level of detail that training was at


def save(path, G, D, Gs, kimg=0.0, lod=0.0, notes=None):
    """Writes a network file atomically: beside the target, then renamed.

    Args:
        G, D: may be None together, for a small file that can generate but not be trained on.
        notes: further metadata, {str: str} (source, licence).
    Raises:
        ValueError: a weight is not finite. OSError: the disk is full; what was there stays.
    """
    arrays = {}
    for prefix, network in (('G', G), ('D', D), ('Gs', Gs)):
        if network is not None:
            arrays.update({f'{prefix}/{name}': np.ascontiguousarray(array) for name, array
                           in reference.variables(network).items()})
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f'{path}: not written, because weights are not finite: '
                         f'{", ".join(broken[:5])}. Go on from an earlier checkpoint.')
    metadata = dict(notes or {})
    metadata.update(format=FORMAT, architecture=architecture_of(Gs.config), kimg=repr(float(kimg)),
                    lod=repr(float(lod)), G_config=json.dumps(dataclasses.asdict(Gs.config)))
    if D is not None:
        metadata['D_config'] = json.dumps(dataclasses.asdict(D.config))
    write_atomically(path, safetensors.numpy.save(arrays, metadata))


def load(path) -> Snapshot:
    """Reads a network file, ours or a pickle of the reference; executes nothing from it.

    Raises:
        ValueError: one line that says what the file is instead, or what in it misfits.
        FileNotFoundError: naming the path.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: there is no such network file.')
    if not path.endswith(NETWORK_SUFFIX):
        networks = reference.load_networks(path)
        if 'Gs' not in networks:
            raise ValueError(f'{path}: holds {" and ".join(networks)} only, no generator.')
        return Snapshot(networks.get('G'), networks.get('D'), networks['Gs'], kimg=0.0, lod=0.0)
    try:
        with safetensors.safe_open(path, framework='np') as file:
            return _read(path, file)
    except safetensors.SafetensorError as error:
        raise ValueError(f'{path}: not a whole safetensors file ({error}). It may be truncated; '
                         'copy or download it again.') from error


def _read(path, file):
    metadata = file.metadata() or {}
    if metadata.get('format') != FORMAT:
        raise ValueError(f'{path}: a safetensors file, but not of networks of this project (format '
                         f'{metadata.get("format")!r}, expected {FORMAT!r}).')
    try:
        G_config = _config(metadata, 'G')
        D_config = _config(metadata, 'D') if 'D_config' in metadata else None
        kimg, lod = float(metadata['kimg']), float(metadata['lod'])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'{path}: its metadata is damaged or of another version ({error}).'
                         ) from error
    if not (math.isfinite(kimg) and math.isfinite(lod)):
        raise ValueError(f'{path}: its metadata is damaged: kimg {kimg}, lod {lod}.')
    configs = {'Gs': G_config}
    if D_config is not None:
        configs.update(G=G_config, D=D_config)
    _check_tensors(path, file, configs)
    networks = {part: build_network(config) for part, config in configs.items()}
    for part, network in networks.items():
        reference.assign(network, {name: file.get_tensor(f'{part}/{name}')
                                   for name in named_variables(network)})
    return Snapshot(networks.get('G'), networks.get('D'), networks['Gs'], kimg, lod)


def _config(metadata, part):
    fields = json.loads(metadata[f'{part}_config'])
    return network_config_from_dict(metadata['architecture'], part, fields)


def _check_tensors(path, file, configs):
    """Names, shapes and types against the configs, before memory is taken for any network."""
    expected = {}
    for part, config in configs.items():
        with shapes_only():
            network = build_network(config)
            expected.update({f'{part}/{name}': tuple(variable.shape)
                             for name, variable in named_variables(network).items()})
    found = {name: (tuple(file.get_slice(name).get_shape()), file.get_slice(name).get_dtype())
             for name in file.keys()}
    wrong = [name for name, shape in expected.items() if found.get(name) != (shape, 'F32')]
    wrong += sorted(set(found) - set(expected))
    if wrong:
        name = wrong[0]
        raise ValueError(f'{path}: {len(wrong)} of its tensors do not fit its configs, {name} for '
                         f'one: expected {expected.get(name, "none")}, found '
                         f'{found.get(name, "none")}.')
