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

from formats import tensor_file
from formats.file_kind import NETWORK_SUFFIX
from training import reference
from training.build import architecture_of, build_network
from training.config_json import network_config_from_dict
from training.layers import named_variables, shapes_only

FORMAT = 'stylegan-tf2-networks-1'
BESIDE = 'beside/'  # what names of tensors begin with that no network reads


class Snapshot(NamedTuple):
    """What a network file holds. G and D are None in a file for generating only."""
    G: Any
    D: Any
    Gs: Any
    kimg: float  # thousands of images shown in training
    lod: float   # level of detail that training was at


def save(path, G, D, Gs, kimg=0.0, lod=0.0, notes=None, beside=None):
    """Writes a network file atomically: beside the target, then renamed.

    Args:
        G, D: may be None together, for a small file that can generate but not be trained on.
        notes: further metadata, {str: str} (source, licence).
        beside: further tensors, {name: float32 array}, for `read_beside`.
    Raises:
        ValueError: a weight is not finite. OSError: the disk is full; what was there stays.
    """
    arrays = {f'{prefix}/{name}': array
              for prefix, network in (('G', G), ('D', D), ('Gs', Gs)) if network is not None
              for name, array in reference.variables(network).items()}
    arrays.update({f'{BESIDE}{name}': array for name, array in (beside or {}).items()})
    metadata = dict(notes or {})
    metadata.update(format=FORMAT, architecture=architecture_of(Gs.config), kimg=repr(float(kimg)),
                    lod=repr(float(lod)), G_config=json.dumps(dataclasses.asdict(Gs.config)))
    if D is not None:
        metadata['D_config'] = json.dumps(dataclasses.asdict(D.config))
    tensor_file.write(path, arrays, metadata)


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
    with tensor_file.opened(path, FORMAT) as (file, metadata):
        return _read(path, file, metadata)


def read_beside(path):
    """{name: array} that `save` was given as `beside`; empty for a pickle of the reference."""
    if not os.fspath(path).endswith(NETWORK_SUFFIX):
        return {}
    with tensor_file.opened(path, FORMAT) as (file, _):
        return {name[len(BESIDE):]: file.get_tensor(name) for name in file.keys()
                if name.startswith(BESIDE)}


def read_metadata(path):
    """{str: str}: the metadata of a network file; empty for a pickle of the reference."""
    if not os.fspath(path).endswith(NETWORK_SUFFIX):
        return {}
    with tensor_file.opened(path, FORMAT) as (_, metadata):
        return metadata


def _read(path, file, metadata):
    with tensor_file.reading_metadata(path):
        G_config = _config(metadata, 'G')
        D_config = _config(metadata, 'D') if 'D_config' in metadata else None
        kimg, lod = float(metadata['kimg']), float(metadata['lod'])
    if not (math.isfinite(kimg) and math.isfinite(lod)):
        raise ValueError(f'{path}: its metadata is damaged: kimg {kimg}, lod {lod}.')
    configs = {'Gs': G_config}
    if D_config is not None:
        configs.update(G=G_config, D=D_config)
    with shapes_only():
        tensor_file.check_tensors(path, file, {
            f'{part}/{name}': shape for part, config in configs.items()
            for name, shape in reference.shapes_of(build_network(config)).items()}, BESIDE)
    networks = {part: build_network(config) for part, config in configs.items()}
    for part, network in networks.items():
        reference.assign(network, {name: file.get_tensor(f'{part}/{name}')
                                   for name in named_variables(network)})
    return Snapshot(networks.get('G'), networks.get('D'), networks['Gs'], kimg, lod)


def _config(metadata, part):
    fields = json.loads(metadata[f'{part}_config'])
    return network_config_from_dict(metadata['architecture'], part, fields)
