"""StyleGAN's networks: mapping and synthesis (the generator), and the discriminator.

Growing: the level k = floor(lod) is a Python int that decides which layers exist in a trace; what
is still blended in, alpha = lod - k, is a number or a tensor. Images have the resolution of the
level, 2^(R - k), and are never upscaled to full size. Layers of all resolutions exist from
construction on. Source: Karras et al. 2018 (StyleGAN), Figure 1, section 2 and appendix C.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from training import layers
from training.config import FLOAT32, DiscriminatorConfig, GeneratorConfig
from training.layers import (
    Bias,
    Conv2D,
    Dense,
    DownConv2D,
    NamedLayer,
    UpConv2D,
    lerp,
)
from training.replicas import assign, mean_over_replicas
from training.seeds import folded_seed, random_normal, random_uniform

FROM_CONFIG = object()      # default of arguments whose value the network's own config holds
FUSED_FROM_RESOLUTION = 128  # fused_scale='auto': the reference's choice, which weights depend on


def reached(network, level):
    """For each of the `trained_variables` of G or D: whether images of `level` depend on it."""
    unreached = {id(variable) for layer in layers.named_layers(network)
                 if layer.levels is not None and level not in layer.levels
                 for variable in layers.trained_variables(layer)}
    return [id(variable) not in unreached for variable in layers.trained_variables(network)]


def levels_of_block(config, r):
    """Levels whose images pass through a layer at 2^r pixels: its own and all finer ones."""
    return range(config.resolution_log2 - r + 1)


def levels_of_rgb(config, r):
    """Levels whose images pass through toRGB or fromRGB at 2^r pixels.

    Its own, and the next finer one, with which it is faded.
    """
    own = config.resolution_log2 - r
    return range(own - 1, own + 1)


def split_lod(lod, resolution_log2):
    """A Python number lod -> (level, alpha); ValueError outside 0..R-2."""
    if not 0 <= lod <= resolution_log2 - 2:
        raise ValueError(f'lod must be within 0..{resolution_log2 - 2} for a resolution of '
                         f'{2 ** resolution_log2}; received {lod}.')
    level = int(math.floor(lod))
    return level, lod - level


class Mapping(NamedLayer):
    """z (and a label) -> w, one row for each style layer (section 2, Figure 1b)."""

    def __init__(self, config: GeneratorConfig, scope='G_mapping'):
        super().__init__(scope)
        self.config = config
        if config.label_size:
            self.add('LabelConcat/weight', [config.label_size, config.latent_size],
                     tf.random_normal_initializer(0, 1))
        fan_in = config.mapping_input_size
        for i in range(config.mapping_layers):
            last = i == config.mapping_layers - 1
            fan_out = config.dlatent_size if last else config.mapping_fmaps
            setattr(self, f'dense{i}', Dense(f'{scope}/Dense{i}', fan_in, fan_out,
                                             use_wscale=config.use_wscale,
                                             lrmul=config.mapping_lrmul))
            setattr(self, f'bias{i}', Bias(f'{scope}/Dense{i}', fan_out, config.mapping_lrmul))
            fan_in = fan_out

    def call(self, z, labels=None):
        """z: [N, latent_size] ~ N(0, 1); labels: [N, label_size] -> w: [N, L, dlatent_size]."""
        x = tf.cast(z, tf.float32)
        if self.config.label_size:
            labels = checked_labels(labels, self.config.label_size)
            x = tf.concat([x, tf.matmul(labels, self.LabelConcat_weight)], axis=1)
        if self.config.normalize_latents:
            x = layers.pixel_norm(x)
        activation = layers.NONLINEARITIES[self.config.mapping_nonlinearity]
        for i in range(self.config.mapping_layers):
            x = activation(getattr(self, f'bias{i}')(getattr(self, f'dense{i}')(x)))
        return tf.tile(x[:, tf.newaxis], [1, self.config.num_styles, 1])


def checked_labels(labels, label_size):
    """labels as a float32 tensor [N, label_size]; ValueError where there are none."""
    if labels is None:
        raise ValueError(f'labels must be given for a conditional network; received None, '
                         f'expected [N, {label_size}] (one-hot rows, say).')
    labels = tf.cast(labels, tf.float32)
    if labels.shape[-1] != label_size:
        raise ValueError(f'labels must have {label_size} components; received the shape '
                         f'{tuple(labels.shape)}.')
    return labels


class Epilogue(NamedLayer):
    """What follows each convolution: noise, bias, activation, norms, style (Figure 1b)."""

    def __init__(self, config: GeneratorConfig, scope, index, channels, bias_is_added=False):
        super().__init__(scope)
        self.index = index                          # style layer, 0..L-1
        self.config = config
        self.bias_is_added = bias_is_added          # by whoever calls, before the blur
        if config.use_noise:
            self.noise = layers.Noise(f'{scope}/Noise', channels)
        self.bias = Bias(scope, channels)
        if config.use_styles:
            self.style = layers.StyleModulation(f'{scope}/StyleMod', config.dlatent_size, channels,
                                                config.use_wscale)

    def call(self, x, w, noise):
        """x: [N, H, W, C]; w: [N, L, dlatent]; noise: [N or 1, H, W, 1] or None."""
        if self.config.use_noise:
            x = self.noise(x, noise)
        if not self.bias_is_added:
            x = self.bias(x)
        x = layers.clamped(layers.NONLINEARITIES[self.config.nonlinearity](x))
        if self.config.use_pixel_norm:
            x = layers.pixel_norm(x)
        if self.config.use_instance_norm:
            x = layers.instance_norm(x, self.config.instance_norm_epsilon)
        if self.config.use_styles:
            x = self.style(x, w[:, self.index])
        return x


class ConstInput(NamedLayer):
    """The learned constant that the synthesis network starts from (section 2)."""

    def __init__(self, scope, channels):
        super().__init__(scope)
        self.add('const', [1, channels, 4, 4], 'ones')

    def call(self, w):
        """-> [N, 4, 4, C]."""
        x = tf.transpose(self.const, [0, 2, 3, 1])
        return tf.tile(x, [tf.shape(w)[0], 1, 1, 1])


class DenseInput(NamedLayer):
    """4x4 features from w through a dense layer (ProGAN's input; row D of Table 1 and before)."""

    def __init__(self, scope, fan_in, channels, use_wscale):
        super().__init__(scope)
        # The reference's gain for this layer: sqrt(2) / 4, "tweaked to match" ProGAN's original.
        self.dense = Dense(scope, fan_in, channels * 16, gain=layers.ACTIVATION_GAIN / 4,
                           use_wscale=use_wscale)
        self.channels = channels

    def call(self, x):
        """x: [N, fan_in] -> [N, 4, 4, C]."""
        x = tf.reshape(self.dense(x), [-1, self.channels, 4, 4])
        return tf.transpose(x, [0, 2, 3, 1])


class ToRGB(NamedLayer):
    """1x1 convolution to the image's channels: [N, H, W, C] -> float32 [N, H, W, num_channels]."""

    def __init__(self, scope, fan_in, num_channels, use_wscale):
        super().__init__(scope)
        self.conv = Conv2D(scope, fan_in, num_channels, 1, gain=1, use_wscale=use_wscale)
        self.bias = Bias(scope, num_channels)

    def call(self, x):
        return self.bias(tf.cast(layers.clamped(self.conv(x)), tf.float32))


def use_fused(fused_scale, resolution):
    """Whether the up-/down-convolution at `resolution` (its larger side) takes the fused form."""
    return resolution >= FUSED_FROM_RESOLUTION if fused_scale == 'auto' else bool(fused_scale)


class Synthesis(NamedLayer):
    """w -> images, one 4x4 block and then two convolutions a resolution (Figure 1b)."""

    def __init__(self, config: GeneratorConfig, precision=FLOAT32, scope='G_synthesis'):
        super().__init__(scope)
        self.config, self.precision = config, precision
        if config.use_noise:
            for i in range(config.num_layers):
                size = 2 ** (i // 2 + 2)
                self.add(f'noise{i}', [1, 1, size, size], tf.random_normal_initializer(0, 1),
                         trainable=False)
        self._build_first_block()
        for r in range(3, config.resolution_log2 + 1):
            self._build_block(r)
        for r in range(2, config.resolution_log2 + 1):
            lod = config.resolution_log2 - r
            to_rgb = ToRGB(f'{scope}/ToRGB_lod{lod}', config.nf(r - 1), config.num_channels,
                           config.use_wscale)
            setattr(self, f'to_rgb{r}', to_rgb.only_at(levels_of_rgb(config, r)))

    def _build_first_block(self):
        config, channels = self.config, self.config.nf(1)
        if config.const_input_layer:
            name = f'{self.scope}/4x4/Const'
            self.input_layer = ConstInput(name, channels)
        else:
            name = f'{self.scope}/4x4/Dense'
            self.input_layer = DenseInput(name, config.dlatent_size, channels, config.use_wscale)
        self.epilogue0 = Epilogue(config, name, 0, channels)
        name = f'{self.scope}/4x4/Conv'
        self.conv1 = Conv2D(name, channels, channels, 3, use_wscale=config.use_wscale)
        self.epilogue1 = Epilogue(config, name, 1, channels)

    def _build_block(self, r):
        config, size, i = self.config, 2 ** r, 2 * r - 4
        channels, wscale = config.nf(r - 1), {'use_wscale': config.use_wscale}
        name = f'{self.scope}/{size}x{size}/Conv0_up'
        self._add_conv(r, i, name, UpConv2D(name, config.nf(r - 2), channels,
                                            use_fused(config.fused_scale, size), **wscale))
        name = f'{self.scope}/{size}x{size}/Conv1'
        self._add_conv(r, i + 1, name, Conv2D(name, channels, channels, 3, **wscale))

    def _add_conv(self, r, i, name, conv):
        """Style layer i, at 2^r pixels: a convolution with its epilogue."""
        is_up = isinstance(conv, UpConv2D)
        epilogue = Epilogue(self.config, name, i, self.config.nf(r - 1),
                            bias_is_added=is_up and self.config.bias_before_blur)
        setattr(self, f'conv{i}', conv.only_at(levels_of_block(self.config, r)))
        setattr(self, f'epilogue{i}', epilogue.only_at(levels_of_block(self.config, r)))

    def call(self, w, lod=0.0, randomize_noise=True, seed=None):
        """w: [N, L, dlatent_size] -> images [N, 2^(R-floor(lod)), same, channels], about [-1, 1].

        randomize_noise=False: the stored noise maps, the same for every image.
        seed: a stateless pair for the noise; None = the global generator.
        """
        level, alpha = split_lod(lod, self.config.resolution_log2)
        w = tf.cast(w, tf.float32)
        return self.at_level(w, level, alpha, self.noise_maps(tf.shape(w)[0], level,
                                                              randomize_noise, seed))

    def noise_maps(self, batch, level, randomize_noise, seed=None):
        """One noise image [N or 1, H, W, 1] for each layer up to `level`; None without noise."""
        maps = []
        for i in range(self.config.num_layers - 2 * level):
            size = 2 ** (i // 2 + 2)
            if not self.config.use_noise:
                maps.append(None)
            elif randomize_noise:
                maps.append(random_normal([batch, size, size, 1], folded_seed(seed, i)))
            else:
                maps.append(tf.reshape(getattr(self, f'noise{i}'), [1, size, size, 1]))
        return maps

    def at_level(self, w, level, alpha, noise):
        """Images at `level` (int), with `alpha` (number or tensor) of the coarser one blended in.

        noise: as from `noise_maps`.
        """
        x = tf.cast(self.input_layer(w[:, 0]), self.precision.dtype_at(2, self.config))
        x = self.epilogue0(x, w, noise[0])
        x = self.epilogue1(self.conv1(x), w, noise[1])
        coarser = x
        for r in range(3, self.config.resolution_log2 - level + 1):
            coarser, i = x, 2 * r - 4
            x = tf.cast(x, self.precision.dtype_at(r, self.config))
            x, epilogue = getattr(self, f'conv{i}')(x), getattr(self, f'epilogue{i}')
            if epilogue.bias_is_added:
                x = epilogue.bias(x)
            x = epilogue(layers.blur2d(x, self.config.blur_filter), w, noise[i])
            x = getattr(self, f'epilogue{i + 1}')(getattr(self, f'conv{i + 1}')(x), w, noise[i + 1])
        return blended_rgb(self, x, coarser, self.config.resolution_log2 - level, alpha)


def blended_rgb(synthesis, x, coarser, r, alpha):
    """toRGB at 2^r pixels, faded with the next coarser one (ProGAN, Figure 2)."""
    images = getattr(synthesis, f'to_rgb{r}')(x)
    nothing_blended = isinstance(alpha, (int, float)) and alpha == 0
    if r > 2 and not nothing_blended:
        images = lerp(images, layers.upscale2d(getattr(synthesis, f'to_rgb{r - 1}')(coarser)),
                      alpha)
    return images


class DlatentAverage(NamedLayer):
    """The moving average of w that truncation pulls towards (appendix B)."""

    def __init__(self, dlatent_size):
        super().__init__('')
        self.add('dlatent_avg', [dlatent_size], 'zeros', trainable=False)


class Draws(NamedTuple):
    """All that chance decides in one training pass of G, for the images of one replica."""
    per_image: Any = ()    # any nest of tensors [N, ...]
    first_rows: Any = None  # int32 []: rows of w that come from the first latent; None = all


class Generator(tf.keras.Model):
    """Mapping and synthesis, with truncation, style mixing and the average w (G_style).

    precision: what training passes compute in; variables are float32 in any case.
    """
    has_w = True  # z is mapped to w, which truncation and mixing act on

    def __init__(self, config: GeneratorConfig, precision=FLOAT32):
        super().__init__()
        self.built = True  # Keras 3 would call it to find that out
        self.config = config
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config, precision)
        self.average = DlatentAverage(config.dlatent_size)

    @property
    def dlatent_avg(self):
        """tf.Variable [dlatent_size]."""
        return self.average.dlatent_avg

    def call(self, z, labels=None, truncation_psi=FROM_CONFIG, truncation_cutoff=FROM_CONFIG,
             lod=0.0, randomize_noise=True, training=False, seed=None):
        """z: [N, latent_size], labels: [N, label_size] -> images [N, r, r, C], about [-1, 1].

        Args:
            truncation_psi: pulls w towards its average (appendix B): 1 or None = not at all,
                0 = onto the average. The config's (0.7) where not given.
            truncation_cutoff: first layers that are truncated, None = all: only then is psi 0 the
                average image. The config's (8) where not given.
            lod: level of detail, a Python number; r = 2^(R - floor(lod)).
            randomize_noise: False = the stored noise maps.
            training: no truncation; style mixing with the config's probability, and the average w
                is moved.
            seed: a stateless pair for all draws; None = the global generator.
        """
        level, alpha = split_lod(lod, self.config.resolution_log2)
        if training:
            draws = self.training_draws(tf.shape(z)[0], level, randomize_noise, True, seed)
            images, mean_w = self.training_images(z, labels, level, alpha, draws)
            self.move_average(mean_w)
            return images
        psi = self.config.truncation_psi if truncation_psi is FROM_CONFIG else truncation_psi
        cutoff = (self.config.truncation_cutoff if truncation_cutoff is FROM_CONFIG
                  else truncation_cutoff)
        w = self.truncated(self.mapping(z, labels), psi, cutoff)
        noise = self.synthesis.noise_maps(tf.shape(w)[0], level, randomize_noise,
                                          folded_seed(seed, 0))
        return self.synthesis.at_level(w, level, alpha, noise)

    def training_draws(self, batch, level, randomize_noise, style_mixing, seed=None):
        """The Draws of one training pass: noise images, and the style mixing of section 3.1.

        With the config's probability, one draw for the whole batch, a second latent's w takes over
        from a random layer on.
        """
        config, per_image = self.config, {'noise': (), 'second_z': None}
        if randomize_noise and config.use_noise:
            per_image['noise'] = self.synthesis.noise_maps(batch, level, True, folded_seed(seed, 0))
        if not (style_mixing and config.style_mixing_prob and config.num_styles > 1):
            return Draws(per_image)
        per_image['second_z'] = random_normal([batch, config.latent_size], folded_seed(seed, 1))
        cutoff = random_uniform([], folded_seed(seed, 2), minval=1, dtype=tf.int32,
                                maxval=config.num_layers - 2 * level)
        mix = random_uniform([], folded_seed(seed, 3)) < config.style_mixing_prob
        return Draws(per_image, tf.where(mix, cutoff, config.num_layers))

    def training_images(self, z, labels, level, alpha, draws):
        """Images for a training step, at `level` (int) and `alpha`, with what `draws` holds.

        Returns: images [N, r, r, C], and the mean w [dlatent_size] for `move_average`.
        """
        w = self.mapping(z, labels)
        mean_w = tf.stop_gradient(tf.reduce_mean(w[:, 0], axis=0))
        if draws.first_rows is not None:
            second = self.mapping(draws.per_image['second_z'], labels)
            first = tf.range(self.config.num_layers) < draws.first_rows
            w = tf.where(first[tf.newaxis, :, tf.newaxis], w, second)
        noise = draws.per_image['noise'] or self.synthesis.noise_maps(1, level, False)
        return self.synthesis.at_level(w, level, alpha, noise), mean_w

    def move_average(self, mean_w):
        """dlatent_avg <- lerp(mean w of the minibatch, dlatent_avg, beta)."""
        if self.config.dlatent_avg_beta is not None:
            assign(self.dlatent_avg, lerp(mean_over_replicas(mean_w), self.dlatent_avg,
                                          self.config.dlatent_avg_beta))

    def truncated(self, w, psi, cutoff):
        """lerp(dlatent_avg, w, psi) in the first `cutoff` rows of w (None: in all)."""
        if psi is None:
            return w
        rows = self.config.num_styles
        truncate = tf.range(rows) < (rows if cutoff is None else cutoff)
        psi = tf.where(truncate, tf.cast(psi, tf.float32), 1.0)[tf.newaxis, :, tf.newaxis]
        return lerp(self.dlatent_avg, w, psi)


class FromRGB(NamedLayer):
    """1x1 convolution from an image, bias, activation: [N, H, W, channels] -> [N, H, W, C]."""

    def __init__(self, scope, num_channels, fan_out, activation, use_wscale):
        super().__init__(scope)
        self.conv = Conv2D(scope, num_channels, fan_out, 1, use_wscale=use_wscale)
        self.bias = Bias(scope, fan_out)
        self.activation = activation

    def call(self, images):
        return layers.clamped(self.activation(self.bias(self.conv(images))))


class DiscriminatorBlock(NamedLayer):
    """Two convolutions, the second one halving the size: [N, H, W, in] -> [N, H/2, W/2, out]."""

    def __init__(self, names, fan_in, fan_out, activation, blur_filter, use_wscale,
                 widen_first=False):
        super().__init__(names[0])
        between = fan_out if widen_first else fan_in
        self.conv0 = Conv2D(names[0], fan_in, between, 3, use_wscale=use_wscale)
        self.bias0 = Bias(names[0], between)
        self.conv1 = DownConv2D(names[1], between, fan_out, use_wscale=use_wscale)
        self.bias1 = Bias(names[1], fan_out)
        self.activation = activation
        self.blur_filter = blur_filter

    def call(self, x):
        x = layers.clamped(self.activation(self.bias0(self.conv0(x))))
        return self._halved(layers.blur2d(x, self.blur_filter))

    def _halved(self, x):
        return layers.clamped(self.activation(self.bias1(self.conv1(x))))


class DiscriminatorHead(NamedLayer):
    """4x4: minibatch stddev, a convolution, two dense layers -> scores [N, num_scores]."""

    def __init__(self, config, num_scores, num_features, activation):
        super().__init__('4x4')
        channels, fmaps = config.nf(1), config.nf(0)
        self.group_size, self.num_features = config.mbstd_group_size, num_features
        extra = num_features if config.mbstd_group_size > 1 else 0
        self.conv = Conv2D('4x4/Conv', channels + extra, channels, 3, use_wscale=config.use_wscale)
        self.bias = Bias('4x4/Conv', channels)
        self.dense0 = Dense('4x4/Dense0', channels * 16, fmaps, use_wscale=config.use_wscale)
        self.bias0 = Bias('4x4/Dense0', fmaps)
        self.dense1 = Dense('4x4/Dense1', fmaps, num_scores, gain=1, use_wscale=config.use_wscale)
        self.bias1 = Bias('4x4/Dense1', num_scores)
        self.activation = activation

    def call(self, x):
        x = tf.cast(x, tf.float32)
        if self.group_size > 1:
            x = layers.minibatch_stddev(x, self.group_size, self.num_features)
        x = self.activation(self.bias(self.conv(x)))
        x = tf.transpose(x, [0, 3, 1, 2])  # the reference flattens C, H, W
        x = tf.reshape(x, [-1, x.shape[1] * 16])
        x = self.activation(self.bias0(self.dense0(x)))
        return self.bias1(self.dense1(x))


class GrowingDiscriminator(tf.keras.Model):
    """What StyleGAN's and ProGAN's discriminators share: fromRGB at each size, blocks, fading.

    make_block: (size, fan_in, fan_out) -> the block that takes images from `size` to size / 2.
    """

    def __init__(self, config, precision, activation, make_block, num_scores, num_features,
                 rgb_activation=True):
        super().__init__()
        self.built = True  # Keras 3 would call it to find that out
        self.config, self.precision = config, precision
        resolution_log2 = config.resolution_log2
        of_rgb = activation if rgb_activation else tf.identity
        for r in range(2, resolution_log2 + 1):
            from_rgb = FromRGB(f'FromRGB_lod{resolution_log2 - r}', config.num_channels,
                               config.nf(r - 1), of_rgb, config.use_wscale)
            setattr(self, f'from_rgb{r}', from_rgb.only_at(levels_of_rgb(config, r)))
        for r in range(3, resolution_log2 + 1):
            block = make_block(2 ** r, config.nf(r - 1), config.nf(r - 2))
            setattr(self, f'block{r}', block.only_at(levels_of_block(config, r)))
        self.head = DiscriminatorHead(config, num_scores, num_features, activation)

    def call(self, images, labels=None, lod=0.0):
        """images: [N, r, r, C], [-1, 1], r = 2^(R - floor(lod)); labels: [N, label_size] -> [N, 1].

        lod: a Python number. ValueError where the images' size is not the one that lod names.
        """
        level, alpha = split_lod(lod, self.config.resolution_log2)
        images = tf.cast(images, tf.float32)
        size = self.config.resolution >> level
        if tuple(images.shape[1:]) != (size, size, self.config.num_channels):
            raise ValueError(f'images must be [N, {size}, {size}, {self.config.num_channels}] at '
                             f'lod {lod}; received {tuple(images.shape)}.')
        return self.at_level(images, labels, level, alpha)

    def at_level(self, images, labels, level, alpha):
        """Scores [N, 1] at `level` (int), `alpha` (number or tensor) of the coarser path."""
        r, dtype_at = self.config.resolution_log2 - level, self.precision.dtype_at
        x = getattr(self, f'from_rgb{r}')(tf.cast(images, dtype_at(r, self.config)))
        if r > 2:
            dtype = dtype_at(r - 1, self.config)
            x = tf.cast(getattr(self, f'block{r}')(x), dtype)
            coarser = layers.downscale2d(images)
            coarser = getattr(self, f'from_rgb{r - 1}')(tf.cast(coarser, dtype))
            x = lerp(x, coarser, tf.cast(alpha, dtype))
        for s in range(r - 1, 2, -1):
            x = getattr(self, f'block{s}')(tf.cast(x, dtype_at(s, self.config)))
        return self._scores(self.head(x), labels)

    def _scores(self, scores, labels):
        del labels
        return scores

    def finest_layers(self, count):
        """The first `count` layers from the image on, as FreezeD counts them (Mo et al. 2020).

        FromRGB of the full resolution, then Conv0 and Conv1 of each resolution, the finest first;
        FromRGB of a coarser level goes with the Conv0 of its resolution. The 4x4 layers are never
        among them.
        """
        finest = self.config.resolution_log2
        counted = [[getattr(self, f'from_rgb{finest}')]]
        for r in range(finest, 2, -1):
            block = getattr(self, f'block{r}')
            own_rgb = [] if r == finest else [getattr(self, f'from_rgb{r}')]
            counted += [[*own_rgb, block.conv0, block.bias0], [block.conv1, block.bias1]]
        return sum(counted[:count], [])


class Discriminator(GrowingDiscriminator):
    """StyleGAN's discriminator (D_basic): one score an image, that of its class with labels."""

    def __init__(self, config: DiscriminatorConfig, precision=FLOAT32):
        activation = layers.NONLINEARITIES[config.nonlinearity]

        def make_block(size, fan_in, fan_out):
            names = [f'{size}x{size}/Conv0', f'{size}x{size}/Conv1_down']
            return DiscriminatorBlock(names, fan_in, fan_out, activation, config.blur_filter,
                                      config.use_wscale, config.widen_first)

        super().__init__(config, precision, activation, make_block, max(config.label_size, 1),
                         config.mbstd_num_features, config.rgb_activation)

    def _scores(self, scores, labels):
        if not self.config.label_size:
            return scores
        labels = checked_labels(labels, self.config.label_size)
        return tf.reduce_sum(scores * labels, axis=1, keepdims=True)
