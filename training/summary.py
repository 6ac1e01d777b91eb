"""The table of a network's layers: parameters, output and weight shapes, and their total."""

from __future__ import annotations

import math
import re

from training.layers import named_variables

GENERATOR_ORDER = ('LabelConcat', 'Dense', 'Const', 'Conv', 'ToRGB')  # at one resolution
DISCRIMINATOR_ORDER = ('FromRGB', 'Conv', 'Dense')
LAYER = re.compile(r'((?:G_mapping/|G_synthesis/)?(?:\d+x\d+/)?'
                   r'(LabelConcat|Dense|Const|Conv|ToRGB|FromRGB)\w*)/(.*)')


def _layers(network):
    """{layer: {its variable: shape}} of the trainable variables, a style's and noise's included."""
    layers = {}
    for name, variable in named_variables(network).items():
        if variable.trainable:
            layer, _, own_name = LAYER.fullmatch(name).groups()
            layers.setdefault(layer, {})[own_name] = tuple(variable.shape)
    return layers


def count_parameters(network):
    """How many numbers of a network are trained."""
    return sum(math.prod(shape) for shapes in _layers(network).values()
               for shape in shapes.values())


def _size(layer, config):
    """Pixels that a layer works at; 0 for layers of vectors."""
    by_name = re.search(r'(\d+)x\1/', layer)
    if by_name:
        return int(by_name.group(1))
    by_lod = re.search(r'RGB_lod(\d+)', layer)
    return config.resolution >> int(by_lod.group(1)) if by_lod else 0


def _position(layer, config, is_generator):
    """Sorting key: the order in which an image passes through the layers."""
    kind, number = LAYER.fullmatch(layer + '/').group(2), re.search(r'\d*$', layer).group()
    size = _size(layer, config)
    order = GENERATOR_ORDER if is_generator else DISCRIMINATOR_ORDER
    return size if is_generator else -size, order.index(kind), int(number or 0), layer


def _output_shape(layer, shapes, config, is_generator):
    """Shape of what a layer gives at the full resolution, '?' for the minibatch."""
    size, kind = _size(layer, config), LAYER.fullmatch(layer + '/').group(2)
    if kind == 'LabelConcat':
        return '?', config.latent_size + shapes['weight'][1]
    channels = shapes['bias'][0]
    if not size or (kind == 'Dense' and not is_generator):
        return '?', channels
    if layer.endswith('Conv1_down'):
        size //= 2
    return '?', size, size, channels


def _text(shape):
    return f'({", ".join(map(str, shape))}{"," if len(shape) == 1 else ""})' if shape else '-'


def layer_table(network, title):
    """The layers of a generator or discriminator, one per line, in the order of the computation.

    Parameters are those that are trained; shapes are [N, H, W, C], kernels [kh, kw, in, out].
    """
    layers, config = _layers(network), network.config
    is_generator = any('ToRGB' in layer for layer in layers)
    rows = [(title, 'Params', 'OutputShape', 'WeightShape'), ('---',) * 4]
    for layer in sorted(layers, key=lambda name: _position(name, config, is_generator)):
        shapes = layers[layer]
        count = sum(math.prod(shape) for shape in shapes.values())
        rows.append((layer, f'{count:,}', _text(_output_shape(layer, shapes, config, is_generator)),
                     _text(shapes.get('weight', shapes.get('const')))))
    rows += [('---',) * 4, ('Total', f'{count_parameters(network):,}', '', '')]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return '\n'.join(f'{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:{widths[2]}}  {row[3]}'
                     .rstrip() for row in rows)
