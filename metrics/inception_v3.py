"""Inception-v3 with torchvision's weights: the features of StarGAN v2's FID.

Szegedy et al., 2016, arXiv 1512.00567, as torchvision (models/inception.py) has it. Weights,
pooling at the borders and the scaling of the images are other ones than in the network of
2015-12-05, and so FIDs of the two cannot be compared.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from PIL import Image

from metrics.vgg16 import DEVIATION, MEAN, check_there

SIZES = (256, 299)      # that images are scaled to, one after the other
EPSILON = 0.001         # of batch normalisation
AVERAGE, MAXIMUM, HALVED = 'average', 'maximum', '/2'

# (layer, padding) in turn; None = maximum of 3x3, every second pixel
STEM = (('Conv2d_1a_3x3/2', 'VALID'), ('Conv2d_2a_3x3', 'VALID'), ('Conv2d_2b_3x3', 'SAME'), None,
        ('Conv2d_3b_1x1', 'SAME'), ('Conv2d_4a_3x3', 'VALID'), None)
# {kind of block: its branches}, the steps of each in turn; a tuple of steps: side by side.
BRANCHES = {
    'A': (('branch1x1',), ('branch5x5_1', 'branch5x5_2'),
          ('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'), (AVERAGE, 'branch_pool')),
    'B': (('branch3x3/2',), ('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3/2'), (MAXIMUM,)),
    'C': (('branch1x1',), ('branch7x7_1', 'branch7x7_2', 'branch7x7_3'),
          tuple(f'branch7x7dbl_{i}' for i in range(1, 6)), (AVERAGE, 'branch_pool')),
    'D': (('branch3x3_1', 'branch3x3_2/2'),
          ('branch7x7x3_1', 'branch7x7x3_2', 'branch7x7x3_3', 'branch7x7x3_4/2'), (MAXIMUM,)),
    'E': (('branch1x1',), ('branch3x3_1', ('branch3x3_2a', 'branch3x3_2b')),
          ('branch3x3dbl_1', 'branch3x3dbl_2', ('branch3x3dbl_3a', 'branch3x3dbl_3b')),
          (AVERAGE, 'branch_pool'))}
BLOCKS = {'Mixed_5b': 'A', 'Mixed_5c': 'A', 'Mixed_5d': 'A', 'Mixed_6a': 'B', 'Mixed_6b': 'C',
          'Mixed_6c': 'C', 'Mixed_6d': 'C', 'Mixed_6e': 'C', 'Mixed_7a': 'D', 'Mixed_7b': 'E',
          'Mixed_7c': 'E'}


def _convolutions(steps):
    """Names of the convolutions among steps, side by side or not."""
    for step in steps:
        if isinstance(step, tuple):
            yield from _convolutions(step)
        elif step not in (AVERAGE, MAXIMUM):
            yield step.removesuffix(HALVED)


LAYERS = tuple([step[0].removesuffix(HALVED) for step in STEM if step]
               + [f'{block}.{name}' for block, kind in BLOCKS.items()
                  for name in _convolutions(BRANCHES[kind])])


def average(x):
    """Mean of 3x3 pixels about each, [N, H, W, C]; beyond the border there are zeros."""
    return tf.nn.avg_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 1, 'VALID')


def maximum(x):
    """Maximum of 3x3 pixels about every second one within: [N, H, W, C] -> half the size."""
    return tf.nn.max_pool2d(x, 3, 2, 'VALID')


def scaled(images):
    """uint8 [N, H, W, 3] -> [N, 299, 299, 3] by Pillow, bilinear with antialiasing, by way of 256.

    Each time they are rounded to uint8, as images of files were in the original.
    """
    def one(image):
        image = Image.fromarray(image)
        for size in SIZES:
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image)

    return np.stack([one(image) for image in images])


class InceptionV3(tf.Module):
    """The network up to its last pooling.

    Args:
        weights: {torchvision's name: array}, e.g. Conv2d_1a_3x3.conv.weight [32, 3, 3, 3] (OIHW)
            and Conv2d_1a_3x3.bn.running_mean. ValueError where names are missing.
    """

    def __init__(self, weights):
        super().__init__()
        check_there(weights, [f'{layer}.{part}' for layer in LAYERS for part in (
            'conv.weight', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var')],
                    'Inception-v3', 'inception_v3')
        self.kernels, self.biases = {}, {}
        for layer in LAYERS:
            kernel = weights[f'{layer}.conv.weight'].transpose(2, 3, 1, 0)
            gamma, beta, mean, variance = (weights[f'{layer}.bn.{part}'] for part in (
                'weight', 'bias', 'running_mean', 'running_var'))
            scale = gamma / np.sqrt(variance + EPSILON)
            self.kernels[layer] = tf.Variable(kernel * scale, trainable=False)
            self.biases[layer] = tf.Variable(beta - mean * scale, trainable=False)

    def convolution(self, x, step, padding):
        """Convolution, batch normalisation and ReLU of a layer, whose name may end in HALVED."""
        layer, stride = step.removesuffix(HALVED), 2 if step.endswith(HALVED) else 1
        x = tf.nn.conv2d(x, self.kernels[layer], stride, padding)
        return tf.nn.relu(tf.nn.bias_add(x, self.biases[layer]))

    def _step(self, x, block, step):
        if isinstance(step, tuple):
            return tf.concat([self._step(x, block, one) for one in step], 3)
        if step == AVERAGE:
            return average(x)
        if step == MAXIMUM:
            return maximum(x)
        return self.convolution(x, f'{block}.{step}',
                                'VALID' if step.endswith(HALVED) else 'SAME')

    def block(self, x, block):
        """One of BLOCKS: [N, H, W, C] -> its branches, one after the other in the channels."""
        branches = []
        for steps in BRANCHES[BLOCKS[block]]:
            y = x
            for step in steps:
                y = self._step(y, block, step)
            branches.append(y)
        return tf.concat(branches, 3)

    def features(self, images):
        """uint8 [N, 299, 299, 3] -> the means of the last block, [N, 2048]."""
        x = (tf.cast(images, tf.float32) - MEAN) / DEVIATION
        for step in STEM:
            x = self.convolution(x, *step) if step else maximum(x)
        for block in BLOCKS:
            x = self.block(x, block)
        return tf.reduce_mean(x, axis=[1, 2])
