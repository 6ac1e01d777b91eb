"""Progressive GAN's pair of networks (Karras et al. 2017, Table 2), which the reference ships."""

from __future__ import annotations

import tensorflow as tf

from training import layers
from training.config import FLOAT32, ProganDiscriminatorConfig, ProganGeneratorConfig
from training.layers import Bias, Conv2D, NamedLayer, UpConv2D
from training.networks import (
    DenseInput,
    DiscriminatorBlock,
    Draws,
    GrowingDiscriminator,
    ToRGB,
    blended_rgb,
    checked_labels,
    levels_of_block,
    levels_of_rgb,
    split_lod,
    use_fused,
)


class ProganSynthesis(NamedLayer):
    """[N, latent + label] -> images; pixel norm after each activation, no styles, no noise."""

    def __init__(self, config: ProganGeneratorConfig, precision):
        super().__init__('')
        self.config, self.precision = config, precision
        wscale = {'use_wscale': config.use_wscale}
        channels = config.nf(1)
        self.dense = DenseInput('4x4/Dense', config.latent_size + config.label_size, channels,
                                config.use_wscale)
        self.bias0 = Bias('4x4/Dense', channels)
        self.conv1 = Conv2D('4x4/Conv', channels, channels, 3, **wscale)
        self.bias1 = Bias('4x4/Conv', channels)
        for r in range(3, config.resolution_log2 + 1):
            self._build_block(r)
        for r in range(2, config.resolution_log2 + 1):
            to_rgb = ToRGB(f'ToRGB_lod{config.resolution_log2 - r}', config.nf(r - 1),
                           config.num_channels, config.use_wscale)
            setattr(self, f'to_rgb{r}', to_rgb.only_at(levels_of_rgb(config, r)))

    def _build_block(self, r):
        config, size, i = self.config, 2 ** r, 2 * r - 4
        channels, wscale = config.nf(r - 1), {'use_wscale': config.use_wscale}
        fused = use_fused(config.fused_scale, size)
        name = f'{size}x{size}/' + ('Conv0_up' if fused else 'Conv0')
        self._add_conv(r, i, name, UpConv2D(name, config.nf(r - 2), channels, fused, **wscale))
        name = f'{size}x{size}/Conv1'
        self._add_conv(r, i + 1, name, Conv2D(name, channels, channels, 3, **wscale))

    def _add_conv(self, r, i, name, conv):
        """Layer i, at 2^r pixels: a convolution with its bias."""
        bias = Bias(name, self.config.nf(r - 1))
        setattr(self, f'conv{i}', conv.only_at(levels_of_block(self.config, r)))
        setattr(self, f'bias{i}', bias.only_at(levels_of_block(self.config, r)))

    def _epilogue(self, x, i):
        activation = layers.NONLINEARITIES['lrelu' if self.config.use_leakyrelu else 'relu']
        return self._norm(layers.clamped(activation(getattr(self, f'bias{i}')(x))))

    def _norm(self, x):
        if not self.config.use_pixelnorm:
            return x
        return layers.pixel_norm(x, self.config.pixelnorm_epsilon)

    def at_level(self, x, level, alpha):
        """x: [N, latent_size + label_size] -> images at `level`, `alpha` of the coarser blended."""
        if self.config.normalize_latents:
            x = layers.pixel_norm(x, self.config.pixelnorm_epsilon)
        x = self._epilogue(tf.cast(self.dense(x), self.precision.dtype_at(2, self.config)), 0)
        x = coarser = self._epilogue(self.conv1(x), 1)
        for r in range(3, self.config.resolution_log2 - level + 1):
            coarser = x
            x = tf.cast(x, self.precision.dtype_at(r, self.config))
            for i in (2 * r - 4, 2 * r - 3):
                x = self._epilogue(getattr(self, f'conv{i}')(x), i)
        return blended_rgb(self, x, coarser, self.config.resolution_log2 - level, alpha)


class Generator(tf.keras.Model):
    """ProGAN's generator (G_paper): z and labels -> images."""
    has_w = False  # z is what the synthesis network takes: no truncation, no noise

    def __init__(self, config: ProganGeneratorConfig, precision=FLOAT32):
        super().__init__()
        self.built = True  # Keras 3 would call it to find that out
        self.config = config
        self.synthesis = ProganSynthesis(config, precision)

    def call(self, z, labels=None, lod=0.0):
        """z: [N, latent_size], labels: [N, label_size] -> [N, r, r, C], r = 2^(R - floor(lod))."""
        level, alpha = split_lod(lod, self.config.resolution_log2)
        return self.at_level(z, labels, level, alpha)

    def at_level(self, z, labels, level, alpha):
        """The same with `level` (int) and `alpha` (number or tensor) apart."""
        return self.synthesis.at_level(self.with_labels(z, labels), level, alpha)

    def with_labels(self, z, labels=None):
        """z with the labels beside it, if there are any: what the synthesis network takes."""
        x = tf.cast(z, tf.float32)
        if not self.config.label_size:
            return x
        return tf.concat([x, checked_labels(labels, self.config.label_size)], axis=1)

    def training_draws(self, batch, level, randomize_noise, style_mixing, seed=None):
        """Nothing: there is no noise and there are no styles here."""
        del batch, level, randomize_noise, style_mixing, seed
        return Draws()

    def training_images(self, z, labels, level, alpha, draws):
        """Images for a training step; the mean w (networks.Generator) does not exist: 0."""
        del draws
        return self.at_level(z, labels, level, alpha), tf.zeros([])

    def move_average(self, mean_w):
        """Nothing: there is no average w."""


class UnfusedBlock(DiscriminatorBlock):
    """ProGAN without fused scaling: the size is halved after bias and activation, not before."""

    def _halved(self, x):
        x = layers.conv2d(x, self.conv1.scaled(x.dtype))
        return layers.downscale2d(layers.clamped(self.activation(self.bias1(x))))


class Discriminator(GrowingDiscriminator):
    """ProGAN's discriminator (D_paper): no blur, one score whatever the labels."""

    def __init__(self, config: ProganDiscriminatorConfig, precision=FLOAT32):
        activation = layers.NONLINEARITIES['lrelu']

        def make_block(size, fan_in, fan_out):
            if use_fused(config.fused_scale, size):
                block, last = DiscriminatorBlock, 'Conv1_down'
            else:
                block, last = UnfusedBlock, 'Conv1'
            names = [f'{size}x{size}/Conv0', f'{size}x{size}/{last}']
            return block(names, fan_in, fan_out, activation, None, config.use_wscale)

        super().__init__(config, precision, activation, make_block, 1, 1)
