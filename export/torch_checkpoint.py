"""Checkpoints of the widespread PyTorch port of StyleGAN: read as networks, and written."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, NamedTuple

import numpy as np

from export import torch_layout as layout
from formats import torch_file
from training import reference
from training.build import build_network
from training.config import DiscriminatorConfig, GeneratorConfig
from training.config_json import config_from_dict
from training.networks import use_fused

FILE = 'network.pt'
TITLE = 'a checkpoint of the PyTorch port'
WORDS = """\
Parameters by that port's names, for its own `load_state_dict`: `g_running` (the moving average),
`generator` and `discriminator`. `stylegan_tf2` is what `convert_network.py` needs to give the
network back to the last bit; PyTorch does not read it. That port adds biases before it blurs, and
1e-5 in instance norm: what it draws with a network trained here differs a little, most at the
borders. Needs PyTorch only."""
LINES = """\
import torch
state = torch.load('network.pt')['g_running']
for name, parameter in state.items():
    print(name, tuple(parameter.shape))"""
PARTS = {'g_running': 'Gs', 'generator': 'G', 'discriminator': 'D'}  # {in a file: role}
EXACT = 'stylegan_tf2'   # in a file: variables of ours that its parameters do not give to the bit
EPSILON = 1e-5           # of PyTorch's instance norm
WHOLE_BATCH = 1024       # images, of a group of the minibatch stddev: that port's is the minibatch
AVERAGED = 10_000        # w, whose mean is the average that truncation pulls towards
OTHERS = (  # (what a name in it looks like, what such a file is)
    (r'(g_ema\.)?convs\.\d+\.conv\.weight|conv1\.conv\.modulation', 'StyleGAN2, of PyTorch'),
    (r'(generator\.)?(module\.)?(encode|decode)\.\d+\.', 'StarGAN v2, which translate.py takes'),
    (r'synthesis\.b\d+\.', 'StyleGAN2-ADA or later'))


class Loaded(NamedTuple):
    """What a checkpoint holds."""
    networks: dict[str, Any]         # {role: network}
    kimg: float                      # 0 where the file does not say
    lod: float
    exact: dict[str, np.ndarray]     # {'part/name': array} of the file that the networks do not
    # give to the bit: for `save` to give them back


class Part(NamedTuple):
    """How the parameters of one network in a file correspond to variables here."""
    entries: list
    blurs: dict[str, int]


def _fused_in(config, names):
    """{r: whether the layer that changes the size to or from 2^r pixels is fused in that port}.

    names: of parameters that tell; else it is as in a network with our config.
    """
    found = {}
    for r in range(3, config.resolution_log2 + 1):
        if isinstance(config, GeneratorConfig):
            layer, place = f'{layout.BLOCK}{r - 2}.conv1', 0
        else:
            layer, place = f'progression.{config.resolution_log2 - r}.conv2', 1
        found[r] = (f'{layer}.{place}.weight' in names
                    or f'{layer}.1.conv.weight_orig' not in names
                    and use_fused(config.fused_scale, 2 ** r))
    return found


def _part(config, names):
    """The Part of a config; names: of parameters, which tell what is fused."""
    fused = _fused_in(config, names)
    if isinstance(config, GeneratorConfig):
        return Part(layout.generator_entries(config, fused), layout.generator_blurs(config, fused))
    return Part(layout.discriminator_entries(config, fused), layout.discriminator_blurs(config))


def _states(path):
    """{part: {name: array}} of a checkpoint, or of a generator alone."""
    states = torch_file.read_state_dicts(path, [*PARTS, EXACT])
    if not set(PARTS) & set(states):
        states = {'g_running': torch_file.read_state_dict(path)}
    return {part: {name.removeprefix('module.'): array for name, array in state.items()}
            for part, state in states.items()}


def _check_is_port(states):
    """ValueError that says what the file is instead."""
    state = states.get('g_running', states.get('generator', {}))
    if any(name.startswith(layout.BLOCK) for name in state):
        return
    names = [name for part in states.values() for name in part]
    other = next((words for pattern, words in OTHERS
                  if any(re.match(pattern, name) for name in names)), None)
    first = ', '.join(names[:3]) or 'no tensors'
    raise ValueError(f'a PyTorch file of {other or "another network"}; its names must be those of '
                     f'the StyleGAN port with `generator.progression.*`, received {first}')


def _widths(state, pattern, axis, finest_first=False):
    """Feature maps at 4x4, 8x8, ... of the arrays whose names are `pattern` with a number."""
    found = {int(match[1]): array.shape[axis] for name, array in state.items()
             if (match := re.fullmatch(pattern, name))}
    if not found or set(found) != set(range(len(found))):
        raise ValueError(f'must hold {pattern!r} for 0, 1, 2, ...; received {sorted(found)}')
    return [found[i] for i in sorted(found, reverse=finest_first)]


def _fmaps(widths):
    """{'fmap_base', 'fmap_max'} that give these feature maps at 4x4, 8x8, ..."""
    fmap_max = max(widths)
    base = next((width * 2 ** (i + 1) for i, width in enumerate(widths) if width < fmap_max),
                fmap_max * 2 ** len(widths))
    if [min(base // 2 ** (i + 1), fmap_max) for i in range(len(widths))] != widths:
        raise ValueError(f'its feature maps must be halved from one size to the next, or stay; '
                         f'received {widths}')
    return {'fmap_base': base, 'fmap_max': fmap_max}


def _with_fused_scale(names, config):
    """The config with the fused_scale that these names of parameters tell."""
    fused = _fused_in(config, names)
    fitting = (choice for choice in ('auto', False, True)
               if all(use_fused(choice, 2 ** r) == is_fused for r, is_fused in fused.items()))
    return dataclasses.replace(config, fused_scale=next(fitting, False))   # else kernels are turned


def _generator_config(state, resolution):
    """The config of a generator's state dict, up to a resolution (None = all)."""
    widths = _widths(state, r'generator\.to_rgb\.(\d+)\.conv\.weight_orig', 1)
    _check_resolution(resolution, len(widths))
    blocks = resolution.bit_length() - 2 if resolution else len(widths)
    layers = sorted(int(match[1]) for name in state
                    if (match := re.fullmatch(r'style\.(\d+)\.linear\.weight_orig', name)))
    style = f'{layout.BLOCK}0.adain1.style.linear.weight_orig'
    if not layers or style not in state:
        raise ValueError(f'must hold style.1.linear.weight_orig and {style}')
    first = state[f'style.{layers[0]}.linear.weight_orig'].shape
    return _with_fused_scale(state, GeneratorConfig(
        resolution=2 ** (blocks + 1),
        num_channels=state[f'{layout.STYLE}to_rgb.0.conv.weight_orig'].shape[0],
        latent_size=first[1], mapping_fmaps=first[0], mapping_layers=len(layers),
        dlatent_size=state[style].shape[1], instance_norm_epsilon=EPSILON, bias_before_blur=True,
        truncation_cutoff=None, **_fmaps(widths[:blocks])))


def _check_resolution(resolution, blocks):
    if resolution is not None and resolution not in [2 ** (i + 2) for i in range(blocks)]:
        raise ValueError(f'--resolution={resolution}: must be a power of two within '
                         f'4..{2 ** (blocks + 1)}, which this file has')


def _discriminator_config(state, G_config):
    """(config, the state dict counted from the generator's resolution on)."""
    activated = 'from_rgb.0.0.conv.weight_orig' in state
    pattern = rf'from_rgb\.(\d+){r"[.]0" if activated else ""}\.conv\.weight_orig'
    widths = _widths(state, pattern, 0, finest_first=True)
    surplus = len(widths) - (G_config.resolution_log2 - 1)
    if surplus < 0:
        raise ValueError('its discriminator must have as many sizes as its generator; received '
                         f'{len(widths)} and {G_config.resolution_log2 - 1}')
    own = {}
    for name, array in state.items():
        match = re.fullmatch(r'(from_rgb|progression)\.(\d+)\.(.*)', name)
        if not match:
            own[name] = array
        elif int(match[2]) >= surplus:
            own[f'{match[1]}.{int(match[2]) - surplus}.{match[3]}'] = array
    return _with_fused_scale(own, DiscriminatorConfig(
        resolution=G_config.resolution, num_channels=G_config.num_channels,
        mbstd_group_size=WHOLE_BATCH, widen_first=True, rgb_activation=activated,
        **_fmaps(widths[:G_config.resolution_log2 - 1]))), own


def _without_finer(state, G_config):
    """A generator's state dict without what is behind its resolution."""
    def is_finer(name):
        match = re.match(r'generator\.(progression|to_rgb)\.(\d+)\.', name)
        return match and int(match[2]) > G_config.resolution_log2 - 2
    return {name: array for name, array in state.items() if not is_finer(name)}


def _arrays(network, state):
    """{our name: array} from a state dict of that port; ValueError lists what does not fit."""
    part, shapes = _part(network.config, state), reference.shapes_of(network)
    expected = {entry.torch: layout.torch_shape(entry, tuple(shapes[entry.ours]))
                for entry in part.entries}
    blurs = layout.blur_kernels(part.blurs)
    reference.check_fit({**expected, **{name: array.shape for name, array in blurs.items()}},
                        {name: array.shape for name, array in state.items()})
    for name, array in blurs.items():
        if not np.allclose(array, state[name], atol=1e-6):
            raise ValueError(f'{name} must be the blur (1, 2, 1), normalized')
    return {entry.ours: layout.to_ours(entry, state[entry.torch], shapes[entry.ours])
            for entry in part.entries}


def _network(config, state):
    """A network with the weights of a state dict."""
    network = build_network(config)
    arrays = _arrays(network, state)
    if isinstance(config, GeneratorConfig):
        arrays.update(_of_no_counterpart(config))
    reference.assign(network, arrays)
    if isinstance(config, GeneratorConfig):
        z = np.random.RandomState(0).randn(AVERAGED, config.latent_size).astype(np.float32)
        network.dlatent_avg.assign(np.asarray(network.mapping(z))[:, 0].mean(axis=0))
    return network


def _of_no_counterpart(config):
    """{our name: array} of what that port's generator does not have.

    It draws a noise map for each size; the two layers of a size get the same one here.
    """
    random = np.random.RandomState(0)
    arrays = {'G_synthesis/4x4/Const/bias': np.zeros(config.nf(1)),
              'dlatent_avg': np.zeros(config.dlatent_size)}
    for r in range(2, config.resolution_log2 + 1):
        noise = random.randn(1, 1, 2 ** r, 2 ** r)
        arrays.update({f'G_synthesis/noise{2 * r - 4 + i}': noise for i in range(2)})
    return arrays


def state_dict(network, names=()):
    """{name: float32 array} of a network as that port has it; ValueError where it cannot.

    names: of its parameters, which tell what is fused; else it is as in the network's config.
    """
    config = network.config
    _check_has_counterpart(config)
    part, arrays = _part(config, names), reference.variables(network)
    if isinstance(config, GeneratorConfig):   # what is added first in each case
        const = 'G_synthesis/4x4/Const/const'
        arrays[const] = arrays[const] + arrays['G_synthesis/4x4/Const/bias'].reshape(1, -1, 1, 1)
    return {**{entry.torch: layout.to_torch(entry, arrays[entry.ours]) for entry in part.entries},
            **layout.blur_kernels(part.blurs)}


def _check_has_counterpart(config):
    """ValueError that names what that port does not have."""
    wanted = {'label_size': 0, 'use_wscale': True, 'blur_filter': (1.0, 2.0, 1.0),
              'nonlinearity': 'lrelu'}
    if isinstance(config, GeneratorConfig):
        wanted.update(mapping_nonlinearity='lrelu', normalize_latents=True, use_styles=True,
                      const_input_layer=True, use_noise=True, use_pixel_norm=False,
                      use_instance_norm=True)
    elif isinstance(config, DiscriminatorConfig):
        same = [config.nf(r - 1) for r in range(2, config.resolution_log2 + 1)]
        if not config.widen_first and len(set(same)) > 1:
            raise ValueError('the first convolution of its blocks does not widen them '
                             '(widen_first), as all do there')
        wanted.update(mbstd_num_features=1)
    else:
        raise ValueError('it is a ProGAN network; that port is of StyleGAN')
    wrong = [f'{name} {getattr(config, name)!r}, {value!r} there'
             for name, value in wanted.items() if getattr(config, name) != value]
    if wrong:
        raise ValueError(f'it has {"; ".join(wrong)}')


def _equal(some, others):
    """Whether {name: array} are the same, to the bit."""
    return some.keys() == others.keys() and all(np.array_equal(some[name], others[name])
                                                for name in some)


def _below(owner, arrays):
    """{name: array} of what is called owner/name."""
    return {name.removeprefix(f'{owner}/'): array for name, array in arrays.items()
            if name.startswith(f'{owner}/')}


def _exactly(states, exact):
    """The Loaded of a file that `save` wrote; None where its weights have changed since then."""
    networks = {}
    for part, state in states.items():
        role = PARTS[part]
        config_class = DiscriminatorConfig if role == 'D' else GeneratorConfig
        config = config_from_dict(config_class, json.loads(exact[f'{role}_config']))
        network = build_network(config)
        reference.assign(network, {**_arrays(network, state), **_below(role, exact)})
        if not _equal(state_dict(network, state), state):
            return None
        networks[role] = network
    return Loaded(networks, float(exact['kimg']), float(exact['lod']), {})


def _converted(states, resolution):
    """The Loaded of a file of that port."""
    G_config = _generator_config(next(state for part, state in states.items()
                                      if PARTS[part] != 'D'), resolution)
    networks, exact = {}, {}
    for part, state in states.items():
        if PARTS[part] == 'D':
            config, state = _discriminator_config(state, G_config)
        else:
            config, state = G_config, _without_finer(state, G_config)
        network = networks[PARTS[part]] = _network(config, state)
        back = state_dict(network)
        exact.update({f'{part}/{name}': array for name, array in state.items()
                      if not np.array_equal(array, back.get(name))})
    return Loaded(networks, 0.0, 0.0, exact)


def load(path, resolution=None):
    """The Loaded of a checkpoint: `generator.progression.*` and so on; executes nothing.

    Args:
        resolution: of the networks, where the file has finer layers, which were never trained;
            None = all of them.
    Raises:
        ValueError: naming the file, and what it is instead, or what does not fit.
    """
    states = _states(path)
    try:
        _check_is_port(states)
        exact = states.pop(EXACT, None)
        loaded = None if exact is None or resolution else _exactly(states, exact)
        return loaded or _converted(states, resolution)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f'{path}: {str(error).rstrip(".")}.') from None


def save(path, networks, kimg=0.0, lod=0.0, exact=None):
    """Writes networks as a checkpoint of that port.

    Args:
        networks: {role: network}, Gs among them.
        exact: {'part/name': array}: what `load` gave beside the networks, if they came from there.
    Returns:
        {part: why (str) it cannot be in such a file} of what was left out.
    """
    parts, left_out = {}, {}
    own = {'kimg': repr(float(kimg)), 'lod': repr(float(lod))}
    for part, role in PARTS.items():
        if role not in networks:
            continue
        network = networks[role]
        kept = _below(part, exact or {})
        try:
            parts[part] = _given_back(network, state_dict(network, kept), kept)
        except ValueError as error:
            if role == 'Gs':
                raise
            left_out[part] = str(error)
            continue
        own[f'{role}_config'] = json.dumps(dataclasses.asdict(network.config))
        own.update({f'{role}/{name}': array for name, array in _inexact(
            network, parts[part]).items()})
    torch_file.write_state_dicts(path, {**parts, EXACT: own})
    return left_out


def _given_back(network, state, exact):
    """The state dict with `exact` in it, where these are still the weights of the network."""
    candidate = {name: exact.get(name, array) for name, array in state.items()}
    variables = reference.variables(network)
    return candidate if all(np.array_equal(variables[name], array)
                            for name, array in _arrays(network, candidate).items()) else state


def _inexact(network, state):
    """{our name: array} of the variables that a state dict does not give to the bit."""
    arrays = _arrays(network, state)
    return {name: array for name, array in reference.variables(network).items()
            if not np.array_equal(array, arrays.get(name))}
