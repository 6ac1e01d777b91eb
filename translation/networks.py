"""StarGAN v2's networks: generator, mapping network, style encoder and discriminator.

Shapes are NHWC. A 2x2 mean stands behind, and a nearest upscaling before, a convolution that it can
be folded into; 1x1 convolutions are computed at the smaller of the two sizes. The numbers are the
same but for rounding. Source: Choi et al. 2020, section 2 and appendix.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from training.config import FLOAT32
from training.layers import (
    ACTIVATION_GAIN,
    Bias,
    Conv2D,
    Dense,
    DownConv2D,
    InstanceNorm,
    NamedLayer,
    StyleModulation,
    UpConv2D,
    Weight,
    divided_instance_norm,
    downscale2d,
    leaky_relu,
    upscale2d,
)
from training.precision import convolved
from translation.config import TranslationConfig

EPSILON = 1e-5             # of all instance norms
SCALE_OF_SUM = float(np.sqrt(0.5))  # keeps the variance of shortcut + residual
MASK_AT = {32: 0, 64: 1, 128: 1}    # {height of the features: which mask the high-pass uses there}
HIGH_PASS = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32)


class Biased(NamedLayer):
    """A layer with a weight, followed by a bias for each channel."""

    def __init__(self, linear, channels):
        super().__init__(linear.scope)
        self.linear = linear
        self.bias = Bias(linear.scope, channels)

    def call(self, x):
        return self.bias(self.linear(x))


class WholeConv2D(Weight):
    """A convolution whose kernel covers the whole image: [N, k, k, in] -> [N, out]."""

    def __init__(self, scope, fan_in, fan_out, kernel):
        super().__init__(scope, [kernel, kernel, fan_in, fan_out], use_wscale=False)

    def call(self, x):
        kernel = self.scaled(x.dtype)
        return tf.matmul(tf.reshape(x, [-1, np.prod(kernel.shape[:3])]),
                         tf.reshape(kernel, [-1, kernel.shape[3]]))


class UnusedConv2D(NamedLayer):
    """A kernel that official files hold and nothing uses; not trained, not even by the decay."""

    def __init__(self, scope, fan_in, fan_out):
        super().__init__(scope)
        std = float(ACTIVATION_GAIN / np.sqrt(fan_in))
        self.add('weight', [1, 1, fan_in, fan_out], tf.random_normal_initializer(0, std),
                 trainable=False)


def conv(scope, fan_in, fan_out, kernel=3, layer=Conv2D):
    """A convolution with bias, He-normal, of one of the classes of training.layers."""
    options = {'fused': False} if layer is UpConv2D else {}
    sizes = (fan_in, fan_out, kernel) if layer is Conv2D else (fan_in, fan_out)
    return Biased(layer(scope, *sizes, use_wscale=False, **options), fan_out)


def dense(scope, fan_in, fan_out):
    """A dense layer with bias, He-normal."""
    return Biased(Dense(scope, fan_in, fan_out, use_wscale=False), fan_out)


class ResBlock(NamedLayer):
    """Pre-activation residual block: [N, H, W, in] -> [N, H, W, out], halved if `down`."""

    def __init__(self, scope, fan_in, fan_out, normalize=False, down=False):
        super().__init__(scope)
        self.normalize, self.down = normalize, down
        if normalize:
            self.norm1 = InstanceNorm(f'{scope}.norm1', fan_in, EPSILON)
            self.norm2 = InstanceNorm(f'{scope}.norm2', fan_in, EPSILON)
        self.conv1 = conv(f'{scope}.conv1', fan_in, fan_in, layer=DownConv2D if down else Conv2D)
        self.conv2 = conv(f'{scope}.conv2', fan_in, fan_out)
        self.learned_shortcut = fan_in != fan_out
        if self.learned_shortcut:
            self.conv1x1 = Conv2D(f'{scope}.conv1x1', fan_in, fan_out, 1, use_wscale=False)

    def call(self, x):
        shortcut = downscale2d(x) if self.down else x
        if self.learned_shortcut:
            shortcut = self.conv1x1(shortcut)
        y = self.norm1(x) if self.normalize else x
        y = self.conv1(leaky_relu(y))
        y = self.norm2(y) if self.normalize else y
        return (shortcut + self.conv2(leaky_relu(y))) * SCALE_OF_SUM


class Adain(NamedLayer):
    """Instance norm whose scale and shift a dense layer makes of the style (section 2.1)."""

    def __init__(self, scope, style_dim, channels):
        super().__init__(scope)
        self.fc = StyleModulation(f'{scope}.fc', style_dim, channels, use_wscale=False,
                                  gain=ACTIVATION_GAIN)

    def call(self, x, s):
        """x: [N, H, W, C]; s: [N, style_dim]."""
        return self.fc(divided_instance_norm(x, EPSILON), s)


class AdainResBlock(NamedLayer):
    """Residual block with styles: [N, H, W, in] -> [N, H, W, out], doubled if `up`.

    with_shortcut: False where the high-pass is: the residual alone.
    """

    def __init__(self, scope, fan_in, fan_out, style_dim, up=False, with_shortcut=True):
        super().__init__(scope)
        self.up, self.with_shortcut = up, with_shortcut
        self.norm1 = Adain(f'{scope}.norm1', style_dim, fan_in)
        self.norm2 = Adain(f'{scope}.norm2', style_dim, fan_out)
        self.conv1 = conv(f'{scope}.conv1', fan_in, fan_out, layer=UpConv2D if up else Conv2D)
        self.conv2 = conv(f'{scope}.conv2', fan_out, fan_out)
        self.learned_shortcut = fan_in != fan_out
        if self.learned_shortcut:
            self.conv1x1 = (Conv2D(f'{scope}.conv1x1', fan_in, fan_out, 1, use_wscale=False)
                            if with_shortcut else
                            UnusedConv2D(f'{scope}.conv1x1', fan_in, fan_out))

    def call(self, x, s):
        """x: [N, H, W, in]; s: [N, style_dim]."""
        y = self.conv1(leaky_relu(self.norm1(x, s)))
        y = self.conv2(leaky_relu(self.norm2(y, s)))
        if not self.with_shortcut:
            return y
        shortcut = self.conv1x1(x) if self.learned_shortcut else x
        shortcut = upscale2d(shortcut) if self.up else shortcut
        return (shortcut + y) * SCALE_OF_SUM


def high_pass(x, w_hpf):
    """Each channel's differences to its neighbours, over `w_hpf`, zero padding: [N, H, W, C]."""
    kernel = np.tile((HIGH_PASS / w_hpf)[:, :, np.newaxis, np.newaxis], [1, 1, x.shape[-1], 1])
    return convolved(lambda x, kernel: tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], 'SAME'),
                     x, tf.constant(kernel, x.dtype))


class ToRGB(NamedLayer):
    """[N, H, W, C] -> float32 [N, H, W, 3], unbounded."""

    def __init__(self, fan_in):
        super().__init__('to_rgb')
        self.norm = InstanceNorm('to_rgb.0', fan_in, EPSILON)
        self.conv = conv('to_rgb.2', fan_in, 3, kernel=1)

    def call(self, x):
        return tf.cast(self.conv(leaky_relu(self.norm(x))), tf.float32)


class Generator(tf.keras.Model):
    """An image and a style -> that image in that style (section 2.1).

    precision: what activations are computed in; variables are float32 in any case.
    """

    def __init__(self, config: TranslationConfig, precision=FLOAT32):
        super().__init__()
        self.config, self.precision = config, precision
        widths, n = config.widths[:config.num_down + 1], config.num_down
        self.from_rgb = conv('from_rgb', 3, widths[0])
        down = [*zip(widths, widths[1:]), *2 * [(widths[n], widths[n])]]
        for i, (fan_in, fan_out) in enumerate(down):
            setattr(self, f'encode{i}', ResBlock(f'encode.{i}', fan_in, fan_out, normalize=True,
                                                 down=i < n))
        up = [(fan_out, fan_in) for fan_in, fan_out in reversed(down)]
        for i, (fan_in, fan_out) in enumerate(up):
            setattr(self, f'decode{i}', AdainResBlock(
                f'decode.{i}', fan_in, fan_out, config.style_dim, up=i > 1,
                with_shortcut=config.w_hpf == 0))
        self.to_rgb = ToRGB(widths[0])
        self.num_blocks = len(down)

    def call(self, x, s, masks=None):
        """x: [N, H, W, 3], [-1, 1]; s: [N, style_dim] -> [N, H, W, 3], about [-1, 1].

        Args:
            x: of any size that can be halved `config.num_down` times; trained at img_size.
            masks: a pair of [N, h, w, 1], [0, 1], any size: where details of x pass the high-pass
                at 32 pixels, and at 64 and 128. None = nowhere; without w_hpf they are not used.
        """
        kept, s = {}, tf.cast(s, tf.float32)
        x = self.from_rgb(tf.cast(x, self._dtype_at(0)))
        for i in range(self.num_blocks):
            kept[x.shape[1]] = x
            x = getattr(self, f'encode{i}')(tf.cast(x, self._dtype_at(i)))
        for i in range(self.num_blocks):
            x = tf.cast(x, self._dtype_at(self.num_blocks - 1 - i))
            x = getattr(self, f'decode{i}')(x, s)
            height = x.shape[1]
            if masks is not None and self.config.w_hpf and height in MASK_AT:
                mask = tf.image.resize(masks[MASK_AT[height]], x.shape[1:3])
                details = high_pass(tf.cast(mask, x.dtype) * tf.cast(kept[height], x.dtype),
                                    self.config.w_hpf)
                x += details
        return self.to_rgb(x)

    def _dtype_at(self, halvings):
        halvings = min(halvings, self.config.num_down)
        return self.precision.dtype_at(self.config.resolution_log2 - halvings, self.config)


def of_domain(outputs, y):
    """Row i of outputs[y[i]]: K tensors [N, C] and int [N] -> [N, C].

    As a product, so that the other outputs have gradients, which are exactly zero.
    """
    chosen = tf.one_hot(y, len(outputs))[:, :, tf.newaxis]
    return tf.reduce_sum(tf.stack(outputs, axis=1) * chosen, axis=1)


class MappingNetwork(tf.keras.Model):
    """F: a latent and a domain -> a style (section 2.1)."""

    DEPTH = 4       # dense layers that all domains share, and as many that each has

    def __init__(self, config: TranslationConfig):
        super().__init__()
        self.config = config
        hidden, last = config.hidden_dim, self.DEPTH - 1
        for j in range(self.DEPTH):
            setattr(self, f'shared{j}',
                    dense(f'shared.{2 * j}', hidden if j else config.latent_dim, hidden))
            for k in range(config.num_domains):
                setattr(self, f'unshared{k}_{j}',
                        dense(f'unshared.{k}.{2 * j}', hidden,
                              config.style_dim if j == last else hidden))

    def call(self, z, y):
        """z: [N, latent_dim] ~ N(0, 1); y: int [N] -> s: [N, style_dim]."""
        return of_domain(self.of_all_domains(z), y)

    def of_all_domains(self, z):
        """z: [N, latent_dim] ~ N(0, 1) -> K styles [N, style_dim], one for each domain."""
        x = tf.cast(z, tf.float32)
        for j in range(self.DEPTH):
            x = tf.nn.relu(getattr(self, f'shared{j}')(x))
        return [self._head(k, x) for k in range(self.config.num_domains)]

    def _head(self, domain, x):
        for j in range(self.DEPTH - 1):
            x = tf.nn.relu(getattr(self, f'unshared{domain}_{j}')(x))
        return getattr(self, f'unshared{domain}_{self.DEPTH - 1}')(x)


class Trunk(NamedLayer):
    """What the style encoder and the discriminator begin with: an image -> float32 [N, C]."""

    def __init__(self, config: TranslationConfig, scope, precision):
        super().__init__(scope)
        self.config, self.precision = config, precision
        self.first = conv(f'{scope}.0', 3, config.widths[0])
        for i, (fan_in, fan_out) in enumerate(zip(config.widths, config.widths[1:]), 1):
            setattr(self, f'block{i}', ResBlock(f'{scope}.{i}', fan_in, fan_out, down=True))
        channels = config.widths[-1]
        self.last = Biased(WholeConv2D(f'{scope}.{config.resolution_log2}', channels, channels, 4),
                           channels)

    def call(self, x):
        """x: [N, img_size, img_size, 3], [-1, 1]."""
        log2 = self.config.resolution_log2
        x = self.first(tf.cast(x, self.precision.dtype_at(log2, self.config)))
        for i in range(1, log2 - 1):
            x = tf.cast(x, self.precision.dtype_at(log2 + 1 - i, self.config))
            x = getattr(self, f'block{i}')(x)
        return leaky_relu(self.last(leaky_relu(tf.cast(x, tf.float32))))


class StyleEncoder(tf.keras.Model):
    """E: an image and its domain -> its style (section 2.1)."""

    def __init__(self, config: TranslationConfig, precision=FLOAT32):
        super().__init__()
        self.config = config
        self.shared = Trunk(config, 'shared', precision)
        for k in range(config.num_domains):
            setattr(self, f'unshared{k}',
                    dense(f'unshared.{k}', config.widths[-1], config.style_dim))

    def call(self, x, y):
        """x: [N, img_size, img_size, 3], [-1, 1]; y: int [N] -> s: [N, style_dim]."""
        x = self.shared(x)
        return of_domain([getattr(self, f'unshared{k}')(x)
                          for k in range(self.config.num_domains)], y)


class Discriminator(tf.keras.Model):
    """D: an image and a domain -> how real it is as an image of that domain (section 2.1)."""

    def __init__(self, config: TranslationConfig, precision=FLOAT32):
        super().__init__()
        self.config = config
        self.main = Trunk(config, 'main', precision)
        scope = f'main.{config.resolution_log2 + 2}'
        self.heads = Biased(WholeConv2D(scope, config.widths[-1], config.num_domains, 1),
                            config.num_domains)

    def call(self, x, y):
        """x: [N, img_size, img_size, 3], [-1, 1]; y: int [N] -> logits [N]."""
        logits = self.heads(self.main(x))
        return tf.reduce_sum(logits * tf.one_hot(y, self.config.num_domains), axis=1)
