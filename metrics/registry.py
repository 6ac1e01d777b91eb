"""Every metric by its public name: what computes it, of how many images, and what it needs.

Counts and meanings are the reference's (fid50k, ppl_*, ls) and its successors' (fid50k_full,
kid50k, pr50k3, is50k, ppl2_wend); swd16k and msssim10k, ProGAN's, need no feature network. A new
metric is a `measure` in a file of its own and a row in METRICS.
"""

from __future__ import annotations

import contextlib
import operator
from dataclasses import dataclass
from functools import partial
from typing import Callable, Optional

import tensorflow as tf

from metrics import (
    frechet,
    inception_score,
    kernel,
    linear_separability,
    manifold,
    ms_ssim,
    perceptual_path_length,
    sliced_wasserstein,
)
from metrics.task import Task

IMAGES, STATISTICS = 'images', 'statistics'  # what metrics need of the reals


@dataclass(frozen=True)
class Metric:
    """An entry of METRICS."""
    # (task, count) -> {ending of a result's name: value}; the name begins with the metric's.
    measure: Callable[[Task, int], dict[str, float]]
    count: int                         # images at most, pairs of images for path lengths
    networks: tuple[str, ...] = ()     # feature networks, as FeatureNetworks names them
    reals: Optional[str] = None        # what it needs of them: IMAGES, or STATISTICS where mean and
                                       # covariance will do
    needs_generator: bool = False      # not only its images
    # Its results as one number, lower for better networks; None = the result of its own name.
    badness: Optional[Callable[[dict[str, float]], float]] = None


def _path_length(count, space, whole_path, crop=True):
    measure = partial(perceptual_path_length.measure, space=space, whole_path=whole_path, crop=crop)
    return Metric(measure, count, ('lpips',), needs_generator=True)


METRICS = {
    # Pixels only: no feature network.
    'swd16k': Metric(sliced_wasserstein.measure, 16_384, reals=IMAGES),
    'msssim10k': Metric(ms_ssim.measure, 10_000, reals=IMAGES,
                        badness=lambda v: abs(v['msssim10k'] - v['msssim10k_reals'])),
    # By features of a network, which is downloaded.
    'fid50k': Metric(frechet.measure, 50_000, ('inception',), STATISTICS),
    'fid50k_full': Metric(partial(frechet.measure, each_real_once=True), 50_000, ('inception',),
                          STATISTICS),
    'fid10k': Metric(frechet.measure, 10_000, ('inception',), STATISTICS),
    'kid50k': Metric(kernel.measure, 50_000, ('inception',), IMAGES),
    'is50k': Metric(inception_score.measure, 50_000, ('inception',),
                    badness=lambda v: -v['is50k_mean']),
    # Fakes against reals again; here, because tables show metrics in this order.
    'pr50k3': Metric(manifold.measure, 50_000, ('vgg16',), IMAGES,
                     badness=lambda v: -v['pr50k3_precision'] - v['pr50k3_recall']),
    # Latent space: the network itself is measured. ppl2_wend is StyleGAN2's: 50,000, uncropped.
    'ppl_zfull': _path_length(100_000, 'z', whole_path=True),
    'ppl_zend': _path_length(100_000, 'z', whole_path=False),
    'ppl_wfull': _path_length(100_000, 'w', whole_path=True),
    'ppl_wend': _path_length(100_000, 'w', whole_path=False),
    'ppl2_wend': _path_length(50_000, 'w', whole_path=False, crop=False),
    'ls': Metric(linear_separability.measure, 200_000, ('classifiers',), needs_generator=True,
                 badness=lambda v: v.get('ls_w', v['ls_z'])),
}


def badness(name, values, metrics=METRICS):
    """One number of {name of a result: value} of metrics[name]: lower for better networks."""
    return (metrics[name].badness or operator.itemgetter(name))(values)


@contextlib.contextmanager
def _no_tf32():
    """A GPU would otherwise round features to ten bits, and with them the metric."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def check_request(name, has_generator, has_reals, has_statistics, metrics=METRICS):
    """ValueError where `metrics` has no `name`, or where it needs something that is not there."""
    if name not in metrics:
        raise ValueError(f'metrics must be among {", ".join(metrics)}; received {name!r:.60}.')
    metric = metrics[name]
    if metric.needs_generator and not has_generator:
        raise ValueError(f'{name} measures latent space and needs a generator; received images '
                         'only.')
    if metric.reals and not (has_reals or metric.reals == STATISTICS and has_statistics):
        raise ValueError(f'{name} compares with real images; received none: name the data set.')


def computed(name, task, count=None, metrics=METRICS):
    """{name of a result: value} of metrics[name], of `count` images; None = the metric's own."""
    count = metrics[name].count if count is None else count
    return {name + ending: value for ending, value in metrics[name].measure(task, count).items()}


def evaluate(name, task, metrics=METRICS):
    """{name of a result: value} of metrics[name].

    Args:
        metrics: {name: Metric}; those of StyleGAN, or another table (translation has its own).
    Raises:
        ValueError: a name that is none, or something that the metric needs and `task` lacks.
        OSError: a feature network that is not there and can't be downloaded.
    """
    reals = task.reals
    check_request(name, task.fakes.is_generator, reals is not None and reals.source is not None,
                  reals is not None, metrics)
    for network in metrics[name].networks:
        task.networks.fetch(network)  # first of all: what is missing must not come out in the end
    with _no_tf32():
        return computed(name, task, metrics=metrics)
