"""Perceptual path length: how much images change along a short step in latent space.

Karras, Laine and Aila, 2018, arXiv 1812.04948, section 4.1. Two images, t and t + 1e-4 of the way
between two latents; their LPIPS distance over the square of the step; the mean without the lowest
and the highest hundredth.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrics import features
from metrics.sources import PATHS
from metrics.task import PAIRS
from metrics.vgg16 import MIN_RESOLUTION

EPSILON = 1e-4


def lerp(a, b, t):
    """The point `t` of the way along the straight line from `a` to `b`."""
    return a + (b - a) * t


def slerp(a, b, t):
    """Unit vectors `t` [N, 1] of the way along the arcs from `a` to `b`, [N, D]."""
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    angle = t * np.arccos(np.clip(cosine, -1, 1))
    across = b - cosine * a
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    point = a * np.cos(angle) + across * np.sin(angle)
    return point / np.linalg.norm(point, axis=-1, keepdims=True)


def crop_to_face(images):
    """[N, H, W, C] -> the part of portraits in which the face is, [N, H/2, W/2, C]."""
    eighth = images.shape[1] // 8
    return images[:, 3 * eighth:7 * eighth, 2 * eighth:6 * eighth]


def path_length(distances):
    """Mean of LPIPS distances over EPSILON^2, [N], from the 1st to the 99th percentile."""
    low = np.percentile(distances, 1, method='lower')
    high = np.percentile(distances, 99, method='higher')
    kept = distances[(low <= distances) & (distances <= high)]
    return float(np.mean(kept, dtype=np.float64))


def _distances_on(sampler, distance, space, crop):
    """A compiled function: (two latents [2, N, latent_size], t [N, 1], labels, seed) -> [N].

    In w space the pairs lie t and t + EPSILON of the way between the latents; in z space they are
    the latents. For the arguments see `path_distances`.
    """
    def distances(latents, t, labels, noise_seed):
        if space == 'z':
            ends = [sampler.mapped(z, labels) for z in tf.unstack(latents)]
        else:
            start, end = (sampler.mapped(z, labels) for z in tf.unstack(latents))
            ends = [lerp(start, end, t[:, tf.newaxis]),
                    lerp(start, end, t[:, tf.newaxis] + EPSILON)]
        images = sampler.drawn(tf.concat(ends, axis=0), sampler.random_noise(1, noise_seed))
        images = crop_to_face(images) if crop else images
        images = features.shrunk(features.rgb(images)) * 127.5 + 127.5  # as LPIPS takes them
        return distance(*tf.split(images, 2))

    return tf.function(distances, reduce_retracing=True)


def path_distances(source, count, distances, space, whole_path, crop):
    """Yields [N]: distances of images EPSILON apart in latent space, `count` in all.

    Both images of a pair have one label, and all images of a batch the same noise.

    Args:
        source: GeneratorSource.
        distances: one for each device, a function to compile: (images [N, H, W, 3], others),
            [0, 255], at most 256 pixels -> [N].
        space: 'z' or 'w'.
        whole_path: pairs anywhere between two latents; False = at the first of the two.
        crop: only the part where the face is in portraits.
    """
    if not source.has_w:
        raise ValueError('path length: the network must have a w, as StyleGAN\'s; this one is '
                         'ProGAN\'s.')
    resolution = source.Gs.config.resolution // (2 if crop else 1)
    if resolution < MIN_RESOLUTION:
        raise ValueError(f'path length: LPIPS must have {MIN_RESOLUTION} pixels or more a side '
                         f'to compare; received {resolution}. Leave the metric out.')

    def measured(distances_of, batch):
        size, random, noise_seed = batch
        latents = [source.draw_z(random, size) for _ in range(2)]
        t = random.uniform(size=[size, 1]) if whole_path else np.zeros([size, 1])
        if space == 'z':  # in float64: the step is near the precision of float32
            latents = [slerp(*map(np.float64, latents), t + step) for step in (0, EPSILON)]
        return distances_of(tf.constant(np.stack(latents), tf.float32),
                            tf.constant(t, tf.float32), source.draw_labels(random, size),
                            tf.constant(noise_seed)).numpy()

    sampler = source.sampler
    compiled = [_distances_on(copy, distance, space, crop)
                for copy, distance in zip(sampler.copies, distances)]
    yield from sampler.devices.map(measured, compiled, source.batches(count, PATHS))


def measure(task, count, space, whole_path, crop=True):
    """Path length of a Task's generator: {'': length}; for the arguments see `path_distances`."""
    measures = [lpips.distances for lpips in task.networks.lpips]
    distances = path_distances(task.fakes, count, measures, space, whole_path, crop)
    distances = np.concatenate(list(task.counted(PAIRS, distances, count)))
    return {'': path_length(distances / EPSILON ** 2)}
