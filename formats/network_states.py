"""What a network pickle of the reference holds, as data: names, arguments, variables."""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass

import numpy as np

from formats import file_kind, inert_pickle

MAX_NETWORKS = 16       # in a file, and components in a network
MAX_VARIABLES = 10_000  # of a network: the largest published one has 143
FIRST_BYTES = [pickle.PROTO, pickle.MARK, pickle.GLOBAL, pickle.EMPTY_LIST, pickle.EMPTY_DICT,
               pickle.PERSID]  # protocols 0 and 1 have no PROTO; plain values are no networks
PLAIN_NAME = re.compile(r'[\w/.:-]{0,200}')  # of networks and variables: messages show them


@dataclass(frozen=True)
class NetworkState:
    """One network of a pickle, as the file describes it; nothing of it was executed."""
    name: str                          # 'G', 'D', 'Gs', ...
    version: int                       # of the reference's state format: 1 ProGAN, 2 or 3 StyleGAN
    static_kwargs: dict[str, object]   # what was not default when it was built
    build_func_name: str               # 'G_style', 'D_basic', ...
    build_module_src: str              # the source text in the file: for reading, never run
    variables: dict[str, np.ndarray]   # those of the components included, prefixed with their names
    components: dict[str, NetworkState]


def _part(state, key, kind, owner, default=None):
    """state[key], of type `kind`; `default` where it is not there, None = it must be."""
    value = state.get(key, default)
    if not isinstance(value, kind):
        raise ValueError(f'{owner}: its {key} must be a {kind.__name__}; received '
                         f'{type(value).__name__}')
    return value


def _own_variables(state, owner):
    """{name: array} of the pairs in a state."""
    result = {}
    pairs = _part(state, 'variables', list, owner)
    if len(pairs) > MAX_VARIABLES:
        raise ValueError(f'{owner}: must have at most {MAX_VARIABLES} variables; received '
                         f'{len(pairs)}')
    for pair in pairs:
        if not (type(pair) in (tuple, list) and len(pair) == 2 and isinstance(pair[0], str)
                and PLAIN_NAME.fullmatch(pair[0])
                and isinstance(pair[1], (np.ndarray, np.generic, int, float))):
            raise ValueError(f'{owner}: its variables must be pairs of a name and an array')
        result[pair[0]] = np.asarray(pair[1])
    return result


def _network_state(network, is_component=False):
    """inert_pickle.Network -> NetworkState."""
    state = network.state
    if state is None:
        raise ValueError('a network in it has no state')
    name = _part(state, 'name', str, 'a network')
    owner = f'network {name!r:.40}'
    if not PLAIN_NAME.fullmatch(name):
        raise ValueError(f'{owner}: its name must be of letters, digits and /.:-_ only')
    inner = _part(state, 'components', dict, owner, {})
    if len(inner) > MAX_NETWORKS or (is_component and inner):
        raise ValueError(f'{owner}: must have at most {MAX_NETWORKS} components, and those none; '
                         f'received {len(inner)}')
    own, components = _own_variables(state, owner), {}
    for key, component in inner.items():
        if not isinstance(component, inert_pickle.Network):
            raise ValueError(f'{owner}: its components must be networks; received '
                             f'{type(component).__name__}')
        components[key] = _network_state(component, is_component=True)
        own.update({f'{components[key].name}/{variable}': array
                    for variable, array in components[key].variables.items()})
    return NetworkState(name, _part(state, 'version', int, owner),
                        _part(state, 'static_kwargs', dict, owner),
                        _part(state, 'build_func_name', str, owner),
                        _part(state, 'build_module_src', str, owner, ''), own, components)


def _networks_in(content):
    """The Network objects of what a pickle holds: one, a tuple or list of them, or a dict."""
    if isinstance(content, inert_pickle.Network):
        return [content]
    if isinstance(content, dict):
        content = list(content.values())
    if not isinstance(content, (tuple, list)):
        raise ValueError(f'must hold networks; received a {type(content).__name__}')
    networks = [value for value in content if isinstance(value, inert_pickle.Network)]
    if not 0 < len(networks) <= MAX_NETWORKS:
        raise ValueError(f'must hold 1 to {MAX_NETWORKS} networks; received {len(networks)} among '
                         f'{len(content)} values')
    return networks


def read_states(path):
    """[NetworkState] of the networks in a pickle, in the file's order; executes nothing."""
    verdict = file_kind.not_a_pickle(path)
    if verdict:
        raise ValueError(f'{path}: this is {verdict}.')
    with open(path, 'rb') as file:
        data = file.read()
    if data[:1] not in FIRST_BYTES:
        raise ValueError(f'{path}: not a pickle: it begins with {data[:1]!r}.')
    try:
        return [_network_state(network) for network in _networks_in(inert_pickle.loads(data))]
    except ValueError as error:
        raise ValueError(f'{path}: {error}.') from None
