"""Linear separability: how well a plane in latent space divides images by an attribute.

Karras, Laine and Aila, 2018, arXiv 1812.04948, section 4.2: 2^(sum over 40 attributes of
H(Y | X)), Y = the class that a classifier network gives an image, X = the one that a linear SVM
gives its latent, from the half of the images that the classifier is surest of.
"""

from __future__ import annotations

import collections
import json
from functools import partial

import numpy as np

from formats import tensor_file
from metrics.task import FAKES

FORMAT = 'stylegan-tf2-planes-1'
PART_BYTES = 2 ** 31  # of the images that the classifiers see one after another


def conditional_entropy(table):
    """H(axis 1 given axis 0) in bits of a table of counts or probabilities, [A, B]."""
    table = np.asarray(table, np.float64) / np.sum(table)
    given = np.broadcast_to(table.sum(axis=1, keepdims=True), table.shape)
    ratio = np.divide(given, table, out=np.ones_like(table), where=table > 0)  # 0 log 0 = 0
    return max(float((table * np.log2(ratio)).sum()), 0.0)


def surest_half(logits):
    """Indices of the half of `logits` [N] whose decisions are surest, the surest first.

    Sureness is the larger of softmax([logit, -logit]) in float32, as in the reference. Beyond
    |logit| = 8.3 or so that is 1: such decisions are equally sure and stay in their order.
    """
    opposite = np.exp(-2 * np.abs(np.asarray(logits, np.float32)))
    probability = 1 / (1 + opposite)  # float32, of the likelier class
    return np.argsort(-probability, kind='stable')[:len(logits) // 2]


def attribute_entropy(latents, logits, keep=lambda normal, offset, agreement: None):
    """H(class by `logits` [N] given class by an SVM on `latents` [N, D]), in bits.

    keep: called with the SVM's plane - normal [D], offset - and the share of latents for which both
    agree; not where all are of one class.
    """
    classes = (logits > 0).astype(np.int64)
    if classes.min() == classes.max():
        return 0.0  # nothing to part: the SVM would refuse, and nothing is left uncertain
    from sklearn.svm import LinearSVC  # here, because importing it takes seconds
    # dual=True: scikit-learn's default when the published numbers were made.
    svm = LinearSVC(dual=True, random_state=0).fit(latents, classes)
    predicted = svm.predict(latents)
    keep(svm.coef_[0], svm.intercept_[0], float(np.mean(predicted == classes)))
    table = np.zeros([2, 2])
    np.add.at(table, (predicted, classes), 1)
    return conditional_entropy(table)


def separability(entropies):
    """The score, 1 (all separable) or more, of the attributes' entropies in bits."""
    return float(2 ** np.sum(entropies))


class Planes:
    """The planes of attributes in latent space."""

    def __init__(self):
        self.planes, self.agreements = {}, {}

    def add(self, attribute, normal, offset, agreement):
        """One more, as `attribute_entropy` gives it."""
        self.planes[attribute] = np.append(normal, offset).astype(np.float32)
        self.agreements[attribute] = agreement

    def write(self, path, network_sha256):
        """A tensor file: for each attribute its normal and offset, [D + 1]."""
        tensor_file.write(path, self.planes, {
            'format': FORMAT, 'agreements': json.dumps(self.agreements),
            'network_sha256': network_sha256})


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


def _separability_of(latents, logits, progress, keep):
    """The score of latents [N, D], given the logits {attribute: [N]}.

    keep: called with (attribute, its plane as `attribute_entropy` has it).
    """
    entropies = []
    for attribute, some in logits.items():
        kept = surest_half(some)
        entropies.append(attribute_entropy(latents[kept], some[kept], partial(keep, attribute)))
        progress(len(entropies), len(logits))
    return separability(entropies)


def measure(task, count):
    """Separability of a Task's latents: {'_z': score, '_w': score}, the latter where there is w."""
    # Images in parts; each classifier sees a part before the next one is generated.
    latents, logits, done = [], collections.defaultdict(list), 0
    samples = task.counted(FAKES, task.fakes.latents_and_images(count), count,
                           size=lambda sample: len(sample[0]))
    for part in _parts(samples):
        for attribute, classify in task.networks.classifiers():
            images = (images for _, _, images in part)
            logits[attribute] += task.counted(attribute, classify(images), count, done)
        latents += [(z, w) for z, w, _ in part]
        done += sum(len(z) for z, _, _ in part)
        part.clear()  # before the next one is generated
    # A plane for each attribute in each space.
    z, w = zip(*latents)
    spaces = {'_z': z, '_w': w} if task.fakes.has_w else {'_z': z}
    logits = {attribute: np.concatenate(some) for attribute, some in logits.items()}
    planes = {name: Planes() for name in spaces}
    scores = {name: _separability_of(np.concatenate(space), logits,
                                     partial(task.progress, f'ls{name}'), planes[name].add)
              for name, space in spaces.items()}
    if '_w' in planes:
        task.keep('ls-planes', planes['_w'])
    return scores
