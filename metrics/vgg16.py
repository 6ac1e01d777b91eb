"""VGG16 with torchvision's weights: LPIPS distances, and the features of precision and recall.

LPIPS: Zhang et al., 2018, arXiv 1801.03924, version 0.1. Weights keep the names and layouts of
PyTorch's files; those of Keras' own VGG16 are other ones.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # torchvision's features.N
MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255  # of ImageNet, as torchvision has it
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255
# LPIPS scales once more from [-1, 1], with numbers rounded on their way.
LPIPS_MEAN = (1 + np.array([-0.030, -0.088, -0.188], np.float32)) * 127.5
LPIPS_DEVIATION = np.array([0.458, 0.448, 0.450], np.float32) * 127.5
RESOLUTION = 224      # of the images that the fully connected layers take
MIN_RESOLUTION = 16   # of the images that LPIPS compares: smaller ones vanish in the last block


def resize_bilinear(images, resolution):
    """[N, H, W, C] -> [N, resolution, resolution, C] as TensorFlow 1 did it: corners at corners.

    The features were defined with it; tf.image.resize puts pixels half a pixel elsewhere.
    """
    return tf.raw_ops.ResizeBilinear(images=images, size=[resolution, resolution],
                                     align_corners=False, half_pixel_centers=False)


def variable(array):
    """A weight that is not trained."""
    return tf.Variable(np.ascontiguousarray(array, np.float32), trainable=False)


def check_there(weights, names, network, file):
    """ValueError where weights of a file of torchvision's are missing.

    Args:
        weights: {torchvision's name: array}; names: of those that are needed.
        network: what it is called; file: what torchvision calls it.
    """
    missing = [name for name in names if name not in weights]
    if missing:
        raise ValueError(f'{network}: {len(missing)} of its weights are missing, {missing[0]} for '
                         f'one; the names must be those of torchvision\'s {file}.')


def convolutions(weights, layers, network, file):
    """(kernels [H, W, in, out], biases) of torchvision's `layers`; else as for `check_there`."""
    check_there(weights, [f'{layer}.{part}' for layer in layers for part in ('weight', 'bias')],
                network, file)
    return ([variable(weights[f'{layer}.weight'].transpose(2, 3, 1, 0)) for layer in layers],
            [variable(weights[f'{layer}.bias']) for layer in layers])


def linear_weights(weights, count):
    """[C] of each of `count` layers, from {'lin0.model.1.weight': [1, C, 1, 1], ...}."""
    names = [f'lin{i}.model.1.weight' for i in range(count)]
    missing = [name for name in names if name not in weights]
    if missing:
        raise ValueError(f'LPIPS: its weights must have {names[0]} to {names[-1]}; '
                         f'{missing[0]} is missing.')
    return [variable(weights[name].ravel()) for name in names]


class VGG16(tf.Module):
    """Thirteen convolutions in five blocks, and the first two fully connected layers.

    Args:
        weights: {torchvision's name: array}, e.g. features.0.weight [64, 3, 3, 3] (OIHW).
            ValueError where names are missing.
    """

    def __init__(self, weights):
        super().__init__()
        self.with_classifier = 'classifier.3.weight' in weights
        self.kernels, self.biases = convolutions(
            weights, [f'features.{i}' for block in BLOCKS for i in block], 'VGG16', 'vgg16')
        if self.with_classifier:
            fc1 = weights['classifier.0.weight']
            channels = self.biases[-1].shape[0]
            fc1 = fc1.reshape(len(fc1), channels, 7, 7).transpose(2, 3, 1, 0)  # PyTorch has C, H, W
            self.dense = [variable(fc1.reshape(-1, fc1.shape[3])),
                          variable(weights['classifier.3.weight'].T)]
            self.dense_biases = [variable(weights[f'classifier.{i}.bias']) for i in (0, 3)]

    def activations(self, x):
        """Normalised images [N, H, W, 3] -> the last activations of the five blocks."""
        layer, result = 0, []
        for number, block in enumerate(BLOCKS):
            if number:
                x = tf.nn.max_pool2d(x, 2, 2, 'VALID')
            for _ in block:
                x = tf.nn.conv2d(x, self.kernels[layer], 1, 'SAME')
                x = tf.nn.relu(tf.nn.bias_add(x, self.biases[layer]))
                layer += 1
            result.append(x)
        return result

    def fc2(self, images):
        """Activations of the second fully connected layer, [N, 4096], of images in [0, 255]."""
        if not self.with_classifier:
            raise ValueError('VGG16: the file has no classifier.0 and classifier.3, which '
                             'precision and recall need; take the whole of torchvision\'s vgg16.')
        x = resize_bilinear(tf.cast(images, tf.float32), RESOLUTION)
        x = tf.nn.max_pool2d(self.activations((x - MEAN) / DEVIATION)[-1], 2, 2, 'VALID')
        x = tf.reshape(x, [-1, self.dense[0].shape[0]])
        for weight, bias in zip(self.dense, self.dense_biases):
            x = tf.nn.relu(tf.matmul(x, weight) + bias)
        return x


class LPIPS(tf.Module):
    """Distance of pairs of images as people see it.

    Args:
        vgg16: VGG16.
        weights: {'lin0.model.1.weight': [1, C, 1, 1], ...}, LPIPS' own.
    """

    def __init__(self, vgg16, weights):
        super().__init__()
        self.vgg16 = vgg16
        self.linear = linear_weights(weights, len(BLOCKS))

    def embedded(self, images):
        """The five normalised activations of images [N, H, W, 3], [0, 255], not rounded.

        H, W: MIN_RESOLUTION or more.
        """
        activations = self.vgg16.activations((images - LPIPS_MEAN) / LPIPS_DEVIATION)
        return [x / (tf.sqrt(tf.reduce_sum(x * x, axis=3, keepdims=True)) + 1e-10)
                for x in activations]

    def between(self, a, b):
        """[N] of pairs of what `embedded` gave."""
        total = 0.0
        for x, y, linear in zip(a, b, self.linear):
            total += tf.reduce_mean(tf.linalg.matvec(tf.square(x - y), linear), axis=[1, 2])
        return total

    def distances(self, a, b):
        """[N] of pairs of images [N, H, W, 3], as `embedded` takes them."""
        both = self.embedded(tf.concat([a, b], axis=0))
        return self.between(*zip(*(tf.split(x, 2) for x in both)))
