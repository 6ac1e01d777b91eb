"""Metrics of the translation network that is being trained, as the training loop takes them."""

from __future__ import annotations

import functools

from metrics import results
from metrics.features import FeatureNetworks
from metrics.in_training import AUTO_SHARE
from metrics.registry import badness
from runs.snapshot_metrics import SnapshotMetric
from translation.metrics import METRICS
from translation.subjects import Setting, of_networks

AUTO = ('swd_latent', 'swd_reference')   # they need no download


def loop_metrics(names, images, val, seed, mask_fn=None, networks=None):
    """{name: SnapshotMetric} for the training loop: what is held is a translation Snapshot.

    Args:
        names: of METRICS; ['auto'] = AUTO, as often as AUTO_SHARE of the run's time allows.
        images, val: DomainImages to compare with, and to translate.
        seed: of latents, and of which images come together: the same ones for each snapshot.
        mask_fn: of networks with a high-pass; see `Translator`.
        networks: FeatureNetworks; None = those that are downloaded.
    Raises:
        ValueError: a name that is none.
    """
    share = AUTO_SHARE / len(AUTO) if names == ['auto'] else None
    names = names if share is None else AUTO
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f'--metrics={unknown[0]}: there is no such metric of translation. '
                         f'Known: {", ".join(METRICS)}.')
    setting = Setting(networks or FeatureNetworks(), images, val, seed)

    def measure(name, held, path):
        subject = of_networks(held, path, setting, mask_fn)
        return results.measure(name, subject.task, subject.about, subject.metrics)

    return {name: SnapshotMetric(functools.partial(measure, name),
                                 functools.partial(badness, name, metrics=METRICS), share)
            for name in names}
