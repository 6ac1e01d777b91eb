"""Linear separability: how well a plane in latent space parts images with and without an attribute.

Karras, Laine and Aila, 2018, arXiv 1812.04948, section 4.2: 2^(sum over 40 attributes of
H(Y | X)), Y = the class that a classifier network gives an image, X = the one that a linear SVM
gives its latent, from the half of the images that the classifier is surest of.
"""

from __future__ import annotations

import numpy as np


def conditional_entropy(table):
    """H(axis 1 given axis 0) in bits of a table of counts or probabilities, [A, B]."""
    table = np.asarray(table, np.float64) / np.sum(table)
    given = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
    ratio = np.divide(given, table, out=np.ones_like(table), where=table > 0)  # 0 log 0 = 0
    return max(float((table * np.log2(ratio)).sum()), 0.0)


def surest_half(logits):
    """Indices of the half of `logits` [N] that is furthest from 0: of the surest decisions.

    The classes' probabilities are softmax([logit, -logit]), so surer is further from 0.
    """
    return np.argsort(-np.abs(logits), kind='stable')[:len(logits) // 2]


def attribute_entropy(latents, logits):
    """H(class by `logits` [N] given class by an SVM on `latents` [N, D]), in bits."""
    classes = (logits > 0).astype(np.int64)
    if classes.min() == classes.max():
        return 0.0  # nothing to part: the SVM would refuse, and nothing is left uncertain
    from sklearn.svm import LinearSVC  # here, because importing it takes seconds
    predicted = LinearSVC(random_state=0).fit(latents, classes).predict(latents)
    table = np.zeros([2, 2])
    np.add.at(table, (predicted, classes), 1)
    return conditional_entropy(table)


def separability(entropies):
    """The score, 1 (all separable) or more, of the attributes' entropies in bits."""
    return float(2 ** np.sum(entropies))
