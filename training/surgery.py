"""Surgery: trained networks in another shape: of another resolution, other channels or labels.

Each variable is kept, bit for bit; or adapted, by a formula below; or made anew; or dropped.

- Resolution. Layers belong to a size in pixels: those of the sizes that both shapes have are kept.
  (ToRGB_lodK and FromRGB_lodK count from the finest size: their names change.)
- Channels, with the luma weights y = (0.299, 0.587, 0.114), whose sum is 1. To gray: ToRGB gives
  the luma of the RGB that it gave, sum of y_c W_c; FromRGB is the sum of W_c, so that a gray
  picture has the features of its RGB copy. To RGB: ToRGB is repeated; FromRGB is y_c W, so that a
  picture has the features of its luma.
- Labels. The embedding of labels is made anew. Of the layer that takes z with the label beside it,
  the rows of z are kept and those of the label made; a label of zeros gives what there was without
  labels. D's scores of all classes begin as the mean of those that there were.

Weights are scaled at run time by 1 / sqrt(fan-in), and the input of the mapping network may be
normalized over all of its components: where these numbers change, so does the weight as stored.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re

import numpy as np
import tensorflow as tf

from training.build import build_network
from training.layers import Weight, copy_weights, named_layers
from training.reference import assign, variables

FIELDS = {'resolution': 'resolution', 'channels': 'num_channels', 'labels': 'label_size'}
# {name of a surgery: the field of both networks' configs that it changes}
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, by which Pillow makes gray of RGB
KEPT, ADAPTED, MADE, DROPPED = FATES = ('kept', 'adapted', 'made', 'dropped')
LABELLED = ('G_mapping/Dense0/weight', '4x4/Dense/weight')  # StyleGAN's and ProGAN's layer of z
# with the label beside it


def parse(names):
    """The surgeries that --surgery names, in the order of FIELDS; ValueError for another name."""
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise ValueError(f'--surgery must be some of {", ".join(FIELDS)}, joined by commas; '
                         f'received {",".join(names)!r}.')
    return tuple(name for name in FIELDS if name in names)


def needed(config, wanted):
    """The surgeries between a network's config and that of another shape."""
    return tuple(name for name, field in FIELDS.items()
                 if getattr(config, field) != getattr(wanted, field))


def _reshaped(config, wanted, surgeries):
    """A network's config with the fields of `wanted` that these surgeries change."""
    channels = {config.num_channels, wanted.num_channels}
    if 'channels' in surgeries and not channels <= {1, 3}:
        raise ValueError(f'channels make gray (1) of RGB (3) and RGB of gray; received '
                         f'{config.num_channels} -> {wanted.num_channels}.')
    return dataclasses.replace(config, **{FIELDS[name]: getattr(wanted, FIELDS[name])
                                          for name in surgeries})


def _colours_made(array, channels):
    """ToRGB's weight [1, 1, F, C] or bias [C] for another number of channels."""
    if channels == 1:
        return (array * LUMA).sum(axis=-1, keepdims=True)
    return np.repeat(array, channels, axis=-1)


def _colours_read(array, channels):
    """FromRGB's weight [1, 1, C, F], as it acts, for another number of channels."""
    if channels == 1:
        return array.sum(axis=-2, keepdims=True)
    return array * LUMA[:, np.newaxis]


def _scores(array, scores):
    """The weight [F, S] or bias [S] of D's last layer for another number of scores."""
    return np.repeat(array.mean(axis=-1, keepdims=True), scores, axis=-1)


def _input_rows(array, fresh, config, ratio):
    """The weight [z and label, F] of the layer that takes both, for labels of another size.

    Args:
        fresh: the new layer's, whose rows of the label are taken.
        config: of a generator; ratio: of the old layer's run-time scale to the new one's.
    """
    z = config.latent_size
    if config.normalize_latents:  # with a label of zeros, z is larger by this
        ratio *= math.sqrt(len(array) / len(fresh))
    return np.concatenate([array[:z] * ratio, fresh[z:]])


def _adapted(name, array, fresh, config, ratio):
    """A variable for another shape of network; None where nothing of it can be used.

    Args:
        array, fresh: the trained one, and the new network's.
        config: the new network's.
        ratio: by which a weight must grow to act as before.
    """
    array = array.astype(np.float64)
    if 'ToRGB' in name:
        return _colours_made(array, config.num_channels)
    if 'FromRGB' in name:
        return ratio * _colours_read(array, config.num_channels)
    if name.startswith('4x4/Dense1/'):
        return _scores(array, fresh.shape[-1])
    if name in LABELLED:
        return _input_rows(array, fresh, config, ratio)
    return None


def _scales(network):
    """{variable: what it is multiplied by at run time}, of all weights."""
    return {f'{layer.scope}/weight': layer.scale for layer in named_layers(network)
            if isinstance(layer, Weight)}


def transplant(old, new):
    """Gives a fresh network all that it can have of a trained one.

    Returns:
        {variable: one of FATES}; what is dropped has the name that it would have in `new`, with a
        lod below 0 where that is not large enough.
    """
    finer = new.config.resolution_log2 - old.config.resolution_log2

    def renamed(values):
        return {re.sub(r'(?<=RGB_lod)\d+', lambda lod: str(int(lod[0]) + finer), name): value
                for name, value in values.items()}

    trained, arrays, fates = renamed(variables(old)), variables(new), {}
    old_scales, new_scales = renamed(_scales(old)), _scales(new)
    for name, fresh in arrays.items():
        array, fates[name] = trained.pop(name, None), MADE
        if array is None:
            continue
        if array.shape == fresh.shape:
            arrays[name], fates[name] = array, KEPT
            continue
        ratio = old_scales.get(name, 1.0) / new_scales.get(name, 1.0)
        array = _adapted(name, array, fresh, new.config, ratio)
        if array is not None:
            arrays[name], fates[name] = array, ADAPTED
    assign(new, arrays)
    return {**fates, **dict.fromkeys(trained, DROPPED)}


def operated(networks, wanted, surgeries, seed):
    """The networks of a file in another shape: (Snapshot, {'G' or 'D': {variable: its fate}}).

    Args:
        networks: Snapshot with G, D and Gs. Gs keeps its own weights; what is made is that of G.
        wanted: config of a network of the new shape; surgeries: names of FIELDS.
        seed: of what is made.
    Raises:
        ValueError: there are no such networks, or they would be neither gray nor RGB.
    """
    G_config, D_config = (_reshaped(network.config, wanted, surgeries)
                          for network in (networks.G, networks.D))
    tf.keras.utils.set_random_seed(seed)
    G, D, Gs = (build_network(config) for config in (G_config, D_config, G_config))
    copy_weights(G, Gs)
    fates = {'G': transplant(networks.G, G), 'D': transplant(networks.D, D)}
    transplant(networks.Gs, Gs)
    return networks._replace(G=G, D=D, Gs=Gs), fates


# What became of them, in words.

def _family(name, resolution_log2):
    """(family of a variable, its size in pixels or None)."""
    by_size = re.match(r'(.*?)(\d+)x\2/', name)
    if by_size:
        return by_size[1], int(by_size[2])
    by_lod = re.match(r'(.*RGB)_lod(-?\d+)/', name)
    if by_lod:
        return f'{by_lod[1]} at ', 2 ** (resolution_log2 - int(by_lod[2]))
    noise = re.fullmatch(r'(.*/)noise(\d+)', name)
    if noise:
        return noise[1], 4 << int(noise[2]) // 2
    return name.partition('/')[0], None


def _families_of_fates(fates, resolution_log2):
    """{fate: {family: sizes}}; a layer that is not kept where others are is named alone."""
    members = collections.defaultdict(dict)
    for name, fate in fates.items():
        layer, family = re.sub(r'/(weight|bias)$', '', name), _family(name, resolution_log2)
        of_layer = members[family]  # a layer is no better kept than the worst of its variables
        of_layer[layer] = max(of_layer.get(layer, KEPT), fate, key=FATES.index)
    found = {fate: collections.defaultdict(list) for fate in FATES}
    for (family, size), layers in members.items():
        alike = len(set(layers.values())) == 1
        for layer, fate in layers.items():
            if alike or fate == KEPT:
                found[fate][family].append(size)
            else:
                found[fate][layer].append(None)
    return found


def _span(sizes):
    """'' or '64x64' or '4x4-32x32'."""
    ends = () if None in sizes else dict.fromkeys((min(sizes), max(sizes)))
    return '-'.join(f'{size}x{size}' for size in ends)


def table(fates, config):
    """[(network, fate, what)]: what became of the families of variables; config: the new G's."""
    rows = []
    for part, of_part in fates.items():
        for fate, families in _families_of_fates(of_part, config.resolution_log2).items():
            words = [family + _span(sizes) for family, sizes in families.items()]
            if words:
                rows.append((part, fate, ', '.join(words)))
    return rows
