"""Inception score of a set of class probabilities.

Salimans et al., 2016, arXiv 1606.03498: exp of the mean over images of KL(p(y|x) || p(y)), taken
in ten parts, one after another.
"""

from __future__ import annotations

import numpy as np

SPLITS = 10


def inception_score(probabilities, splits=SPLITS):
    """(mean, standard deviation) over `splits` parts of class probabilities [N, classes]."""
    probabilities = np.asarray(probabilities, np.float64)
    if len(probabilities) < splits:
        raise ValueError(f'Inception score: must have {splits} images or more; received '
                         f'{len(probabilities)}.')
    scores = []
    for part in np.array_split(probabilities, splits):
        marginal = part.mean(axis=0, keepdims=True)
        ratio = np.divide(part, marginal, out=np.ones_like(part), where=part > 0)  # 0 log 0 = 0
        scores.append(np.exp((part * np.log(ratio)).sum(axis=1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def measure(task, count):
    """Inception score of a Task's fakes: {'_mean': value, '_std': deviation}."""
    probabilities = [some for _, some in task.networks.inception(task.fake_images(count))]
    mean, deviation = inception_score(np.concatenate(probabilities))
    return {'_mean': mean, '_std': deviation}
