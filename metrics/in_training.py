"""Metrics of the network that is being trained, as callables for the training loop."""

from __future__ import annotations

import functools

import numpy as np

from metrics.features import FeatureNetworks
from metrics.registry import METRICS, Task, evaluate
from metrics.sources import GeneratorSource

MINIBATCH = 32  # images at once


def reals_of(dataset, count, mirror, seed):
    """Yields `count` images of a data set in its order, uint8 [N, R, R, C].

    mirror: flip each with probability 1/2, as training did.
    """
    random = np.random.default_rng(seed)
    for start in range(0, count, MINIBATCH):
        images = dataset.read(dataset.resolution, np.arange(start, min(start + MINIBATCH, count)))
        if mirror:
            flipped = random.random(len(images)) < 0.5
            images[flipped] = images[flipped, :, ::-1]
        yield images


def loop_metrics(names, dataset, mirror, seed):
    """{name: callable (Gs, lod) -> {name of a result: value}}, for `training.loop.train`.

    Args:
        names: of METRICS.
        dataset: TFRecordDataset of the reals.
        mirror: whether training flips images.
        seed: of latents, noise and flips: the same ones for each snapshot.
    Raises:
        ValueError: a name that is none.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f'--metrics={unknown[0]}: there is no such metric. '
                         f'Known: {", ".join(METRICS)}.')
    networks = FeatureNetworks()

    def measure(name, Gs, lod):
        source = GeneratorSource(Gs, MINIBATCH, seed, dataset.labels, lod)
        return evaluate(name, Task(
            fakes=source.images, reals=lambda count: reals_of(dataset, count, mirror, seed),
            num_reals=dataset.num_images, networks=networks, seed=seed, source=source))

    return {name: functools.partial(measure, name) for name in names}
