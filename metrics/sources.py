"""Where the images of a metric come from: a data set, or a generator that is asked for samples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrics import features
from training.devices import ONE_DEVICE
from training.sampler import Sampler, to_uint8

SAMPLES, PATHS = 0, 1  # what a draw is for, folded into the seed


class DatasetSource:
    """Images of a TFRecordDataset in its order.

    Args:
        minibatch: images at a time.
        mirror: flip each with probability 1/2, as training may have done; the flips follow from
            `seed`.
    """
    is_generator = False

    def __init__(self, dataset, minibatch, mirror=False, seed=0):
        self.dataset, self.minibatch = dataset, minibatch
        self.mirror_seed = seed if mirror else None

    @property
    def num_images(self):
        return self.dataset.num_images

    def images(self, count):
        """Yields uint8 [N, R, R, C]: the first `count` images.

        Where there are fewer it goes round them, and draws the flips of each round anew.
        """
        random = np.random.default_rng(self.mirror_seed)
        for start in range(0, count, self.minibatch):
            indices = np.arange(start, min(start + self.minibatch, count)) % self.num_images
            images = self.dataset.read(self.dataset.resolution, indices)
            if self.mirror_seed is not None:
                flipped = random.random(len(images)) < 0.5
                images[flipped] = images[flipped, :, ::-1]
            yield images


class GeneratorSource:
    """Samples of a generator without truncation: the same ones for the same seed and minibatch."""
    is_generator, num_images = True, None  # None = as many as are asked for

    def __init__(self, Gs, minibatch, seed, labels=None, lod=0.0, devices=ONE_DEVICE):
        """
        Args:
            Gs: training.networks.Generator, or ProGAN's.
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
        self.sampler = Sampler(Gs, lod, 'random', minibatch, full_size=True, compiled=True,
                               devices=devices)

    @property
    def has_w(self):
        """False for ProGAN, whose networks map z to images at once."""
        return self.sampler.has_w

    def batches(self, count, purpose):
        """Yields (images in the batch, its random generator, a stateless seed for its noise)."""
        for number, start in enumerate(range(0, count, self.minibatch)):
            random = np.random.default_rng([self.seed, purpose, number])
            noise_seed = random.integers(2 ** 31, size=2).astype(np.int32)
            yield min(self.minibatch, count - start), random, noise_seed

    def draw_z(self, random, count):
        """float32 [count, latent_size]."""
        return random.standard_normal([count, self.Gs.config.latent_size], np.float32)

    def draw_labels(self, random, count):
        """float32 [count, label_size]; None for a network without labels."""
        if not self.Gs.config.label_size:
            return None
        return np.asarray(self.labels, np.float32)[random.integers(len(self.labels), size=count)]

    def _samples(self, count, convert):
        """Yields (z, w or None, images); convert: function of the images, where they are made."""
        def sample(sampler, batch):
            size, random, noise_seed = batch
            z, labels = self.draw_z(random, size), self.draw_labels(random, size)
            images, w = sampler.draw(tf.constant(z), labels, None, tf.constant(noise_seed))
            return z, w[:, -1].numpy() if self.has_w else None, convert(images)

        return self.sampler.map(sample, self.batches(count, SAMPLES))

    def images(self, count):
        """Yields uint8 [N, R, R, C]: `count` of them, with random noise."""
        for _, _, images in self._samples(count, to_uint8):
            yield images

    def latents_and_images(self, count):
        """The same images with their latents, `features.shrunk` and not rounded.

        Yields (z [N, latent_size], w of the last layer [N, dlatent_size] or None, float32 images
        [N, R, R, C], about [-1, 1]).
        """
        return self._samples(count, lambda images: features.shrunk(images).numpy())
