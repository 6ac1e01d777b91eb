"""Metrics of the network that is being trained, as callables for the training loop."""

from __future__ import annotations

import functools

from metrics.features import FeatureNetworks
from metrics.real_statistics import CachedStatistics
from metrics.registry import METRICS, Task, evaluate
from metrics.sources import DatasetSource, GeneratorSource

MINIBATCH = 32  # images at once


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
    reals = DatasetSource(dataset, MINIBATCH, mirror, seed)
    statistics = CachedStatistics(dataset, mirror, seed, networks)

    def measure(name, Gs, lod):
        source = GeneratorSource(Gs, MINIBATCH, seed, dataset.labels, lod)
        return evaluate(name, Task(
            fakes=source.images, reals=reals.images, num_reals=dataset.num_images,
            networks=networks, seed=seed, source=source, real_statistics=statistics))

    return {name: functools.partial(measure, name) for name in names}
