"""Directions by labels: a plane in w that parts images which have an attribute from the others.

A linear SVM or a logistic regression in w (Shen et al. 2020, InterFaceGAN, arXiv 1907.10786,
sections 2 and 3): its normal is the direction. Conditional on the others, it is the part of the
normal that is orthogonal to all of theirs.
"""

from __future__ import annotations

import numpy as np

from editing.directions import Direction

CLASSIFIERS = ('svm', 'logistic')
HELD_OUT = 0.2   # of the w: on these the accuracy is measured
FEWEST = 5       # images with an attribute, and without it


def normal_of(points, classes, classifier):
    """The unit normal [D] of the plane that parts points [N, D] by classes bool [N]."""
    # Here, because importing it takes seconds.
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC
    model = (LinearSVC(dual='auto', class_weight='balanced', random_state=0)
             if classifier == 'svm' else LogisticRegression(class_weight='balanced', max_iter=1000))
    normal = model.fit(points, classes).coef_[0]
    return normal / np.linalg.norm(normal)


def threshold(values, classes):
    """The number that parts values [N] by classes bool [N] with the fewest errors on both sides.

    Both sides count alike, whatever their numbers.
    """
    order = np.argsort(values, kind='stable')
    values, classes = values[order], classes[order]
    right = np.cumsum(~classes) / max(1, np.sum(~classes))        # of those without it, below
    wrong = np.cumsum(classes) / max(1, np.sum(classes))          # of those with it, below
    best = int(np.argmax((right - wrong)[:-1]))
    return (values[best] + values[best + 1]) / 2


def accuracy(values, classes, border):
    """Mean over both sides of the share of values [N] that lie on the side of their class."""
    return float((np.mean(values[classes] > border) + np.mean(values[~classes] <= border)) / 2)


def without(vector, others):
    """The unit vector of the part of `vector` [D] that is orthogonal to all of others [K, D]."""
    if len(others):
        basis, _ = np.linalg.qr(np.transpose(others))
        vector = vector - basis @ (basis.T @ vector)
    length = np.linalg.norm(vector)
    if length < 1e-3:
        raise ValueError('--conditional: a direction lies wholly within the others; leave the flag '
                         'out, or give fewer attributes.')
    return vector / length


def check_counts(attributes):
    """ValueError where {name: bool [N]} has an attribute of too few images, or of nearly all."""
    for name, has in attributes.items():
        if min(has.sum(), (~has).sum()) < FEWEST:
            raise ValueError(f'{name}: {has.sum()} of {len(has)} images have it; {FEWEST} with it '
                             f'and {FEWEST} without it are the least. Give more images.')


def _held_out(has):
    """bool [N]: which images are held out, a share of those with an attribute and of the others."""
    result, random = np.zeros(len(has), bool), np.random.RandomState(0)
    for side in (has, ~has):
        members = random.permutation(np.flatnonzero(side))
        result[members[:max(1, round(HELD_OUT * len(members)))]] = True
    return result


def fitted(w, attributes, layers, statistics, classifier='svm', conditional=False):
    """Directions of attributes, from w [N, D] of images.

    Their `accuracy` is that of held-out w, parted where those trained on are best parted: the mean
    over those with the attribute and those without it, 0.5 = by chance.

    Args:
        attributes: {name: bool [N]}.
        layers: style layers that the directions are for.
        statistics: latents.WStatistics.
        conditional: each without what it has in common with the others.
    """
    check_counts(attributes)
    points = ((w - statistics.mean) / statistics.deviation).astype(np.float64)
    held_out = {name: _held_out(has) for name, has in attributes.items()}
    normals = np.stack([normal_of(points[~held_out[name]], has[~held_out[name]], classifier)
                        for name, has in attributes.items()])
    if conditional:
        normals = np.stack([without(normal, np.delete(normals, i, axis=0))
                            for i, normal in enumerate(normals)])
    found = []
    for normal, (name, has) in zip(normals, attributes.items()):
        values, tested = points @ normal, held_out[name]
        border = threshold(values[~tested], has[~tested])
        found.append(Direction(name, normal.astype(np.float32), tuple(layers), float(
            statistics.along(normal[np.newaxis])[0]), {
                'accuracy': accuracy(values[tested], has[tested], border),
                'images': float(has.sum())}))
    return found
