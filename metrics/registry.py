"""Every metric by its public name: what it computes, and the feature networks that it needs.

Counts and meanings are the reference's (fid50k, ppl_*, ls) and its successors' (kid50k, pr50k3,
is50k, ppl2_wend); swd16k and msssim10k, ProGAN's, need no feature network.
"""

from __future__ import annotations

import collections
import contextlib
import operator
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Optional

import numpy as np
import tensorflow as tf

from metrics import linear_separability, ms_ssim, sliced_wasserstein
from metrics.features import FeatureNetworks
from metrics.frechet import Moments, frechet_distance
from metrics.inception_score import inception_score
from metrics.kernel import kernel_distance
from metrics.manifold import precision_recall
from metrics.perceptual_path_length import EPSILON, path_length

INCEPTION_FEATURES = 2048
PART_BYTES = 2 ** 31       # of the images that the classifiers of ls see one after another
IMAGES, STATISTICS = 'images', 'statistics'  # what metrics need of the reals
COUNTED = FAKES, PAIRS = 'fakes', 'pairs'  # parts of a measurement whose number is the metric's


def _no_progress(part, done, total):
    del part, done, total


def _computed(what, compute):
    del what
    return compute()


@dataclass(frozen=True)
class Task:
    """What a metric measures, and with what."""
    fakes: Callable[[int], Any]             # count -> batches, uint8 [N, H, W, C]
    reals: Optional[Callable[[int], Any]]   # the same of the reals, at most `num_reals`
    num_reals: int
    networks: FeatureNetworks
    seed: int = 0
    source: Optional[Any] = None            # sources.GeneratorSource, for measures of latent space
    progress: Callable[[str, int, int], None] = _no_progress  # (part, number done, number in all)
    num_fakes: Optional[int] = None         # None = as many as are asked for
    # (count, function that computes the reals' Inception mean and covariance) -> these two;
    # None = computed each time.
    real_statistics: Optional[Callable] = None
    # (what it is, function that computes something of the reals) -> that, perhaps of the last time.
    of_reals: Callable[[Any, Callable], Any] = _computed


@dataclass(frozen=True)
class Metric:
    """An entry of METRICS."""
    compute: Callable[[Task], dict[str, float]]  # -> {name of a result: value}
    networks: tuple[str, ...] = ()               # feature networks, as FeatureNetworks names them
    needs_generator: bool = False                # not only its images
    reals: Optional[str] = None                  # what it needs of them: IMAGES, or STATISTICS
                                                 # where mean and covariance will do
    # Its results as one number, lower for better networks; None = the result of its own name.
    badness: Optional[Callable[[dict[str, float]], float]] = None

    @property
    def count(self):
        """Images at most, pairs of images for path lengths."""
        return self.compute.keywords['count']


def _counted(task, part, batches, count, done=0, size=len):
    """`batches`, reported to the task's progress as they pass, `done` images being behind them."""
    for batch in batches:
        yield batch
        done += size(batch)
        task.progress(part, done, count)


def _available(task, count):
    """`count`, or as many fakes as there are."""
    return count if task.num_fakes is None else min(count, task.num_fakes)


def _reals(task, count):
    """Batches of at most `count` reals, uint8."""
    count = min(count, task.num_reals)
    return _counted(task, 'reals', task.reals(count), count)


def _fakes(task, count):
    """Batches of `count` fakes, uint8 [N, H, W, C]."""
    count = _available(task, count)
    return _counted(task, FAKES, task.fakes(count), count)


def _of_both(task, what, count, compute):
    """`compute` of the batches of reals (what it gives is kept, as `what`) and of the fakes."""
    return (task.of_reals((what, count), lambda: compute(_reals(task, count))),
            compute(_fakes(task, count)))


def _statistics(task):
    """A function (number done, number in all) that tells how far a metric's statistics are."""
    return partial(task.progress, 'statistics')


def moments(task, images):
    """Moments of the Inception features of batches of images, uint8."""
    result = Moments(INCEPTION_FEATURES)
    for features, _ in task.networks.inception(images):
        result.add(features)
    return result


def _fid(task, count, name):
    def of_reals():
        reals = moments(task, _reals(task, count))
        return reals.mean, reals.covariance

    real_statistics = (task.real_statistics(min(count, task.num_reals), of_reals)
                       if task.real_statistics else of_reals())
    fakes = moments(task, _fakes(task, count))
    return {name: frechet_distance(*real_statistics, fakes.mean, fakes.covariance)}


def _kid(task, count, name):
    def features(images):
        return np.concatenate([some for some, _ in task.networks.inception(images)])

    sides = _of_both(task, name, count, features)
    return {name: kernel_distance(*sides, task.seed, _statistics(task))}


def _inception_score(task, count, name):
    probabilities = [some for _, some in task.networks.inception(_fakes(task, count))]
    mean, deviation = inception_score(np.concatenate(probabilities))
    return {f'{name}_mean': mean, f'{name}_std': deviation}


def _precision_recall(task, count, name):
    sides = _of_both(task, name, count,
                     lambda images: np.concatenate(list(task.networks.fc2(images))))
    precision, recall = precision_recall(*sides, _statistics(task))
    return {f'{name}_precision': precision, f'{name}_recall': recall}


def _path_length(task, count, name, space, whole_path, crop=True):
    measures = [lpips.distances for lpips in task.networks.lpips]
    distances = task.source.path_distances(count, measures, space, whole_path, crop)
    distances = np.concatenate(list(_counted(task, PAIRS, distances, count)))
    return {name: path_length(distances / EPSILON ** 2)}


def _parts(samples):
    """Lists of successive samples (z, w, images) whose images take at most PART_BYTES.

    The first has one sample only: what is wrong with a classifier, the last one even, is to come
    out before hours of generating.
    """
    part, taken, most = [], 0, 0
    for sample in samples:
        size = sample[2].nbytes
        if part and taken + size > most:
            yield part
            part, taken, most = [], 0, PART_BYTES
        part.append(sample)
        taken += size
    yield part


def _separability(latents, logits, progress):
    """The score of latents [N, D], given the logits [N] of each attribute."""
    entropies = []
    for some in logits:
        kept = linear_separability.surest_half(some)
        entropies.append(linear_separability.attribute_entropy(latents[kept], some[kept]))
        progress(len(entropies), len(logits))
    return linear_separability.separability(entropies)


def _linear_separability(task, count):
    latents, logits, done = [], collections.defaultdict(list), 0
    samples = _counted(task, FAKES, task.source.latents_and_images(count), count,
                       size=lambda sample: len(sample[0]))
    for part in _parts(samples):
        for attribute, classify in task.networks.classifiers():
            images = (images for _, _, images in part)
            logits[attribute] += _counted(task, attribute, classify(images), count, done)
        latents += [(z, w) for z, w, _ in part]
        done += sum(len(z) for z, _, _ in part)
        part.clear()  # before the next one is generated
    z, w = zip(*latents)
    spaces = {'ls_z': z, 'ls_w': w} if task.source.has_w else {'ls_z': z}
    logits = [np.concatenate(some) for some in logits.values()]
    return {name: _separability(np.concatenate(space), logits, partial(task.progress, name))
            for name, space in spaces.items()}


def _swd(task, count, name):
    count, patches = min(_available(task, count), task.num_reals), []
    for side, images in enumerate((_reals(task, count), _fakes(task, count))):
        first = next(images)
        patches.append(sliced_wasserstein.Patches(count, first.shape[1], first.shape[3],
                                                  [task.seed, side]))
        patches[side].add(first)
        for batch in images:
            patches[side].add(batch)
    result = sliced_wasserstein.distance(*patches, task.seed, _statistics(task))
    mean = result.pop('mean')
    return {name: mean, **{f'{name}_{resolution}': value for resolution, value in result.items()}}


def _ms_ssim(task, count, name):
    def diversity(images):
        found = ms_ssim.Diversity()
        for batch in images:
            found.add(batch)
        return found.value

    of_reals, of_fakes = _of_both(task, name, count, diversity)
    return {name: of_fakes, f'{name}_reals': of_reals}


def _path_length_metrics():
    """ppl_zfull, ppl_wfull, ppl_zend, ppl_wend; and ppl2_wend, StyleGAN2's: 50,000, uncropped."""
    metrics = {}
    for space in 'zw':
        for sampling in ('full', 'end'):
            name = f'ppl_{space}{sampling}'
            metrics[name] = Metric(partial(_path_length, count=100_000, name=name, space=space,
                                           whole_path=sampling == 'full'),
                                   ('lpips',), needs_generator=True)
    metrics['ppl2_wend'] = Metric(partial(_path_length, count=50_000, name='ppl2_wend', space='w',
                                          whole_path=False, crop=False),
                                  ('lpips',), needs_generator=True)
    return metrics


METRICS = {
    'swd16k': Metric(partial(_swd, count=16_384, name='swd16k'), reals=IMAGES),
    'msssim10k': Metric(partial(_ms_ssim, count=10_000, name='msssim10k'), reals=IMAGES,
                        badness=lambda v: abs(v['msssim10k'] - v['msssim10k_reals'])),
    'fid50k': Metric(partial(_fid, count=50_000, name='fid50k'), ('inception',), reals=STATISTICS),
    'fid10k': Metric(partial(_fid, count=10_000, name='fid10k'), ('inception',), reals=STATISTICS),
    'kid50k': Metric(partial(_kid, count=50_000, name='kid50k'), ('inception',), reals=IMAGES),
    'is50k': Metric(partial(_inception_score, count=50_000, name='is50k'), ('inception',),
                    badness=lambda v: -v['is50k_mean']),
    'pr50k3': Metric(partial(_precision_recall, count=50_000, name='pr50k3'), ('vgg16',),
                     reals=IMAGES,
                     badness=lambda v: -v['pr50k3_precision'] - v['pr50k3_recall']),
    **_path_length_metrics(),
    'ls': Metric(partial(_linear_separability, count=200_000), ('classifiers',),
                 needs_generator=True, badness=lambda v: v.get('ls_w', v['ls_z'])),
}


def badness(name, values):
    """One number of {name of a result: value} of METRICS[name]: lower for better networks."""
    return (METRICS[name].badness or operator.itemgetter(name))(values)


@contextlib.contextmanager
def _no_tf32():
    """A GPU would otherwise round features to ten bits, and with them the metric."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def check_request(name, has_generator, has_reals, has_statistics):
    """ValueError where METRICS has no `name`, or where it needs something that is not there."""
    if name not in METRICS:
        raise ValueError(f'metrics must be among {", ".join(METRICS)}; received {name!r:.60}.')
    metric = METRICS[name]
    if metric.needs_generator and not has_generator:
        raise ValueError(f'{name} measures latent space and needs a generator; received images '
                         'only.')
    if metric.reals and not (has_reals or metric.reals == STATISTICS and has_statistics):
        raise ValueError(f'{name} compares with real images; received none: name the data set.')


def evaluate(name, task):
    """{name of a result: value} of METRICS[name].

    Raises:
        ValueError: a name that is none, or something that the metric needs and `task` lacks.
        OSError: a feature network that is not there and can't be downloaded.
    """
    check_request(name, task.source is not None, task.reals is not None,
                  task.real_statistics is not None)
    for network in METRICS[name].networks:
        task.networks.fetch(network)  # first of all: what is missing must not come out in the end
    with _no_tf32():
        return METRICS[name].compute(task)
