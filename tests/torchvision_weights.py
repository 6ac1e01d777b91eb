"""Random weights under the names and shapes of torchvision's networks; the same ones always."""

import numpy as np


def _inception_a(c, pool):
    yield from (('branch1x1', 64, c, 1, 1), ('branch5x5_1', 48, c, 1, 1),
                ('branch5x5_2', 64, 48, 5, 5), ('branch3x3dbl_1', 64, c, 1, 1),
                ('branch3x3dbl_2', 96, 64, 3, 3), ('branch3x3dbl_3', 96, 96, 3, 3),
                ('branch_pool', pool, c, 1, 1))


def _inception_c(c7, c=768):
    yield from (('branch1x1', 192, c, 1, 1), ('branch7x7_1', c7, c, 1, 1),
                ('branch7x7_2', c7, c7, 1, 7), ('branch7x7_3', 192, c7, 7, 1),
                ('branch7x7dbl_1', c7, c, 1, 1), ('branch7x7dbl_2', c7, c7, 7, 1),
                ('branch7x7dbl_3', c7, c7, 1, 7), ('branch7x7dbl_4', c7, c7, 7, 1),
                ('branch7x7dbl_5', 192, c7, 1, 7), ('branch_pool', 192, c, 1, 1))


def _inception_e(c):
    yield from (('branch1x1', 320, c, 1, 1), ('branch3x3_1', 384, c, 1, 1),
                ('branch3x3_2a', 384, 384, 1, 3), ('branch3x3_2b', 384, 384, 3, 1),
                ('branch3x3dbl_1', 448, c, 1, 1), ('branch3x3dbl_2', 384, 448, 3, 3),
                ('branch3x3dbl_3a', 384, 384, 1, 3), ('branch3x3dbl_3b', 384, 384, 3, 1),
                ('branch_pool', 192, c, 1, 1))


BLOCKS = {
    'Mixed_5b': _inception_a(192, 32), 'Mixed_5c': _inception_a(256, 64),
    'Mixed_5d': _inception_a(288, 64),
    'Mixed_6a': (('branch3x3', 384, 288, 3, 3), ('branch3x3dbl_1', 64, 288, 1, 1),
                 ('branch3x3dbl_2', 96, 64, 3, 3), ('branch3x3dbl_3', 96, 96, 3, 3)),
    'Mixed_6b': _inception_c(128), 'Mixed_6c': _inception_c(160), 'Mixed_6d': _inception_c(160),
    'Mixed_6e': _inception_c(192),
    'Mixed_7a': (('branch3x3_1', 192, 768, 1, 1), ('branch3x3_2', 320, 192, 3, 3),
                 ('branch7x7x3_1', 192, 768, 1, 1), ('branch7x7x3_2', 192, 192, 1, 7),
                 ('branch7x7x3_3', 192, 192, 7, 1), ('branch7x7x3_4', 192, 192, 3, 3)),
    'Mixed_7b': _inception_e(1280), 'Mixed_7c': _inception_e(2048)}
INCEPTION_V3 = {  # {layer: shape of its kernel, OIHW}
    'Conv2d_1a_3x3': (32, 3, 3, 3), 'Conv2d_2a_3x3': (32, 32, 3, 3),
    'Conv2d_2b_3x3': (64, 32, 3, 3), 'Conv2d_3b_1x1': (80, 64, 1, 1),
    'Conv2d_4a_3x3': (192, 80, 3, 3),
    **{f'{block}.{name}': tuple(shape) for block, layers in BLOCKS.items()
       for name, *shape in layers}}
ALEXNET = {'features.0': (64, 3, 11, 11), 'features.3': (192, 64, 5, 5),
           'features.6': (384, 192, 3, 3), 'features.8': (256, 384, 3, 3),
           'features.10': (256, 256, 3, 3)}


def _kernel(random, shape):
    return random.standard_normal(shape, np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)


def inception_v3_weights(shapes=INCEPTION_V3):
    """{name: float32 array} of `shapes` or some of them, with the statistics of normalisation."""
    random, weights = np.random.default_rng(0), {}
    for layer, shape in shapes.items():
        weights[f'{layer}.conv.weight'] = _kernel(random, shape)
        for part, least in (('weight', 0.5), ('bias', -0.5), ('running_mean', -0.5),
                            ('running_var', 0.5)):
            weights[f'{layer}.bn.{part}'] = least + random.random(shape[0], np.float32)
    return weights


def narrow_inception_v3(divisor=16):
    """The weights of a network with fewer channels everywhere: quick, and not for torchvision."""
    return inception_v3_weights({
        layer: (shape[0] // divisor, shape[1] // divisor or 3, *shape[2:])
        for layer, shape in INCEPTION_V3.items()})


def alexnet_weights():
    """{name: float32 array}"""
    random, weights = np.random.default_rng(1), {}
    for layer, shape in ALEXNET.items():
        weights[f'{layer}.weight'] = _kernel(random, shape)
        weights[f'{layer}.bias'] = random.random(shape[0], np.float32) - np.float32(0.5)
    return weights


def lpips_alex_weights():
    """{name: float32 array} of LPIPS' five layers for AlexNet, none negative."""
    random = np.random.default_rng(2)
    return {f'lin{i}.model.1.weight': random.random([1, shape[0], 1, 1], np.float32)
            for i, shape in enumerate(ALEXNET.values())}
