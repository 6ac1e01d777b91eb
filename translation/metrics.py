"""Every metric of translation networks by its public name.

The protocol is StarGAN v2's (Choi et al. 2020, section 4 and appendix): a number for each ordered
pair of different domains, and their mean. `_latent` takes the styles from random latents,
`_reference` from validation images of the target domain.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import NamedTuple

import numpy as np

from metrics import alexnet, frechet, sliced_wasserstein
from metrics.reals import Reals
from metrics.registry import IMAGES, Metric
from metrics.task import FAKES
from translation.data import DomainImages
from translation.fakes import BATCH, GUIDES
from translation.sampler import to_still

OUTPUTS = 10         # translations of each source
SWD_IMAGES = 1024    # fakes of a pair, about, and training images of its target, at most


class TrainingImages(NamedTuple):
    """What fakes are compared with."""
    source: DomainImages
    of_domain: tuple[Reals, ...]


def by_pair(task, guide, amount, compare):
    """{'': mean, '/cat2dog': value, ...}: `compare` of each pair of domains.

    Args:
        task: Task of Fakes and TrainingImages.
        guide: of GUIDES.
        amount: number of sources that there are -> (sources to take, translations of each).
        compare: (pair, batches of sources and styles) -> value; pairs with the same target come
            one after the other.
    """
    fakes, values = task.fakes, {}
    amounts = {pair: amount(fakes.val[pair[0]].num_images) for pair in fakes.pairs()}
    done, total = 0, sum(itertools.starmap(int.__mul__, amounts.values()))
    for target, pairs in itertools.groupby(amounts, key=lambda pair: pair[1]):
        styles = fakes.styles(guide, target)
        for pair in pairs:
            batches = task.counted(FAKES, fakes.batches(pair, styles, *amounts[pair]), total, done,
                                   size=lambda batch: batch[1].shape[0] * batch[1].shape[1])
            values[f'/{fakes.name(pair)}'] = compare(pair, batches)
            done += int.__mul__(*amounts[pair])
    return {'': float(np.mean(list(values.values()))), **dict(sorted(values.items()))}


def measure_swd(task, most, guide):
    """Sliced Wasserstein distances from the training images of the target.

    most: images of each side, about.
    """
    reals = {}   # {target: its Patches}: one at a time, as they are large

    def amount(num_sources):
        sources = min(num_sources, most)
        return sources, min(OUTPUTS, most // sources)

    def compare(pair, batches):
        target = pair[1]
        if target not in reals:
            reals.clear()
            count = min(most, task.reals.of_domain[target].num_images)
            reals[target] = sliced_wasserstein.patches_of(
                task.reals.of_domain[target].images(count), count, [task.seed, 0])
        count = int.__mul__(*amount(task.fakes.val[pair[0]].num_images))
        fakes = sliced_wasserstein.patches_of(task.fakes.images(batches, to_still), count,
                                              [task.seed, 1])
        return sliced_wasserstein.distance(reals[target], fakes, task.seed)['mean']

    return by_pair(task, guide, amount, compare)


def measure_fid(task, outputs, guide):
    """FIDs of `outputs` translations of each source and all training images of the target."""
    def statistics(images):
        moments = frechet.moments(task.networks.inception_v3(images))
        return moments.mean, moments.covariance

    def compare(pair, batches):
        reals = task.reals.of_domain[pair[1]]
        return frechet.frechet_distance(
            *reals.statistics(reals.num_images, lambda: statistics(task.counted(
                f'reals of {task.fakes.val[pair[1]].name}', reals.images(reals.num_images),
                reals.num_images))),
            *statistics(task.fakes.images(batches, to_still)))

    return by_pair(task, guide, lambda num_sources: (num_sources, outputs), compare)


def measure_lpips(task, outputs, guide):
    """Mean LPIPS distances between the `outputs` translations of the same source.

    Of each batch of sources the mean counts alike, the last and smaller one too.
    """
    if task.fakes.translator.config.img_size < alexnet.MIN_RESOLUTION:
        raise ValueError(f'LPIPS: images must have {alexnet.MIN_RESOLUTION} pixels a side or more; '
                         f'received {task.fakes.translator.config.img_size}. Leave the metric out.')

    def compare(_, batches):
        distances = np.concatenate(list(
            task.networks.diversities(task.fakes.outputs(batches))))
        return float(np.mean([np.mean(distances[start:start + BATCH])
                              for start in range(0, len(distances), BATCH)]))

    return by_pair(task, guide, lambda num_sources: (num_sources, outputs), compare)


def _negative(name, values):
    return -values[name]


def _table():
    """Yields (name, Metric): each kind by each guide."""
    for guide in GUIDES:
        yield f'swd_{guide}', Metric(partial(measure_swd, guide=guide), SWD_IMAGES, reals=IMAGES)
    for guide in GUIDES:
        yield f'fid_{guide}', Metric(partial(measure_fid, guide=guide), OUTPUTS,
                                     ('inception_v3',), IMAGES)
    for guide in GUIDES:
        name = f'lpips_{guide}'
        yield name, Metric(partial(measure_lpips, guide=guide), OUTPUTS, ('lpips_alex',),
                           badness=partial(_negative, name))


METRICS = dict(_table())
