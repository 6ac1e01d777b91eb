"""What a metric is computed from: fakes, reals, feature networks, and who is told how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional

from metrics.features import FeatureNetworks
from metrics.reals import Reals

COUNTED = FAKES, PAIRS = 'fakes', 'pairs'  # parts of a measurement whose number is the metric's


def _no_progress(part, done, total):
    del part, done, total


def _keep_nothing(name, result):
    del name, result


@dataclass(frozen=True)
class Task:
    """What a metric measures, and with what."""
    fakes: Any                # sources.GeneratorSource, or DatasetSource for a set of images
    reals: Optional[Reals]    # None = there is nothing to compare with
    networks: FeatureNetworks
    seed: int = 0
    progress: Callable[[str, int, int], None] = _no_progress  # (part, number done, number in all)
    # (name, what a metric has found beside its numbers, with .write(path, network_sha256)).
    keep: Callable[[str, Any], None] = _keep_nothing

    def counted(self, part, batches, count, done=0, size=len):
        """`batches`, reported to `progress` as they pass, `done` images being behind them."""
        for batch in batches:
            yield batch
            done += size(batch)
            self.progress(part, done, count)

    def num_fakes(self, count):
        """`count`, or as many fakes as there are."""
        most = self.fakes.num_images
        return count if most is None else min(count, most)

    def fake_images(self, count):
        """Batches of `count` fakes, uint8 [N, H, W, C]."""
        count = self.num_fakes(count)
        return self.counted(FAKES, self.fakes.images(count), count)

    def num_reals(self, count):
        """`count`, or as many reals as there are."""
        return min(count, self.reals.num_images)

    def real_images(self, count):
        """Batches of `count` reals, uint8 [N, H, W, C]; of fewer it goes round them."""
        return self.counted('reals', self.reals.images(count), count)

    def both_sides(self, feature, count, compute):
        """(Of the reals, of the fakes): `compute` of their batches; the reals' is kept by name."""
        def of_reals():
            return compute(self.real_images(self.num_reals(count)))

        return self.reals.kept((feature, count), of_reals), compute(self.fake_images(count))

    def statistics_progress(self):
        """A function (number done, number in all) that tells how far a metric's statistics are."""
        return partial(self.progress, 'statistics')
