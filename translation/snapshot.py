"""Network files of translation: write them, read them, never execute anything from them.

Such a file is a safetensors file: the variables of the averages Gs, Fs and Es, and of G, F, E and D
where it can be trained on, under the official names and in PyTorch's layouts with the prefixes
`Gs/`, `Fs/`, ...; as metadata the config (JSON), the domains, kimg and the iteration. The files
that StarGAN v2's authors published (`100000_nets_ema.ckpt`) are read too.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from typing import Any, NamedTuple

import numpy as np

from formats import tensor_file
from formats.file_kind import NETWORK_SUFFIX, is_torch
from formats.torch_file import read_state_dicts
from training.config import MAX_RESOLUTION
from training.config_json import config_from_dict
from training.layers import shapes_only
from translation import reference
from translation.config import TranslationConfig
from translation.networks import Discriminator, Generator, MappingNetwork, StyleEncoder

FORMAT = 'stylegan-tf2-translation-1'
NETWORKS = {'G': Generator, 'F': MappingNetwork, 'E': StyleEncoder, 'D': Discriminator,
            'Gs': Generator, 'Fs': MappingNetwork, 'Es': StyleEncoder}
AVERAGES = ('Gs', 'Fs', 'Es')
TRAINED = ('G', 'F', 'E', 'D')
OFFICIAL = {'generator': 'Gs', 'mapping_network': 'Fs', 'style_encoder': 'Es'}
PUBLISHED_DOMAINS = {(3, False): ('cat', 'dog', 'wild'),  # {(domains, high-pass): names}
                     (2, True): ('female', 'male')}


class Snapshot(NamedTuple):
    """What a network file holds. G, F, E and D are None in a file for translating only."""
    config: TranslationConfig
    domains: tuple[str, ...]  # name of domain 0, 1, ...
    Gs: Any
    Fs: Any
    Es: Any
    G: Any
    F: Any
    E: Any
    D: Any
    kimg: float               # thousands of source images shown in training
    iteration: int            # of training


def save(path, networks, domains, kimg=0.0, iteration=0, for_training=True, notes=None):
    """Writes a network file atomically: beside the target, then renamed.

    Args:
        networks: what has .config, .Gs, .Fs, .Es, and .G, .F, .E, .D (all of these or none): a
            TranslationState or a Snapshot.
        domains: names, as many as the config says.
        for_training: False = leave out G, F, E and D: half the size, and it cannot be trained on.
        notes: further metadata, {str: str} (source, licence).
    Raises:
        ValueError: a weight is not finite. OSError: the disk is full; what was there stays.
    """
    config = networks.config
    parts = [*AVERAGES, *(TRAINED if for_training and networks.D is not None else ())]
    arrays = {f'{part}/{name}': array for part in parts
              for name, array in reference.variables(getattr(networks, part)).items()}
    metadata = {**(notes or {}), 'format': FORMAT, 'kimg': repr(float(kimg)),
                'iteration': str(int(iteration)),
                'domains': json.dumps(_checked_domains(domains, config)),
                'config': json.dumps(dataclasses.asdict(config))}
    tensor_file.write(path, arrays, metadata)


def _checked_domains(domains, config):
    domains = list(domains)
    if (len(set(map(str, domains))) != len(domains) or len(domains) != config.num_domains
            or not all(isinstance(domain, str) and domain for domain in domains)):
        raise ValueError(f'domains must be {config.num_domains} different names, as num_domains '
                         f'says; received {domains}')
    return domains


def _is_ours(path):
    """Whether the file has the name of this project's, not of an official one."""
    return os.fspath(path).endswith(NETWORK_SUFFIX)


def load(path, averages_only=False) -> Snapshot:
    """Reads a network file, ours or an official one; executes nothing from it.

    Args:
        averages_only: leave out G, F, E and D, which only training needs.
    Raises:
        ValueError: one line that says what the file is instead, or what in it misfits.
        FileNotFoundError: naming the path.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path}: there is no such network file.')
    if _is_ours(path):
        with tensor_file.opened(path, FORMAT) as (file, metadata):
            return _read(path, file, metadata, averages_only)
    if is_torch(path):
        return _read_official(path)
    raise ValueError(f'{path}: must be a translation network, a {NETWORK_SUFFIX} file of '
                     'train_translation.py or a .ckpt of StarGAN v2; this is neither. Pickles are '
                     'of StyleGAN, which generate.py takes.')


def load_to_train_on(path) -> Snapshot:
    """Reads a network file as `load`; ValueError where it lacks what training needs."""
    loaded = load(path)
    if loaded.D is None:
        why = ('' if _is_ours(path) else 'the authors published the averages alone, no '
               'discriminator and no optimizer; ')
        raise ValueError(f'{path}: holds networks to translate with, but training needs G, F, E '
                         f'and D too: {why}take a file that train_translation.py wrote to be '
                         'trained on, or start anew.')
    return loaded


def is_translation(path):
    """Whether the file at `path` looks like a translation network: by its first bytes only."""
    if _is_ours(path):
        return tensor_file.format_of(path) == FORMAT
    return os.path.isfile(path) and is_torch(path)


def _without_memory(config, parts):
    """{part: network that has shapes in place of variables}, to check a file against."""
    with shapes_only():
        networks = {kind: kind(config) for kind in {NETWORKS[part] for part in parts}}
    return {part: networks[NETWORKS[part]] for part in parts}


def _snapshot(config, domains, networks, kimg, iteration):
    return Snapshot(config, tuple(domains), **{part: networks.get(part) for part in NETWORKS},
                    kimg=kimg, iteration=iteration)


# This project's files

def _read(path, file, metadata, averages_only):
    with tensor_file.reading_metadata(path):
        config = config_from_dict(TranslationConfig, json.loads(metadata['config']))
        domains = _checked_domains(json.loads(metadata['domains']), config)
        kimg, iteration = float(metadata['kimg']), int(metadata['iteration'])
    if not math.isfinite(kimg) or iteration < 0:
        raise ValueError(f'{path}: its metadata is damaged: kimg {kimg}, iteration {iteration}.')
    parts = [*AVERAGES, *(TRAINED if any(name.startswith('D/') for name in file.keys()) else ())]
    tensor_file.check_tensors(path, file, {
        f'{part}/{name}': shape for part, network in _without_memory(config, parts).items()
        for name, shape in reference.shapes_of(network).items()})
    networks = {part: NETWORKS[part](config) for part in (AVERAGES if averages_only else parts)}
    for part, network in networks.items():
        reference.assign(network, {name: file.get_tensor(f'{part}/{name}')
                                   for name in reference.shapes_of(network)})
    return _snapshot(config, domains, networks, kimg, iteration)


# Official files

def _read_official(path):
    """Averages of a file of the authors: state dicts under the names of OFFICIAL."""
    states = read_state_dicts(path, OFFICIAL)
    missing = [name for name in OFFICIAL if name not in states]
    if missing:
        raise ValueError(f'{path}: a PyTorch file without {" and ".join(missing)}; a network of '
                         f'StarGAN v2 has {", ".join(OFFICIAL)}.')
    arrays = {part: states[name] for name, part in OFFICIAL.items()}
    try:
        config = _config_of_arrays(**arrays)
        for part, network in _without_memory(config, AVERAGES).items():
            reference.check_fit(network, {name: array.shape
                                          for name, array in arrays[part].items()})
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f'{path}: not a network of StarGAN v2, or one of another shape: '
                         f'{error}') from error
    broken = [f'{name}.{entry}' for name, state in states.items()
              for entry, array in state.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f'{path}: weights are not finite, {broken[0]} for one. Download it again.')
    networks = {part: NETWORKS[part](config) for part in AVERAGES}
    for part, network in networks.items():
        reference.assign(network, arrays[part])
    return _snapshot(config, _usual_domains(config), networks, kimg=0.0, iteration=0)


def _config_of_arrays(Gs, Fs, Es):
    """The config that the names and shapes tell; losses and rates are the defaults."""
    matches = (re.fullmatch(r'shared\.(\d{1,2})\.weight', name) for name in Es)
    last = max((int(match[1]) for match in matches if match), default=0)
    if not 4 <= last <= MAX_RESOLUTION.bit_length() - 1:
        raise ValueError(f'its style encoder must be for images of 16 to {MAX_RESOLUTION} pixels; '
                         f'received one for 2**{last}')
    img_size = 2 ** last
    hidden_dim, latent_dim = Fs['shared.0.weight'].shape
    w_hpf = -1 / float(Gs['hpf.filter'][0, 0]) if 'hpf.filter' in Gs else 0.0
    return TranslationConfig(
        img_size=img_size, conv_dim_base=Gs['from_rgb.weight'].shape[0] * img_size,
        max_conv_dim=Es[f'shared.{last}.weight'].shape[0], w_hpf=round(w_hpf, 6),
        num_domains=sum(bool(re.fullmatch(r'unshared\.\d+\.weight', name)) for name in Es),
        latent_dim=latent_dim, hidden_dim=hidden_dim,
        style_dim=Es['unshared.0.weight'].shape[0])


def _usual_domains(config):
    """Names for domains that have none in their file: those of the published networks."""
    return PUBLISHED_DOMAINS.get((config.num_domains, config.w_hpf > 0),
                                 tuple(f'domain{k}' for k in range(config.num_domains)))
