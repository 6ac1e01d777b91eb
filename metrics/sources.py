"""Where the images of a metric come from: a data set, or a generator that is asked for samples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrics import features
from metrics.devices import ONE_DEVICE
from metrics.perceptual_path_length import EPSILON, crop_to_face, lerp, slerp
from metrics.vgg16 import MIN_RESOLUTION
from training.build import build_network
from training.layers import copy_weights, upscale2d
from training.networks import split_lod

SAMPLES, PATHS = 0, 1  # what a draw is for, folded into the seed


class DatasetSource:
    """Images of a TFRecordDataset in its order.

    Args:
        minibatch: images at a time.
        mirror: flip each with probability 1/2, as training may have done; the flips follow from
            `seed`.
    """

    def __init__(self, dataset, minibatch, mirror=False, seed=0):
        self.dataset, self.minibatch, self.mirror, self.seed = dataset, minibatch, mirror, seed

    def images(self, count):
        """Yields uint8 [N, R, R, C]: the first `count` images."""
        random = np.random.default_rng(self.seed)
        for start in range(0, count, self.minibatch):
            indices = np.arange(start, min(start + self.minibatch, count))
            images = self.dataset.read(self.dataset.resolution, indices)
            if self.mirror:
                flipped = random.random(len(images)) < 0.5
                images[flipped] = images[flipped, :, ::-1]
            yield images


class _Sampler:
    """A generator as one device has it: its compiled functions, at full resolution."""

    def __init__(self, Gs, lod):
        self.Gs, self.has_w = Gs, hasattr(Gs, 'mapping')
        self.level, self.alpha = split_lod(lod, Gs.config.resolution_log2)
        self.generate = tf.function(self._generate, reduce_retracing=True)

    def _generate(self, z, labels, noise_seed):
        """(images, w); z in place of w where there is none."""
        if self.has_w:
            w = self.Gs.mapping(z, labels)
            noise = self.Gs.synthesis.noise_maps(tf.shape(z)[0], self.level, True, noise_seed)
            images = self.Gs.synthesis.at_level(w, self.level, self.alpha, noise)
        else:
            w, images = z, self.Gs.at_level(z, labels, self.level, self.alpha)
        return upscale2d(images, 2 ** self.level), w

    def _comparable_images(self, w, noise_seed, crop):
        """Images of w [N, L, dlatent_size] as LPIPS takes them, all with the same noise."""
        noise = self.Gs.synthesis.noise_maps(1, self.level, True, noise_seed)
        images = self.Gs.synthesis.at_level(w, self.level, self.alpha, noise)
        images = upscale2d(images, 2 ** self.level)
        images = crop_to_face(images) if crop else images
        return features.shrunk(features.rgb(images)) * 127.5 + 127.5

    def path_distances(self, distance, space, crop):
        """A compiled function: (two latents [2, N, latent_size], t [N, 1], labels, seed) -> [N].

        In w space the pairs lie t and t + EPSILON of the way between the latents; in z space they
        are the latents. For the arguments see `GeneratorSource.path_distances`.
        """
        def distances(latents, t, labels, noise_seed):
            if space == 'z':
                ends = [self.Gs.mapping(z, labels) for z in tf.unstack(latents)]
            else:
                start, end = (self.Gs.mapping(z, labels) for z in tf.unstack(latents))
                ends = [lerp(start, end, t[:, tf.newaxis]),
                        lerp(start, end, t[:, tf.newaxis] + EPSILON)]
            images = self._comparable_images(tf.concat(ends, axis=0), noise_seed, crop)
            return distance(*tf.split(images, 2))

        return tf.function(distances, reduce_retracing=True)


def _to_uint8(images):
    """training.images.to_uint8 on the images' own device: there it is quick, and so is fetching."""
    return tf.cast(tf.clip_by_value(images * 127.5 + 128, 0, 255), tf.uint8)


def _copy_of(Gs):
    """A generator of the same config and weights, its variables where they are made now."""
    copy = build_network(Gs.config)
    copy_weights(Gs, copy)
    return copy


class GeneratorSource:
    """Samples of a generator without truncation: the same ones for the same seed and minibatch."""

    def __init__(self, Gs, minibatch, seed, labels=None, lod=0.0, devices=ONE_DEVICE):
        """
        Args:
            Gs: training.networks.Generator, or ProGAN's; it serves the first device, copies of it
                the others.
            minibatch: images at a time.
            seed: an int that latents, labels and noise come from.
            labels: the reals' [M, label_size], of which rows are drawn; needed by a network that
                takes labels.
            lod: level of detail that Gs is trained to; images come out at full resolution always.
            devices: Devices that share the minibatches; the numbers are those of one.
        """
        if Gs.config.label_size and (labels is None or not len(labels)):
            raise ValueError(f'the network takes labels of {Gs.config.label_size} components: the '
                             'metrics need those of the reals; name the dataset.')
        self.Gs, self.minibatch, self.seed, self.labels = Gs, minibatch, seed, labels
        self.devices = devices
        self._samplers = devices.copies(
            lambda number: _Sampler(_copy_of(Gs) if number else Gs, lod))

    @property
    def has_w(self):
        """False for ProGAN, whose networks map z to images at once."""
        return self._samplers[0].has_w

    def _batches(self, count, purpose):
        """Yields (images in the batch, its random generator, a stateless seed for its noise)."""
        for number, start in enumerate(range(0, count, self.minibatch)):
            random = np.random.default_rng([self.seed, purpose, number])
            noise_seed = random.integers(2 ** 31, size=2).astype(np.int32)
            yield min(self.minibatch, count - start), random, noise_seed

    def _draw_z(self, random, count):
        return random.standard_normal([count, self.Gs.config.latent_size], np.float32)

    def _draw_labels(self, random, count):
        """float32 [count, label_size]; None for a network without labels."""
        if not self.Gs.config.label_size:
            return None
        return np.asarray(self.labels, np.float32)[random.integers(len(self.labels), size=count)]

    def _samples(self, count, finish):
        """Yields (z, w or None, images); `finish`: function of the images, where they are made."""
        def sample(sampler, batch):
            size, random, noise_seed = batch
            z, labels = self._draw_z(random, size), self._draw_labels(random, size)
            images, w = sampler.generate(tf.constant(z), labels, tf.constant(noise_seed))
            return z, w[:, -1].numpy() if self.has_w else None, finish(images).numpy()

        return self.devices.map(sample, self._samplers, self._batches(count, SAMPLES))

    def images(self, count):
        """Yields uint8 [N, R, R, C]: `count` of them, with random noise."""
        for _, _, images in self._samples(count, _to_uint8):
            yield images

    def latents_and_images(self, count):
        """The same images with their latents, `features.shrunk` and not rounded.

        Yields (z [N, latent_size], w of the last layer [N, dlatent_size] or None, float32 images
        [N, R, R, C], about [-1, 1]).
        """
        return self._samples(count, features.shrunk)

    def path_distances(self, count, distances, space, whole_path, crop):
        """Yields [N]: distances of images EPSILON apart in latent space, `count` in all.

        Both images of a pair have one label, and all images of a batch the same noise.

        Args:
            distances: one for each device, a function to compile: (images [N, H, W, 3], others),
                [0, 255], at most 256 pixels -> [N].
            space: 'z' or 'w'.
            whole_path: pairs anywhere between two latents; False = at the first of the two.
            crop: only the part where the face is in portraits.
        """
        if not self.has_w:
            raise ValueError('path length: the network must have a w, as StyleGAN\'s; this one is '
                             'ProGAN\'s.')
        resolution = self.Gs.config.resolution // (2 if crop else 1)
        if resolution < MIN_RESOLUTION:
            raise ValueError(f'path length: LPIPS must have {MIN_RESOLUTION} pixels or more a side '
                             f'to compare; received {resolution}. Leave the metric out.')

        def measure(distances_of, batch):
            size, random, noise_seed = batch
            latents = [self._draw_z(random, size) for _ in range(2)]
            t = random.uniform(size=[size, 1]) if whole_path else np.zeros([size, 1])
            if space == 'z':  # in float64: the step is near the precision of float32
                latents = [slerp(*map(np.float64, latents), t + step) for step in (0, EPSILON)]
            return distances_of(tf.constant(np.stack(latents), tf.float32),
                                tf.constant(t, tf.float32), self._draw_labels(random, size),
                                tf.constant(noise_seed)).numpy()

        compiled = [sampler.path_distances(distance, space, crop)
                    for sampler, distance in zip(self._samplers, distances)]
        return self.devices.map(measure, compiled, self._batches(count, PATHS))
