"""AlexNet with torchvision's weights, and LPIPS by it: how different translations are.

Krizhevsky, 2014, arXiv 1404.5997, as torchvision (models/alexnet.py) has it; Zhang et al., 2018,
arXiv 1801.03924, version 0.1, in the form in which StarGAN v2 measures diversity.
"""

from __future__ import annotations

import tensorflow as tf

from metrics.vgg16 import LPIPS_DEVIATION, LPIPS_MEAN, convolutions, linear_weights

LAYERS = (0, 3, 6, 8, 10)     # torchvision's features.N
STRIDES = (4, 1, 1, 1, 1)
PADDING = (2, 2, 1, 1, 1)     # pixels of zeros on each side
POOLED = (1, 2)               # layers whose input is pooled
EPSILON = 1e-10               # below the root of a pixel's norm; LPIPS itself has it outside
MIN_RESOLUTION = 32           # of images: smaller ones vanish on the way


class AlexNet(tf.Module):
    """The five convolutions.

    Args:
        weights: {torchvision's name: array}, e.g. features.0.weight [64, 3, 11, 11] (OIHW).
            ValueError where names are missing.
    """

    def __init__(self, weights):
        super().__init__()
        self.kernels, self.biases = convolutions(
            weights, [f'features.{i}' for i in LAYERS], 'AlexNet', 'alexnet')

    def activations(self, x):
        """Normalised images [N, H, W, 3] -> the activations of the five layers."""
        result = []
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases)):
            if number in POOLED:
                x = tf.nn.max_pool2d(x, 3, 2, 'VALID')
            around = [PADDING[number]] * 2
            x = tf.nn.conv2d(x, kernel, STRIDES[number], [[0, 0], around, around, [0, 0]])
            x = tf.nn.relu(tf.nn.bias_add(x, bias))
            result.append(x)
        return result


class Diversity(tf.Module):
    """The mean LPIPS distance of all pairs among several images.

    Args:
        alexnet: AlexNet.
        weights: {'lin0.model.1.weight': [1, C, 1, 1], ...}, LPIPS' own for it.
    """

    def __init__(self, alexnet, weights):
        super().__init__()
        self.alexnet = alexnet
        self.linear = linear_weights(weights, len(LAYERS))

    def of_outputs(self, images):
        """[N] of [M, N, H, W, 3], [-1, 1] and beyond: over all pairs of the M images of each.

        The distances are squares, so that M * sum |f_i - mean f|^2 is their sum: each image
        passes through the network once.
        """
        count = tf.shape(images)[0]
        images = 127.5 * (tf.reshape(images, [-1, *images.shape[2:]]) + 1)
        activations = self.alexnet.activations((images - LPIPS_MEAN) / LPIPS_DEVIATION)
        total = 0.0
        for x, linear in zip(activations, self.linear):
            x /= tf.sqrt(tf.reduce_sum(x * x, axis=3, keepdims=True) + EPSILON)
            x = tf.reshape(x, [count, -1, *x.shape[1:]])
            x = tf.square(x - tf.reduce_mean(x, axis=0, keepdims=True))
            total += tf.reduce_mean(tf.reduce_sum(tf.linalg.matvec(x, linear), axis=0),
                                    axis=[1, 2])
        return total * 2 / tf.cast(count - 1, tf.float32)
