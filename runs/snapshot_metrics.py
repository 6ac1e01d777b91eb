"""Metrics measured after each network snapshot, and the best snapshot kept by the first of them."""

from __future__ import annotations

import contextlib
import json
import math
import os
from typing import Any, Callable, NamedTuple, Optional

from formats.file_kind import NETWORK_SUFFIX
from formats.files import write_atomically
from runs.log import format_time


class SnapshotMetric(NamedTuple):
    """A metric as the training loop sees it."""
    # (what a network file holds, its path) -> ({name of a result: value}, the line for
    # metric-<name>.jsonl: these with kimg, network, seconds, what else there is to say).
    measure: Callable[..., tuple[dict[str, float], dict[str, Any]]]
    badness: Callable[[dict[str, float]], float]  # of its results: lower for better networks
    share: Optional[float] = None  # most of the run's time that it may take; None = all that it
    # takes, after every snapshot


def best_name(metric):
    """File name of the best network by a metric."""
    return f'network-best-{metric}{NETWORK_SUFFIX}'


class SnapshotMetrics:
    """Measures {name: SnapshotMetric} for a run; a metric that fails is logged, no more."""

    def __init__(self, metrics, run_dir, log):
        self.metrics, self.run_dir, self.log = dict(metrics), run_dir, log
        self.deciding = next(iter(metrics), None)  # the metric that the best is chosen by
        self.seconds = 0.0  # that all metrics have taken in this process
        self._told = set()  # metrics that were once left out, which the log says once

    def measure(self, snapshot, network_path, run_seconds):
        """Every metric that is due, of the network file that has just been written.

        snapshot: what the file holds, as the metrics take it.
        run_seconds: of the whole run so far, all starts together.
        """
        for name, metric in self.metrics.items():
            if not self._is_due(name, run_seconds):
                continue
            try:
                values, record = metric.measure(snapshot, network_path)
                is_best = name == self.deciding and metric.badness(values) < self._least_badness()
            except Exception as error:  # a metric must not end weeks of training
                self.log.say(f'Metric {name} failed: {error}')
                continue
            self.seconds += record['seconds']
            self.log.say(f'{name}: ' + ', '.join(f'{key.removeprefix(f"{name}/")} {value:.4g}'
                                                 for key, value in values.items())
                         + f' ({record["seconds"]:.1f}s)')
            is_best = is_best and self._keep(network_path)
            self.log.metric(name, {**record, 'best': is_best, 'run_seconds': run_seconds})

    def seconds_left(self, snapshots, run_seconds, other_seconds):
        """What so many snapshots to come will take, by the last ones measured.

        run_seconds: of the run so far; other_seconds: that it will still spend on all else.
        """
        total = 0.0
        for name, metric in self.metrics.items():
            for last in self._records(name)[-1:]:
                passes = run_seconds + other_seconds - last['run_seconds']
                allowed = math.inf if metric.share is None else (
                    metric.share * passes // max(last['seconds'], 0.001))
                total += last['seconds'] * min(snapshots, allowed)
        return total

    def _is_due(self, name, run_seconds):
        """Whether what it took the last time is little enough of the time that has passed since."""
        share, records = self.metrics[name].share, self._records(name)
        if share is None or not records:
            return True
        last = records[-1]
        wait = last['seconds'] / share - (run_seconds - last['run_seconds'])
        if wait > 0 and name not in self._told:
            self._told.add(name)
            self.log.say(f'{name} took {last["seconds"]:.0f}s and may take {100 * share:g}% of '
                         f'the time: the next snapshot in more than {format_time(wait)} is '
                         f'measured. --metrics={name} measures every one.')
        return wait <= 0

    def _records(self, name):
        """The lines of a metric's file that are the run's own, oldest first.

        A resumed run shortens the file to the point where it goes on. A line that another program
        is just writing is none.
        """
        path = os.path.join(self.run_dir, f'metric-{name}.jsonl')
        if not os.path.exists(path):
            return []
        records = []
        with open(path, encoding='utf-8') as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    records.append(json.loads(line))
        return [record for record in records if 'run_seconds' in record]

    def _least_badness(self):
        """That of the best network so far; infinite without one."""
        return min((self.metrics[self.deciding].badness(record)
                    for record in self._records(self.deciding) if record['best']), default=math.inf)

    def _keep(self, network_path):
        """Copies a network file as the best one, if the disk has room for it."""
        target = os.path.join(self.run_dir, best_name(self.deciding))
        with open(network_path, 'rb') as file:
            data = file.read()
        kept = self.log.disk.write(os.path.basename(target), lambda: write_atomically(target, data))
        if kept:
            self.log.say(f'The best network by {self.deciding} so far: kept as {target}')
        return kept
