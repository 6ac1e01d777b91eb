"""Face masks: where the high-pass lets details of a face through, from the landmarks' heatmaps.

The network is that of Wang et al. 2019 (Adaptive Wing Loss), one hourglass; the masks are those of
StarGAN v2 (Choi et al. 2020, appendix). Nothing here is trained.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from training.layers import Bias, Conv2D, NamedLayer, Weight, downscale2d, upscale2d

SIZE = 256                 # pixels, of what the network takes and of the masks
POINTS = 98                # landmarks; one more heatmap is the boundary
DEPTH = 4                  # levels of the hourglass
THRESHOLD = 0.1            # smaller values of a heatmap are noise


class Part(NamedTuple):
    """Heatmaps first..last of a part of the face, and how they go into the masks."""
    first: int
    last: int
    down: int              # rows by which they are rolled, circularly
    power: int
    in_both: bool          # also in the second mask, for 64 pixels and more


# Heatmaps of no row are left out. The eyes' have two: both are added.
PARTS = (Part(8, 24, 0, 3, False),      # chin
         Part(34, 45, 7, 2, False),     # eyebrows
         Part(47, 50, 7, 2, False),
         Part(51, 51, 0, 1, True),      # nose
         Part(52, 54, -4, 1, True),
         Part(55, 59, -8, 4, True),
         Part(60, 75, 8, 3, True),      # eyes
         Part(60, 75, 24, 1, True),
         Part(77, 81, 8, 4, False),     # mouth
         Part(83, 87, -8, 4, False),
         Part(88, 95, 2, 3, False),
         Part(96, 97, 0, 1, True))      # pupils


def masks_of_heatmaps(heatmaps):
    """The masks of both sizes of features: (mask0, mask1), each [N, 256, 256, 1], [0, 1].

    heatmaps: [N, 64, 64, 98].
    """
    maps = tf.raw_ops.ResizeBilinear(images=heatmaps, size=[SIZE, SIZE], align_corners=True)
    maps = tf.where(maps < THRESHOLD, 0.0, maps)
    least, most = (reduce(maps, axis=[1, 2], keepdims=True)
                   for reduce in (tf.reduce_min, tf.reduce_max))
    maps = (maps - least) / (most - least + 1e-6)
    sums = {part: tf.roll(tf.reduce_sum(maps[..., part.first:part.last + 1] ** part.power,
                                        axis=3, keepdims=True), part.down, axis=1)
            for part in PARTS}
    return (tf.clip_by_value(tf.add_n([*sums.values()]), 0, 1),
            tf.clip_by_value(tf.add_n([sums[part] for part in PARTS if part.in_both]), 0, 1))


class FrozenBatchNorm(NamedLayer):
    """Batch norm with the statistics of its file: [N, H, W, C]."""

    def __init__(self, scope, channels):
        super().__init__(scope)
        for name, initial in (('weight', 'ones'), ('bias', 'zeros'), ('running_mean', 'zeros'),
                              ('running_var', 'ones')):
            self.add(name, [channels], initial, trainable=False)

    def call(self, x):
        scale = self.weight / tf.sqrt(self.running_var + 1e-5)
        return (x - self.running_mean) * scale + self.bias


class BiasedConv(NamedLayer):
    """A convolution with bias: [N, H, W, in] -> [N, H, W, out]."""

    def __init__(self, scope, fan_in, fan_out):
        super().__init__(scope)
        self.conv = Conv2D(scope, fan_in, fan_out, 1, use_wscale=False)
        self.bias = Bias(scope, fan_out)

    def call(self, x):
        return self.bias(self.conv(x))


class FirstConv(Weight):
    """7x7, stride 2, three pixels of zeros on every side: [N, H, W, in] -> [N, H/2, W/2, out]."""

    def __init__(self, scope, fan_in, fan_out):
        super().__init__(scope, [7, 7, fan_in, fan_out], use_wscale=False)
        self.add('bias', [fan_out], 'zeros')

    def call(self, x):
        x = tf.pad(x, [[0, 0], [3, 3], [3, 3], [0, 0]])  # 'SAME' would take 2 and 3
        return tf.nn.conv2d(x, self.scaled(x.dtype), 2, 'VALID') + self.bias


class Block(NamedLayer):
    """Three convolutions, each fed by the one before, side by side: [N, H, W, in] -> [..., out]."""

    def __init__(self, scope, fan_in, fan_out):
        super().__init__(scope)
        widths = (fan_in, fan_out // 2, fan_out // 4, fan_out // 4)
        for i, (before, after) in enumerate(zip(widths, widths[1:]), 1):
            setattr(self, f'bn{i}', FrozenBatchNorm(f'{scope}.bn{i}', before))
            setattr(self, f'conv{i}', Conv2D(f'{scope}.conv{i}', before, after, 3,
                                             use_wscale=False))
        self.learned_shortcut = fan_in != fan_out
        if self.learned_shortcut:
            self.shortcut_bn = FrozenBatchNorm(f'{scope}.downsample.0', fan_in)
            self.shortcut = Conv2D(f'{scope}.downsample.2', fan_in, fan_out, 1, use_wscale=False)

    def call(self, x):
        y, outputs = x, []
        for i in (1, 2, 3):
            y = getattr(self, f'conv{i}')(tf.nn.relu(getattr(self, f'bn{i}')(y)))
            outputs.append(y)
        if self.learned_shortcut:
            x = self.shortcut(tf.nn.relu(self.shortcut_bn(x)))
        return tf.concat(outputs, axis=3) + x


class Hourglass(NamedLayer):
    """Blocks at five sizes, each half the one before, added up on the way back."""

    def __init__(self, scope, channels):
        super().__init__(scope)
        for level in range(1, DEPTH + 1):
            for name in (f'b1_{level}', f'b2_{level}', f'b3_{level}'):
                setattr(self, name, Block(f'{scope}.{name}', channels, channels))
        self.b2_plus_1 = Block(f'{scope}.b2_plus_1', channels, channels)

    def call(self, x):
        return self._level(x, DEPTH)

    def _level(self, x, level):
        y = getattr(self, f'b2_{level}')(downscale2d(x))
        y = self._level(y, level - 1) if level > 1 else self.b2_plus_1(y)
        y = upscale2d(getattr(self, f'b3_{level}')(y))
        return getattr(self, f'b1_{level}')(x) + y


def with_coordinates(x):
    """Appends row and column, -1..1, and the distance to the middle, 0..1: [N, H, W, C + 3]."""
    height, width = x.shape[1:3]
    row, column = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width),
                              indexing='ij')
    radius = np.hypot(row, column)
    places = np.stack([row, column, radius / radius.max()], axis=-1).astype(np.float32)
    return tf.concat([x, tf.tile(places[np.newaxis], [tf.shape(x)[0], 1, 1, 1])], axis=3)


class FaceNetwork(tf.keras.Model):
    """Finds the landmarks of a face: an image -> a heatmap for each.

    Without the weights of `wing.ckpt` (see `translation.reference.assign`) it finds nothing.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = FirstConv('conv1.conv', 6, 64)
        self.bn1 = FrozenBatchNorm('bn1', 64)
        self.conv2 = Block('conv2', 64, 128)
        self.conv3 = Block('conv3', 128, 128)
        self.conv4 = Block('conv4', 128, 256)
        self.coordconv = BiasedConv('m0.coordconv.conv', 259, 256)
        self.m0 = Hourglass('m0', 256)
        self.top_m_0 = Block('top_m_0', 256, 256)
        self.conv_last0 = BiasedConv('conv_last0', 256, 256)
        self.bn_end0 = FrozenBatchNorm('bn_end0', 256)
        self.l0 = BiasedConv('l0', 256, POINTS + 1)
        self.trainable = False

    def call(self, images):
        """images: [N, 256, 256, 3], [0, 1] -> heatmaps [N, 64, 64, 99], the boundary's last."""
        x = tf.nn.relu(self.bn1(self.conv1(with_coordinates(images))))
        x = self.conv4(self.conv3(downscale2d(self.conv2(x))))
        x = self.top_m_0(self.m0(self.coordconv(with_coordinates(x))))
        return self.l0(tf.nn.relu(self.bn_end0(self.conv_last0(x))))

    def masks(self, images):
        """A mask_fn: images [N, H, W, 3], [-1, 1] -> (mask0, mask1), each [N, 256, 256, 1]."""
        images = tf.image.resize(tf.stop_gradient(images), [SIZE, SIZE]) / 2 + 0.5
        return masks_of_heatmaps(self(images)[..., :POINTS])
