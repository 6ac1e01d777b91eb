"""The layers of StyleGAN and ProGAN, NHWC: each holds its variables under the reference's names.

Variables keep the reference's own layouts (kernels [kh, kw, in, out], dense [in, out]), so network
files and recorded weights fit without transposing. Activations may be of a lower precision than
the variables: weights are cast to the type of what they meet; statistics are taken in float32.
Sources: Karras et al. 2018 (StyleGAN), section 2 and appendix C; Karras et al. 2017 (ProGAN),
section 4 and appendix A.
"""

from __future__ import annotations

import contextvars

import numpy as np
import tensorflow as tf

from training import compat
from training.precision import convolved
from training.prepared import prepared
from training.scoped import within

ACTIVATION_GAIN = np.sqrt(2)  # He et al. 2015; the reference uses it for ReLU and leaky ReLU alike
LEAK = 0.2                  # slope of the leaky ReLU below 0
FLOAT16_CLAMP = 256.0       # an overflow in one place would make all that follows infinite
POOLED_MEAN_UP_TO = 64     # pixels; a GPU's pooling of whole larger images would be slow
# [16, 9]: each place of a 4x4 kernel, as the sum of those of a 3x3 kernel in its four shifts.
SHIFTS = np.kron(*2 * [np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])])


class _Shape(tf.TensorSpec):
    """What stands for a variable where only shapes are wanted: one may say what it would be."""


class NamedLayer(tf.keras.layers.Layer):
    """A layer built on construction, whose variables are known as `scope/name` of the reference."""

    def __init__(self, scope):
        super().__init__(autocast=False)  # Keras would cast bfloat16 activations to float32
        self.scope = scope
        self.levels = None  # those whose images it takes part in, a range; None = all
        self.variable_names = ()
        self.built = True

    def add(self, name, shape, initializer, trainable=True):
        """Creates the variable `scope/name`; returns it."""
        full_name = f'{self.scope}/{name}' if self.scope else name
        attribute = name.replace('/', '_')
        if _shapes_only.get():
            variable = _Shape(shape, tf.float32, full_name)
            variable.trainable = trainable
        else:
            variable = compat.tf_variable(self.add_weight(
                name=compat.weight_name(full_name), shape=shape, dtype=tf.float32,
                initializer=initializer, trainable=trainable))
        self.variable_names += (full_name,)
        setattr(self, attribute, variable)
        return variable

    def only_at(self, levels):
        """Says at which levels (a range) it takes part, with all layers inside; returns itself."""
        self.levels = levels
        return self


_shapes_only = contextvars.ContextVar('shapes_only', default=False)


def shapes_only():
    """Networks built inside have shapes (tf.TensorSpec) for variables, and take no memory."""
    return within(_shapes_only, True)


def _children(network):
    return [layer for layer in vars(network).values() if isinstance(layer, NamedLayer)]


def _depth_first(network):
    """All NamedLayers inside `network`, each followed by those inside it: Keras' order."""
    own = [network] if isinstance(network, NamedLayer) else []
    return sum((_depth_first(layer) for layer in _children(network)), own)


def _inside(network):
    children = _children(network)
    return sum((_inside(layer) for layer in children), children)


def named_layers(network):
    """All NamedLayers inside `network`, itself included; those side by side before those inside."""
    return ([network] if isinstance(network, NamedLayer) else []) + _inside(network)


def _own_variables(layer):
    """{reference name: tf.Variable} of a layer without those inside it."""
    return {name: getattr(layer, name[len(layer.scope):].lstrip('/').replace('/', '_'))
            for name in layer.variable_names}


def named_variables(network):
    """{reference name: tf.Variable} of all layers inside `network`, non-trainable ones included."""
    return {name: variable for layer in named_layers(network)
            for name, variable in _own_variables(layer).items()}


def trained_variables(network):
    """The trainable tf.Variables of `network`, in the order in which optimizers keep moments."""
    return [variable for layer in _depth_first(network)
            for variable in _own_variables(layer).values() if variable.trainable]


def copy_weights(source, target):
    """Copies every variable, non-trainable ones included; both networks have the same config."""
    targets = named_variables(target)
    for name, variable in named_variables(source).items():
        targets[name].assign(variable)


_own_gradients = contextvars.ContextVar('own_gradients', default=True)


def gradients_of_tensorflow():
    """Inside, no layer has a gradient of its own, which other programs could not load."""
    return within(_own_gradients, False)


def leaky_relu(x):
    """max(x, 0.2 x)."""
    return _leaky_relu(x) if _own_gradients.get() else tf.nn.leaky_relu(x, alpha=LEAK)


@tf.autograph.experimental.do_not_convert  # it would take the function without its gradient
@tf.custom_gradient
def _leaky_relu(x):
    """The same, with a gradient that looks at the result, which has the sign of x.

    So x need not be kept, and becomes part of the convolution before it.
    """
    y = tf.nn.leaky_relu(x, alpha=LEAK)
    return y, lambda gradient: _times_slope(gradient, y)


@tf.autograph.experimental.do_not_convert
@tf.custom_gradient
def _times_slope(x, y):
    """x where y > 0, else 0.2 x; the slope itself has no gradient."""
    return (tf.raw_ops.LeakyReluGrad(gradients=x, features=y, alpha=LEAK),
            lambda gradient: (_times_slope(gradient, y), None))


NONLINEARITIES = {'lrelu': leaky_relu, 'relu': tf.nn.relu}


def clamped(x):
    """float16 activations held within +-256; others as they are (Karras et al. 2020, ADA, D.1)."""
    return tf.clip_by_value(x, -FLOAT16_CLAMP, FLOAT16_CLAMP) if x.dtype == tf.float16 else x


def upscale2d(x, factor=2):
    """Nearest-neighbour upscaling: [N, H, W, C] -> [N, H * factor, W * factor, C]."""
    return x if factor == 1 else tf.repeat(tf.repeat(x, factor, axis=1), factor, axis=2)


def downscale2d(x, factor=2):
    """Mean of factor x factor blocks: [N, H, W, C] -> [N, H / factor, W / factor, C]."""
    return x if factor == 1 else tf.nn.avg_pool2d(x, factor, factor, 'VALID')


def blur2d(x, taps):
    """Depthwise [taps] x [taps] filter, normalized to sum 1, zero padding, SAME; None: identity."""
    if taps is None:
        return x
    kernel = np.outer(taps, taps).astype(np.float32)
    kernel = np.tile((kernel / kernel.sum())[:, :, np.newaxis, np.newaxis], [1, 1, x.shape[-1], 1])
    return convolved(lambda x, kernel: tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], 'SAME'),
                     x, tf.constant(kernel, x.dtype))


def conv2d(x, kernel, stride=1):
    """[N, H, W, in] -> [N, H / stride, W / stride, out], SAME."""
    return convolved(lambda x, kernel: tf.nn.conv2d(x, kernel, stride, 'SAME'), x, kernel)


def lerp(a, b, t):
    """a + (b - a) * t: exactly a at t = 0."""
    return a + (b - a) * t


def pixel_norm(x, epsilon=1e-8):
    """x * rsqrt(mean over channels of x^2 + epsilon), in float32 (ProGAN, section 4.2)."""
    y = tf.cast(x, tf.float32)
    y *= tf.math.rsqrt(tf.reduce_mean(tf.square(y), axis=-1, keepdims=True) + epsilon)
    return tf.cast(y, x.dtype)


def times(variable, scale):
    """variable * scale; a scale of 1 costs neither an operation nor one of the gradient's."""
    return tf.convert_to_tensor(variable) if scale == 1 else variable * scale


class Bias(NamedLayer):
    """Adds a learned number to each channel: [..., C] -> [..., C]."""

    def __init__(self, scope, channels, lrmul=1.0):
        super().__init__(scope)
        self.lrmul = lrmul
        self.add('bias', [channels], 'zeros')

    def call(self, x):
        return x + tf.cast(times(self.bias, self.lrmul), x.dtype)


class Weight(NamedLayer):
    """A weight with equalized learning rate (ProGAN, section 4.1)."""

    def __init__(self, scope, shape, gain=ACTIVATION_GAIN, use_wscale=True, lrmul=1.0):
        super().__init__(scope)
        he_std = float(gain / np.sqrt(np.prod(shape[:-1])))
        init_std = (1.0 if use_wscale else he_std) / lrmul
        self.scale = (he_std if use_wscale else 1.0) * lrmul
        self.add('weight', shape, tf.random_normal_initializer(0, init_std))

    def scaled(self, dtype):
        """The weight as it is used, float32 -> `dtype`."""
        return prepared(self._scaled, dtype)

    def _scaled(self):
        return times(self.weight, self.scale)


class Dense(Weight):
    """Equalized dense layer without bias: [N, in] -> [N, out]."""

    def __init__(self, scope, fan_in, fan_out, **weight_options):
        super().__init__(scope, [fan_in, fan_out], **weight_options)

    def call(self, x):
        return tf.matmul(x, self.scaled(x.dtype))


class Conv2D(Weight):
    """Equalized convolution without bias, SAME: [N, H, W, in] -> [N, H, W, out]."""

    def __init__(self, scope, fan_in, fan_out, kernel, **weight_options):
        super().__init__(scope, [kernel, kernel, fan_in, fan_out], **weight_options)

    def call(self, x):
        return conv2d(x, self.scaled(x.dtype))


class UpConv2D(Weight):
    """Doubles the size and convolves: [N, H, W, in] -> [N, 2H, 2W, out].

    Nearest upscaling followed by a 3x3 convolution is a stride-2 transposed convolution with the
    4x4 kernel that sums the four one-pixel shifts: 16 multiply-adds where there were 36. What the
    reference calls fused gives the numbers of the kernel turned by 180 degrees, so `fused` here
    says which of the two the weights were made for, not how they are computed.
    """

    def __init__(self, scope, fan_in, fan_out, fused, **weight_options):
        super().__init__(scope, [3, 3, fan_in, fan_out], **weight_options)
        self.fused = fused

    def _kernel(self):
        weight = tf.transpose(self._scaled(), [0, 1, 3, 2])
        return _sum_of_shifts(weight, SHIFTS if self.fused else SHIFTS[:, ::-1])  # or turned

    def call(self, x):
        kernel = prepared(self._kernel, x.dtype)
        shape = [tf.shape(x)[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
        return convolved(lambda x, kernel: tf.nn.conv2d_transpose(x, kernel, shape, 2, 'SAME'),
                         x, kernel)


def _sum_of_shifts(weight, shifts):
    """[3, 3, a, b] -> [4, 4, a, b]: the kernel of 2x2 blocks at once.

    As a product of matrices: gradients of slices would write the whole kernel for each of four.
    `shifts` are 0 and a power of two, which a GPU's TF32 does not round.
    """
    kernel = tf.matmul(tf.constant(shifts, tf.float32), tf.reshape(weight, [9, -1]))
    return tf.reshape(kernel, [4, 4, *weight.shape[2:]])


class DownConv2D(Weight):
    """Convolves and halves the size: [N, H, W, in] -> [N, H/2, W/2, out].

    A 3x3 convolution followed by a 2x2 mean is a stride-2 convolution with the 4x4 kernel that
    sums the four one-pixel shifts, borders included: 16 multiply-adds where there were 36.
    """

    def __init__(self, scope, fan_in, fan_out, **weight_options):
        super().__init__(scope, [3, 3, fan_in, fan_out], **weight_options)

    def _kernel(self):
        return _sum_of_shifts(self._scaled(), SHIFTS / 4)

    def call(self, x):
        return conv2d(x, prepared(self._kernel, x.dtype), stride=2)


class Noise(NamedLayer):
    """Adds one noise image to all channels, each with its own learned strength (section 2)."""

    def __init__(self, scope, channels):
        super().__init__(scope)
        self.add('weight', [channels], 'zeros')

    def call(self, x, noise):
        """x: [N, H, W, C]; noise: [N or 1, H, W, 1] ~ N(0, 1)."""
        return x + tf.cast(noise, x.dtype) * tf.cast(self.weight, x.dtype)


class StyleModulation(NamedLayer):
    """AdaIN's second half: scales and shifts each channel as w says (section 2, equation 1)."""

    def __init__(self, scope, dlatent_size, channels, use_wscale, gain=1):
        super().__init__(scope)
        self.channels = channels
        self.dense = Dense(scope, dlatent_size, 2 * channels, gain=gain, use_wscale=use_wscale)
        self.shift = Bias(scope, 2 * channels)

    def call(self, x, w):
        """x: [N, H, W, C]; w: [N, dlatent]."""
        style = tf.reshape(self.shift(self.dense(w)), [-1, 2, 1, 1, self.channels])
        style = tf.cast(style, x.dtype)
        return x * (style[:, 0] + 1) + style[:, 1]


def _spatial_mean(x):
    """Mean over H, W: [N, H, W, C] -> [N, 1, 1, C].

    Pooling and reduce_mean differ in the order of summation only, so in rounding. At the small
    sizes rounding matters: a channel that a ReLU has all but silenced has a variance below the
    epsilon, and instance norm amplifies its last bit ten thousand times.
    """
    size = x.shape[1]
    if size <= POOLED_MEAN_UP_TO:
        return tf.nn.avg_pool2d(x, size, 1, 'VALID')
    return tf.reduce_mean(x, axis=[1, 2], keepdims=True)


def instance_norm(x, epsilon=1e-8):
    """Subtracts each channel's mean over H, W and divides by its deviation, in float32.

    In two steps, as the reference does it: `tfa.layers.InstanceNormalization` multiplies first and
    then subtracts (tf.nn.batch_normalization), which costs digits where the variance is tiny.
    """
    y = tf.cast(x, tf.float32)
    y -= _spatial_mean(y)
    y *= tf.math.rsqrt(_spatial_mean(tf.square(y)) + epsilon)
    return tf.cast(y, x.dtype)


def minibatch_stddev(x, group_size, num_features):
    """Appends how much the images of a group differ as `num_features` constant channels.

    Group g is made of images g, g + N/G, g + 2N/G, ... (ProGAN, section 3).

    Args:
        x: [N, H, W, C]; N must be a multiple of G = min(group_size, N), C of num_features.
    Returns:
        [N, H, W, C + num_features].
    """
    batch, height, width, channels = x.shape
    if batch is None:
        group = tf.minimum(group_size, tf.shape(x)[0])
    else:
        group = min(group_size, batch)
        if batch % group:
            raise ValueError(f'minibatch must be a multiple of the minibatch-stddev group of '
                             f'{group}; received {batch}: {batch - batch % group} or '
                             f'{batch - batch % group + group} would do.')
    y = tf.reshape(tf.cast(x, tf.float32),
                   [group, -1, height, width, num_features, channels // num_features])
    y -= tf.reduce_mean(y, axis=0, keepdims=True)
    y = tf.sqrt(tf.reduce_mean(tf.square(y), axis=0) + 1e-8)
    y = tf.reduce_mean(y, axis=[1, 2, 4])                           # [N/G, F]
    y = tf.tile(y[:, tf.newaxis, tf.newaxis], [group, height, width, 1])
    return tf.concat([x, tf.cast(y, x.dtype)], axis=-1)


def _exact_spatial_mean(x):
    """`_spatial_mean` of images that need not be square, in two stages, which rounds less."""
    if all(size and size % 4 == 0 for size in x.shape[1:3]):
        x = tf.nn.avg_pool2d(x, 4, 4, 'VALID')
    return tf.reduce_mean(x, axis=[1, 2], keepdims=True)


def divided_instance_norm(x, epsilon):
    """`instance_norm` with another epsilon and, as PyTorch has it, a division by the root.

    A product with rsqrt, or means in one stage, would be further from PyTorch's rounding, which
    shows where many layers with norms follow each other. (tf.nn.moments in place of the means ends
    the graph optimizer of TensorFlow 2.15 where four steps are compiled as one.)
    """
    y = tf.cast(x, tf.float32)
    y -= _exact_spatial_mean(y)
    y /= tf.sqrt(_exact_spatial_mean(tf.square(y)) + epsilon)
    return tf.cast(y, x.dtype)


class InstanceNorm(NamedLayer):
    """Instance norm followed by a learned weight and bias for each channel: [N, H, W, C]."""

    def __init__(self, scope, channels, epsilon=1e-5):
        super().__init__(scope)
        self.epsilon = epsilon
        self.add('weight', [channels], 'ones')
        self.add('bias', [channels], 'zeros')

    def call(self, x):
        y = divided_instance_norm(x, self.epsilon)
        return y * tf.cast(self.weight, y.dtype) + tf.cast(self.bias, y.dtype)
