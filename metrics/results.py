"""Results of metrics: each a line of metric-<name>.jsonl that tells how to repeat it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import shlex
import sys
import time

import numpy as np
import tensorflow as tf

from metrics.features import RESIZES
from metrics.registry import METRICS, evaluate
from metrics.task import COUNTED
from training.version import VERSION

HEADER = f'{"of":<36} {"result":<24} {"value":>12} {"images":>8} {"seconds":>8}'


def _versions():
    """{program or library that the numbers may depend on: version}"""
    return {'stylegan-tf2': VERSION, 'tensorflow': tf.__version__, 'numpy': np.__version__,
            'scikit-learn': importlib.metadata.version('scikit-learn'),  # not imported for it: slow
            'python': platform.python_version()}


def record(name, values, task, count, seconds, about, metrics=METRICS):
    """One result as a dict for JSON.

    Args:
        name: of `metrics`.
        values: {name of a result: value}.
        task: the Task that was evaluated.
        count: fakes, or pairs of them, that the values are of.
        seconds: that it took.
        about: {name: value} of what was measured: network, data sets, their hashes.
    """
    networks = metrics[name].networks
    return {'metric': name, **values, 'count': count, 'seconds': round(seconds, 3),
            'seed': task.seed, **about,
            'feature_networks': {network: task.networks.sha256(network) for network in networks},
            'resize': {network: RESIZES[network] for network in networks},
            'versions': _versions(),
            'command': shlex.join(sys.argv)}


def measure(name, task, about, metrics=METRICS):
    """Measures metrics[name]: ({name of a result: value}, their `record`)."""
    count, start = 0, time.time()

    def progress(part, done, total):
        nonlocal count
        count = total if part in COUNTED else count
        task.progress(part, done, total)

    values = evaluate(name, dataclasses.replace(task, progress=progress), metrics)
    return values, record(name, values, task, count, time.time() - start, about, metrics)


def append(directory, result):
    """Adds a `record` to `directory`/metric-<name>.jsonl."""
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, f'metric-{result["metric"]}.jsonl'), 'a',
              encoding='utf-8') as file:
        file.write(json.dumps(result) + '\n')


def rows(label, values, result):
    """The lines below HEADER for one metric: one for each of its values; result: its `record`."""
    return '\n'.join(f'{label:<36} {key:<24} {value:>12.4f} {result["count"]:>8} '
                     f'{result["seconds"]:>8.1f}' for key, value in values.items())
