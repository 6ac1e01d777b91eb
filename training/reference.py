"""Networks in the reference's own form: variables under its names, and its pickles."""

from __future__ import annotations

import re
import reprlib

import numpy as np

from formats.network_states import NetworkState, read_states
from training.build import ARCHITECTURES, build_network
from training.field_types import field_types
from training.layers import named_variables, shapes_only

ROLES = ('G', 'D', 'Gs')
CONFIGS = {builder: config for architecture in ARCHITECTURES.values()  # {build function: config}
           for builder, config in zip(architecture.builders, architecture.configs)}
STYLEGAN2_BUILDERS = ('G_main', 'D_stylegan2')
STYLEGAN2_VARIABLES = {'mod_weight', 'resample_kernel'}
NEWEST_VERSION = 3     # of the state: 4 is StyleGAN2's
MAX_INTEGER = 2 ** 20  # in static_kwargs
MAX_FLOAT = 64
MAX_TAPS = 64          # of a blur filter


def without_lod(arrays):
    """Drops the reference's `lod` variables (`lod`, `G_synthesis/lod`): here lod is an argument."""
    return {name: array for name, array in arrays.items() if name.split('/')[-1] != 'lod'}


def check_fit(expected, received):
    """Raises one ValueError with every name and shape that differs.

    Args:
        expected: {name: shape} of the network.
        received: {name: shape} of the arrays that are to go into it.
    """
    problems = [f'{name} {list(shape)} is missing' if name not in received else
                f'{name} must be {list(shape)}, received {list(received[name])}'
                for name, shape in expected.items()
                if name not in received or tuple(received[name]) != tuple(shape)]
    problems += [f'{name} {list(shape)} has no place in it'
                 for name, shape in received.items() if name not in expected]
    if problems:
        raise ValueError(f'{len(problems)} of the variables do not fit the network: '
                         f'{"; ".join(problems)}. Its configuration must match the arrays.')


def shapes_of(network):
    """{reference name: shape as a list} of all variables of `network`."""
    return {name: variable.shape.as_list() for name, variable in named_variables(network).items()}


def variables(network):
    """{reference name: float32 array in the reference's layout} of all variables of `network`."""
    return {name: variable.numpy() for name, variable in named_variables(network).items()}


def assign(network, arrays):
    """Sets all variables of `network`.

    Args:
        arrays: {reference name: array}, complete; `lod` variables are dropped. ValueError lists
            all names and shapes that do not fit, and nothing is assigned then.
    """
    targets, arrays = named_variables(network), without_lod(arrays)
    check_fit(shapes_of(network), {name: np.shape(array) for name, array in arrays.items()})
    for name, variable in targets.items():
        variable.assign(np.asarray(arrays[name], np.float32))


def _check_generation(state):
    """ValueError for what is no network of StyleGAN 1 or ProGAN."""
    suffixes = {name.split('/')[-1] for name in state.variables}
    if state.version > NEWEST_VERSION or state.build_func_name in STYLEGAN2_BUILDERS or \
            suffixes & STYLEGAN2_VARIABLES:
        raise ValueError(f'this is a StyleGAN2 network (built by {state.build_func_name!r:.60}, '
                         f'state version {state.version}); this program is StyleGAN 1 and ProGAN')
    if state.build_func_name not in CONFIGS:
        raise ValueError(f'network {state.name!r:.40} is built by {state.build_func_name!r:.60}, '
                         f'which must be one of {", ".join(CONFIGS)}')


def _size(shapes, name, axis):
    """Dimension `axis` of the variable `name`; None where it isn't there."""
    shape = shapes.get(name, ())
    return int(shape[axis]) if axis < len(shape) else None


def _sizes_of_mapping(shapes):
    """Fields of a GeneratorConfig, from {variable name: shape}."""
    layers = sum(bool(re.fullmatch(r'G_mapping/Dense\d+/weight', name)) for name in shapes)
    label_size = _size(shapes, 'G_mapping/LabelConcat/weight', 0)
    first = 'G_mapping/Dense0/weight' if layers else 'dlatent_avg'
    return {'mapping_layers': layers,
            'mapping_fmaps': _size(shapes, first, 1) if layers > 1 else None,
            'label_size': label_size or 0,
            'latent_size': (_size(shapes, first, 0) if label_size is None else
                            _size(shapes, 'G_mapping/LabelConcat/weight', 1)),
            'dlatent_size': _size(shapes, 'dlatent_avg', 0)}


def _sizes_of_variables(state):
    """The fields of a config that the variables' names and shapes tell by themselves."""
    shapes = {name.replace('G_synthesis/', ''): array.shape
              for name, array in state.variables.items()}
    blocks = [re.match(r'(\d{1,5})x\1/', name) for name in shapes]
    sizes = {'resolution': max((int(block.group(1)) for block in blocks if block), default=None)}
    builder = state.build_func_name
    if builder.startswith('G_'):
        sizes['num_channels'] = _size(shapes, 'ToRGB_lod0/bias', 0)
    else:
        sizes['num_channels'] = _size(shapes, 'FromRGB_lod0/weight', 2)
    if builder == 'G_style':
        sizes.update(_sizes_of_mapping(shapes))
    scores = _size(shapes, '4x4/Dense1/bias', 0)
    if builder == 'D_basic' and scores != 1:  # 1: no labels, or labels of one component
        sizes['label_size'] = scores
    inputs, labels = _size(shapes, '4x4/Dense/weight', 0), state.static_kwargs.get('label_size', 0)
    if builder == 'G_paper' and inputs is not None and isinstance(labels, int):
        sizes['latent_size'] = inputs - labels
    return {field: size for field, size in sizes.items() if size is not None}


def _checked_kwarg(name, kind, value):
    """A static kwarg as a field of this FieldType takes it; ValueError for nonsense."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    parts = value if isinstance(value, (tuple, list)) else [value]
    numbers = [part for part in parts if part is not None and not isinstance(part, str)]
    if not (isinstance(value, kind.kwarg) and len(parts) <= MAX_TAPS
            and all(isinstance(number, (int, float)) for number in numbers)
            and all(abs(number) <= (MAX_INTEGER if isinstance(number, int) else MAX_FLOAT)
                    for number in numbers)):
        raise ValueError(f'its static_kwargs must hold a sensible {name}; received '
                         f'{reprlib.repr(value)}')
    return value


def config_of(state: NetworkState):
    """The config of a network in a pickle: its static_kwargs, and the rest from its variables.

    Arguments that the reference's builders ignore, or that belong to a call here
    (randomize_noise, dlatent_broadcast, ...), are ignored. A truncation_cutoff of None becomes 0:
    the reference's G_style then truncates nothing, where None is all layers here.
    """
    _check_generation(state)
    given = {}
    for part in [*state.components.values(), state]:
        given.update(part.static_kwargs)
    sizes = _sizes_of_variables(state)
    fields = dict(sizes)
    config_class = CONFIGS[state.build_func_name]
    for name, kind in field_types(config_class).items():
        means_default = given.get(name) is None and not kind.may_be_none
        if name in given and not means_default:
            fields[name] = _checked_kwarg(name, kind, given[name])
    if fields.get('truncation_cutoff', 0) is None:
        fields['truncation_cutoff'] = 0
    wrong = [f'{name} {fields[name]} where its variables say {size}'
             for name, size in sizes.items() if fields[name] != size]
    if wrong:
        raise ValueError(f'network {state.name!r:.40}: its static_kwargs say {"; ".join(wrong)}')
    return config_class(**fields)


def network_of(state):
    """NetworkState -> network, with the file's weights."""
    network_config = config_of(state)
    try:
        with shapes_only():
            expected = shapes_of(build_network(network_config))
        check_fit(expected, {name: array.shape
                             for name, array in without_lod(state.variables).items()})
    except ValueError as error:
        raise ValueError(f'network {state.name!r:.40}: {error}') from None
    network = build_network(network_config)
    assign(network, state.variables)
    return network


def _roles(states):
    """Which of G, D and Gs each state is: by name, or by place in a triple."""
    names = [state.name for state in states]
    if len(states) == 1:
        roles = ['D' if states[0].build_func_name.startswith('D_') else 'Gs']
    elif len(set(names)) == len(names) and set(names) <= set(ROLES):
        roles = names
    elif len(states) == 3:
        roles = list(ROLES)
    else:
        raise ValueError(f'must hold G, D and Gs, or some of them under these names; received '
                         f'{reprlib.repr(names)}')
    for role, state in zip(roles, states):
        if state.build_func_name.startswith('D_') != (role == 'D'):
            raise ValueError(f'{role} must not be built by {state.build_func_name!r:.60}; the '
                             'networks must be in the order G, D, Gs')
    return roles


def networks_of(states, path):
    """{'G': ..., 'D': ..., 'Gs': ...} of the states read from `path`, without what is not there.

    A lone generator is 'Gs', whatever its name: what images are generated with.
    """
    try:
        for state in states:
            _check_generation(state)
        return {role: network_of(state) for role, state in zip(_roles(states), states)}
    except ValueError as error:
        raise ValueError(f'{path}: {str(error).rstrip(".")}.') from None


def load_networks(path):
    """{'G': ..., 'D': ..., 'Gs': ...} of a pickle, without what it does not hold."""
    return networks_of(read_states(path), path)


def load_pickle(path):
    """(G, D, Gs) of a pickle of the reference; ValueError where one of them is not in it."""
    networks = load_networks(path)
    if set(networks) != set(ROLES):
        held = ' and '.join(networks)
        abilities = 'can generate' if 'Gs' in networks else 'cannot generate'
        raise ValueError(f'{path}: {held} only: {abilities}, cannot resume training; take a file '
                         'that holds G, D and Gs.')
    return tuple(networks[role] for role in ROLES)
