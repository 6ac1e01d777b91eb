"""Metrics of the network that is being trained, as the training loop takes them."""

from __future__ import annotations

import dataclasses
import functools
import time

from metrics import results, sliced_wasserstein
from metrics.features import FeatureNetworks
from metrics.registry import METRICS, badness
from metrics.subjects import Setting, of_generator, reals_of
from runs.snapshot_metrics import SnapshotMetric, TooSlow

MINIBATCH = 32  # images at once
AUTO = 'swd16k'
MAX_AUTO_BYTES = 2 ** 32  # more memory must be asked for by name


def auto_names(dataset):
    """The metrics of --metrics=auto: [AUTO], or none where images are too small or too large."""
    if dataset.resolution < sliced_wasserstein.MIN_RESOLUTION:
        return []
    count = min(METRICS[AUTO].count, dataset.num_images)
    needed = 2 * count * sliced_wasserstein.bytes_per_image(dataset.resolution,
                                                            dataset.num_channels)
    return [AUTO] if needed <= MAX_AUTO_BYTES else []


def _stop_after(seconds):
    """A Task's progress that raises TooSlow once so much time has passed."""
    end = time.monotonic() + seconds

    def progress(part, done, total):
        del part, done, total
        if time.monotonic() > end:
            raise TooSlow

    return progress


def loop_metrics(names, dataset, mirror, seed, networks=None):
    """{name: SnapshotMetric} for `training.loop.train`.

    Args:
        names: of METRICS; ['auto'] = AUTO, given up where it takes longer than a tick.
        dataset: TFRecordDataset of the reals.
        mirror: whether training flips images.
        seed: of latents, noise and flips: the same ones for each snapshot.
        networks: FeatureNetworks; None = those that are downloaded.
    Raises:
        ValueError: a name that is none.
    """
    in_time = names == ['auto']
    names = auto_names(dataset) if in_time else names
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f'--metrics={unknown[0]}: there is no such metric. '
                         f'Known: {", ".join(METRICS)}.')
    setting = Setting(networks or FeatureNetworks(), mirror=mirror, seed=seed, minibatch=MINIBATCH)
    reals = reals_of(dataset, setting)

    def measure(name, snapshot, path, tick_seconds):
        limit = {'progress': _stop_after(tick_seconds)} if in_time else {}
        subject = of_generator(snapshot.Gs, path, snapshot.kimg, snapshot.lod, reals, setting)
        return results.measure(name, dataclasses.replace(subject.task, **limit), subject.about)

    return {name: SnapshotMetric(functools.partial(measure, name),
                                 functools.partial(badness, name)) for name in names}
