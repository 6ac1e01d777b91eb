"""The layout of the widespread PyTorch port of StyleGAN: its names and scales, and ours.

Its checkpoints hold state dicts: `g_running` (the moving average), `generator`, `discriminator`.
Weights are kept as parameters `weight_orig`, multiplied by sqrt(2 / fan-in) in each call, in all
layers alike; here some layers have another gain, so numbers are multiplied on the way. What does
not survive that to the last bit is kept beside, so that the way back ends where it began.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from training.networks import use_fused

GAIN = math.sqrt(2)   # of all its layers; of ours that have 1 instead, weights are this larger
STYLE = 'generator.'
BLOCK = f'{STYLE}progression.'


class Entry(NamedTuple):
    """A parameter of the port, and the variable that it is here."""
    torch: str
    ours: str
    axes: tuple[int, ...]     # of the port's array, in the order that they have here
    scale: float = 1.0        # ours = the port's * scale - offset
    offset: float = 0.0       # of the first half of the numbers: gammas are 1 + ours
    turned: bool = False      # whether the kernel is turned by 180 degrees here


CONV, TRANSPOSED, DENSE, VECTOR, CONST = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0), (0,), (0, 1, 2, 3)


def _equalized(torch, ours, axes=CONV, scale=1.0, weight='weight_orig', turned=False,
               bias_scale=1.0):
    """Entries of a convolution or dense layer and its bias; weight: its name in the port."""
    return [Entry(f'{torch}.{weight}', f'{ours}/weight', axes, scale, turned=turned),
            Entry(f'{torch}.bias', f'{ours}/bias', VECTOR, bias_scale)]


def _epilogue(torch, number, ours, channels):
    """Entries of noise and style behind a layer of a block."""
    adain = f'{torch}.adain{number}.style.linear'
    return [Entry(f'{torch}.noise{number}.weight_orig', f'{ours}/Noise/weight', (1, 0, 2, 3),
                  math.sqrt(2 / channels)),
            Entry(f'{adain}.weight_orig', f'{ours}/StyleMod/weight', DENSE, GAIN),
            Entry(f'{adain}.bias', f'{ours}/StyleMod/bias', VECTOR, offset=1.0)]


def _mapping_entries(config):
    lrmul = 1 / config.mapping_lrmul
    return sum((_equalized(f'style.{2 * i + 1}.linear', f'G_mapping/Dense{i}', DENSE, lrmul,
                           bias_scale=lrmul)
                for i in range(config.mapping_layers)), [])


def _first_layer_entries(config, r, fused):
    """Entries of what a block of the generator begins with."""
    torch, scope = f'{BLOCK}{r - 2}.conv1', f'G_synthesis/{2 ** r}x{2 ** r}'
    if r == 2:
        return [Entry(f'{torch}.input', f'{scope}/Const/const', CONST)]
    turned = fused != use_fused(config.fused_scale, 2 ** r)
    if fused:   # the port divides its kernel by 4; here that is part of the weights
        return _equalized(f'{torch}.0', f'{scope}/Conv0_up', TRANSPOSED, 0.25, 'weight', turned)
    return _equalized(f'{torch}.1.conv', f'{scope}/Conv0_up', turned=turned)


def generator_entries(config, fused):
    """All Entries of a generator; fused: {r: whether the upscaling layer at 2^r pixels is}."""
    entries = _mapping_entries(config)
    for r in range(2, config.resolution_log2 + 1):
        torch, scope = f'{BLOCK}{r - 2}', f'G_synthesis/{2 ** r}x{2 ** r}'
        first, second = ('Const', 'Conv') if r == 2 else ('Conv0_up', 'Conv1')
        channels = config.nf(r - 1)
        entries += [*_first_layer_entries(config, r, fused.get(r)),
                    *_epilogue(torch, 1, f'{scope}/{first}', channels),
                    *_equalized(f'{torch}.conv2.conv', f'{scope}/{second}'),
                    *_epilogue(torch, 2, f'{scope}/{second}', channels),
                    *_equalized(f'{STYLE}to_rgb.{r - 2}.conv',
                                f'G_synthesis/ToRGB_lod{config.resolution_log2 - r}', scale=GAIN)]
    return entries


def discriminator_entries(config, fused):
    """All Entries of a discriminator; fused: as for the generator, of downscaling layers."""
    entries, last = [], config.resolution_log2 - 2
    for i in range(last + 1):
        size = config.resolution >> i
        rgb = f'from_rgb.{i}.0.conv' if config.rgb_activation else f'from_rgb.{i}.conv'
        entries += _equalized(rgb, f'FromRGB_lod{i}')
        if i < last:
            block, down = f'progression.{i}', f'{size}x{size}/Conv1_down'
            entries += _equalized(f'{block}.conv1.0.conv', f'{size}x{size}/Conv0')
            entries += (_equalized(f'{block}.conv2.1', down, weight='weight')
                        if fused[config.resolution_log2 - i]
                        else _equalized(f'{block}.conv2.1.conv', down))
    return [*entries, *_equalized(f'progression.{last}.conv1.0.conv', '4x4/Conv'),
            *_equalized(f'progression.{last}.conv2.0.conv', '4x4/Dense0', (1, 2, 3, 0)),
            *_equalized('linear.linear', '4x4/Dense1', DENSE, GAIN)]


def generator_blurs(config, fused):
    """{name: channels} of a generator's blurs, which the port keeps among its parameters."""
    return {f'{BLOCK}{r - 2}.conv1.{1 if fused[r] else 2}': config.nf(r - 1)
            for r in range(3, config.resolution_log2 + 1)}


def discriminator_blurs(config):
    """The same of a discriminator."""
    return {f'progression.{config.resolution_log2 - r}.conv2.0':
            config.nf(r - 2 if config.widen_first else r - 1)
            for r in range(3, config.resolution_log2 + 1)}


def blur_kernels(blurs):
    """{name: float32 array} of a generator's or discriminator's blurs: (1, 2, 1) both ways."""
    kernel = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32)[np.newaxis, np.newaxis] / 16
    return {f'{name}.{which}': np.tile(kernel, [channels, 1, 1, 1])
            for name, channels in blurs.items() for which in ('weight', 'weight_flip')}


def _transposed_shape(entry, shape):
    """The shape of the port's array after its axes are in our order; shape: of our variable."""
    if len(entry.axes) == len(shape):
        return shape
    return (*shape, 1, 1, 1) if len(shape) == 1 else (shape[0] // 16, 4, 4, shape[1])


def torch_shape(entry, shape):
    """The shape of the port's array; shape: of our variable."""
    transposed = _transposed_shape(entry, shape)
    return tuple(transposed[entry.axes.index(axis)] for axis in range(len(transposed)))


def _offset(entry, shape):
    return np.repeat([entry.offset, 0.0], shape[0] // 2) if entry.offset else 0.0


def to_ours(entry, array, shape):
    """The port's array as our variable, float32 `shape`."""
    ours = array.astype(np.float64).transpose(entry.axes).reshape(shape) * entry.scale
    if entry.turned:
        ours = ours[::-1, ::-1]
    return (ours - _offset(entry, shape)).astype(np.float32)


def to_torch(entry, array):
    """Our variable as the port's array, float32."""
    array = (array.astype(np.float64) + _offset(entry, array.shape)) / entry.scale
    if entry.turned:
        array = array[::-1, ::-1]
    transposed = array.reshape(_transposed_shape(entry, array.shape))
    return np.ascontiguousarray(transposed.transpose(np.argsort(entry.axes)), np.float32)
