"""What an exported network can do: its functions, and names, shapes and units of what they take."""

from __future__ import annotations

from typing import Callable, NamedTuple

import tensorflow as tf

from training.layers import gradients_of_tensorflow
from training.sampler import as_uint8

IMAGE_SIGNATURE = 'z_to_image'


class Value(NamedTuple):
    """A tensor that a function takes or gives."""
    name: str
    shape: tuple      # None = any number: the minibatch
    dtype: str
    words: str        # what it is, and its unit or range
    example: str      # Python that makes one for a single image; '' of what a function gives


class Signature(NamedTuple):
    """A function of a network."""
    name: str
    words: str
    inputs: tuple[Value, ...]
    output: Value
    function: Callable   # (a tensor for each of `inputs`) -> the output


def compiled(signature):
    """A tf.function that takes a Signature's inputs by name; gives {its output's name: tensor}."""
    specs = [tf.TensorSpec(value.shape, value.dtype, value.name) for value in signature.inputs]

    @tf.function(input_signature=specs)
    def function(*tensors):
        with gradients_of_tensorflow():
            return {signature.output.name: signature.function(*tensors)}

    return function


def for_one_image(signature):
    """The Signature with minibatches of one image only: some runtimes plan ahead then."""
    inputs, output = ([value._replace(shape=(1, *value.shape[1:])) if value.shape else value
                       for value in values] for values in (signature.inputs, [signature.output]))
    return signature._replace(inputs=tuple(inputs), output=output[0])


def _labels(label_size):
    return (Value('labels', (None, label_size), 'float32', 'classes, as rows with a single 1',
                  f"numpy.eye({label_size}, dtype='float32')[:1]"),) if label_size else ()


def _images(size, channels, in_uint8=False):
    if in_uint8:
        return Value('images', (None, size, size, channels), 'uint8', 'images, 0..255', '')
    return Value('images', (None, size, size, channels), 'float32',
                 'images, about [-1, 1]: 127.5 x + 128, clipped, are bytes',
                 f"numpy.zeros([1, {size}, {size}, {channels}], 'float32')")


def _latents(config):
    return Value('z', (None, config.latent_size), 'float32',
                 f'latents, N(0, 1); seed s is numpy.random.RandomState(s).randn(1, '
                 f'{config.latent_size})',
                 f"numpy.random.RandomState(0).randn(1, {config.latent_size}).astype('float32')")


def _truncation(config):
    rows = config.num_styles
    psi = 1.0 if config.truncation_psi is None else config.truncation_psi
    cutoff = rows if config.truncation_cutoff is None else min(config.truncation_cutoff, rows)
    return (Value('psi', (), 'float32', f'truncation: 1 = none, 0 = the average w; its own is '
                  f'{psi:g}', f"numpy.array({psi:g}, 'float32')"),
            Value('cutoff', (), 'int32', f'first style layers that are truncated, 0..{rows}; its '
                  f'own is {cutoff}', f"numpy.array({cutoff}, 'int32')"))


def _noise_maps(sampler):
    """A Value for each noise map of the network."""
    return tuple(Value(f'noise_{i}', (None, *noise.shape[1:]), 'float32',
                       'noise, N(0, 1), a map for all images or one for each',
                       f"numpy.random.randn{tuple(noise.shape)}.astype('float32')")
                 for i, noise in enumerate(sampler.stored_noise()))


def _kept_apart(noise_maps, w):
    """The same maps, but converters cannot tell that they are the same for every w.

    They would multiply them by the strengths of all channels, and write what comes out: a gigabyte
    for 1024x1024 pixels.
    """
    zero = tf.minimum(tf.abs(w[0, 0, 0]), 0.0)
    return [maps + zero for maps in noise_maps]


def of_generator(sampler, noise='stored', in_uint8=False):
    """The Signatures of a Sampler's generator: z to image; with a w also z to w, and w to image.

    Args:
        noise: 'stored' = the network's own maps, 'input' = each is an input, 'none'.
        in_uint8: images are uint8, truncated as in the reference's tools, instead of float32.
    """
    config = sampler.config
    z, labels = _latents(config), _labels(config.label_size)
    images = _images(sampler.resolution, sampler.num_channels, in_uint8)
    maps = _noise_maps(sampler) if noise == 'input' and sampler.has_noise else ()

    def drawn(w, *noise_maps):
        if not sampler.has_noise:
            noise_maps = sampler.stored_noise()   # what stands for it in such a network
        elif not noise_maps:
            noise_maps = _kept_apart(sampler.stored_noise(() if noise == 'none' else None), w)
        result = sampler.drawn(w, noise_maps)
        return as_uint8(result) if in_uint8 else result

    if not sampler.has_w:
        return [Signature(IMAGE_SIGNATURE, 'latents to images', (z, *labels), images,
                          lambda *inputs: drawn(sampler.mapped(*inputs)))]
    w = Value('w', (None, config.num_styles, config.dlatent_size), 'float32',
              'intermediate latents, a row for each style layer',
              f"numpy.zeros([1, {config.num_styles}, {config.dlatent_size}], 'float32')")
    before = z, *labels, *_truncation(config)

    def mapped(*inputs):
        *of_mapping, psi, cutoff = inputs
        return sampler.Gs.truncated(sampler.mapped(*of_mapping), psi, cutoff)

    return [Signature(IMAGE_SIGNATURE, 'latents to images', (*before, *maps), images,
                      lambda *inputs: drawn(mapped(*inputs[:len(before)]), *inputs[len(before):])),
            Signature('z_to_w', 'latents to w, truncated', before, w, mapped),
            Signature('w_to_image', 'w to images', (w, *maps), images, drawn)]


def of_discriminator(D, level, alpha):
    """The Signature of a discriminator at `level` (int), `alpha` (a number)."""
    size = D.config.resolution >> level
    scores = Value('scores', (None, 1), 'float32', 'higher = more like real images to it', '')

    def scored(images, labels=None):
        return D.at_level(images, labels, level, alpha)

    group = D.config.mbstd_group_size
    words = 'images to scores' if group < 2 else (
        f'images to scores, which depend on the other images of a group: {group}, or all if they '
        'are fewer; a minibatch is a multiple of it')
    return Signature('image_to_score', words, (_images(size, D.config.num_channels),
                                               *_labels(D.config.label_size)), scores, scored)
