"""Metrics of the network that is being trained, as the training loop takes them."""

from __future__ import annotations

import functools

from metrics import results, sliced_wasserstein
from metrics.features import FeatureNetworks
from metrics.registry import METRICS, badness
from metrics.subjects import Setting, of_generator, reals_of
from runs.snapshot_metrics import SnapshotMetric

MINIBATCH = 32  # images at once
AUTO = 'swd16k'
AUTO_SHARE = 0.05  # of the run's time
MAX_AUTO_BYTES = 2 ** 32  # more memory must be asked for by name


def auto_names(dataset):
    """The metrics of --metrics=auto: [AUTO], or none where images are too small or too large."""
    if dataset.resolution < sliced_wasserstein.MIN_RESOLUTION:
        return []
    count = min(METRICS[AUTO].count, dataset.num_images)
    needed = 2 * count * sliced_wasserstein.bytes_per_image(dataset.resolution,
                                                            dataset.num_channels)
    return [AUTO] if needed <= MAX_AUTO_BYTES else []


def loop_metrics(names, dataset, mirror, seed, networks=None):
    """{name: SnapshotMetric} for `training.loop.train`.

    Args:
        names: of METRICS; ['auto'] = AUTO, as often as AUTO_SHARE of the run's time allows.
        dataset: TFRecordDataset of the reals.
        mirror: whether training flips images.
        seed: of latents, noise and flips: the same ones for each snapshot.
        networks: FeatureNetworks; None = those that are downloaded.
    Raises:
        ValueError: a name that is none.
    """
    share = AUTO_SHARE if names == ['auto'] else None
    names = names if share is None else auto_names(dataset)
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f'--metrics={unknown[0]}: there is no such metric. '
                         f'Known: {", ".join(METRICS)}.')
    setting = Setting(networks or FeatureNetworks(), mirror=mirror, seed=seed, minibatch=MINIBATCH)
    reals = reals_of(dataset, setting)

    def measure(name, snapshot, path):
        subject = of_generator(snapshot.Gs, path, snapshot.kimg, snapshot.lod, reals, setting)
        return results.measure(name, subject.task, subject.about)

    return {name: SnapshotMetric(functools.partial(measure, name),
                                 functools.partial(badness, name), share) for name in names}
