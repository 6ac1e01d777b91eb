"""Metrics measured after each network snapshot, and the best snapshot kept by the first of them."""

from __future__ import annotations

import json
import math
import os
from typing import Any, Callable, NamedTuple

from formats.file_kind import NETWORK_SUFFIX
from formats.files import write_atomically


class TooSlow(Exception):
    """A metric that is only wanted if it is quick is not."""


class SnapshotMetric(NamedTuple):
    """A metric as the training loop sees it."""
    # (what a network file holds, its path, seconds of the last tick) -> ({name of a result: value},
    # the line for metric-<name>.jsonl: these with kimg, network, seconds, what else there is to
    # say); may raise TooSlow.
    measure: Callable[..., tuple[dict[str, float], dict[str, Any]]]
    badness: Callable[[dict[str, float]], float]  # of its results: lower for better networks


def best_name(metric):
    """File name of the best network by a metric."""
    return f'network-best-{metric}{NETWORK_SUFFIX}'


class SnapshotMetrics:
    """Measures {name: SnapshotMetric} for a run; a metric that fails is logged, no more."""

    def __init__(self, metrics, run_dir, log):
        self.metrics, self.run_dir, self.log = dict(metrics), run_dir, log
        self.deciding = next(iter(metrics), None)  # the metric that the best is chosen by
        self._too_slow_at = {}  # {name of a metric: the stage whose ticks are too short for it}

    def measure(self, snapshot, network_path, stage, tick_seconds):
        """Every metric of the network file that has just been written.

        snapshot: what the file holds, as the metrics take it.
        stage: of the training; a metric that was too slow is tried again in another one.
        """
        for name, metric in self.metrics.items():
            if self._too_slow_at.get(name) == stage:
                continue
            try:
                values, record = metric.measure(snapshot, network_path, tick_seconds)
                is_best = name == self.deciding and metric.badness(values) < self._least_badness()
            except TooSlow:
                self._too_slow_at[name] = stage
                self.log.say(f'{name} takes longer than a tick ({tick_seconds:.0f}s) and is left '
                             f'out at this resolution; --metrics={name} measures it all the same.')
                continue
            except Exception as error:  # a metric must not end weeks of training
                self.log.say(f'Metric {name} failed: {error}')
                continue
            self.log.say(f'{name}: ' + ', '.join(f'{key} {value:.4g}'
                                                 for key, value in values.items())
                         + f' ({record["seconds"]:.1f}s)')
            is_best = is_best and self._keep(network_path)
            self.log.metric(name, {**record, 'best': is_best})

    def _least_badness(self):
        """That of the best network so far; infinite without one.

        From the metric's file, which a resumed run shortens to the point where it goes on.
        """
        path = os.path.join(self.run_dir, f'metric-{self.deciding}.jsonl')
        if not os.path.exists(path):
            return math.inf
        with open(path, encoding='utf-8') as file:
            records = [json.loads(line) for line in file]
        return min((self.metrics[self.deciding].badness(record) for record in records
                    if record.get('best')), default=math.inf)

    def _keep(self, network_path):
        """Copies a network file as the best one, if the disk has room for it."""
        target = os.path.join(self.run_dir, best_name(self.deciding))
        with open(network_path, 'rb') as file:
            data = file.read()
        kept = self.log.disk.write(os.path.basename(target), lambda: write_atomically(target, data))
        if kept:
            self.log.say(f'The best network by {self.deciding} so far: kept as {target}')
        return kept
