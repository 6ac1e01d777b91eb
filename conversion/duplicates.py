"""Finds images that are the same, or nearly, among very many: by hashes, then by a look at them.

Perceptual hashes of 64 bits that differ in at most 7 are found by the pigeonhole principle: of four
parts of 16 bits, one differs in at most one bit. So each part is looked up as it is and with each
of its bits turned over, 68 look-ups an image, not one for each other image.
"""

from __future__ import annotations

import numpy as np

PARTS, PART_BITS = 4, 16
MOST_BITS = 2 * PARTS - 1     # differences that are found for certain


def groups(pixels, looks, thumbnails, bits, levels):
    """[number of the first image that each image is the same as, or nearly], int [N].

    Args:
        pixels: hashes of all pixels: equal ones are the same image.
        looks: perceptual hashes, uint64 [N].
        thumbnails: uint8 [N, F].
        bits: perceptual hashes of near-duplicates differ in so many bits at most; 0 .. MOST_BITS,
            or -1 = only the same images are found.
        levels: their thumbnails differ by so much at most: root of the mean squared difference.
    """
    found = _Union(len(pixels))
    first = {}
    for number, digest in enumerate(pixels):
        found.join(first.setdefault(digest, number), number)
    if bits >= 0 and len(pixels):
        _join_near(found, np.asarray(looks, np.uint64), np.asarray(thumbnails, np.int16), bits,
                   levels)
    return np.array([found.root(number) for number in range(len(pixels))], int)


def _join_near(found, looks, thumbnails, bits, levels):
    """Joins images whose hashes and thumbnails are near."""
    def are_near(a, b):
        difference = (thumbnails[a] - thumbnails[b]).astype(np.float32)
        return np.sqrt(np.mean(difference ** 2, axis=-1)) <= levels

    # Of one hash: each joins the first, of those that differ, which it resembles.
    order = np.argsort(looks, kind='stable')
    values, starts = np.unique(looks[order], return_index=True)
    leaders = []      # [(number of an image, number of its hash), ...]
    for index, members in enumerate(np.split(order, starts[1:])):
        own = []
        for member in members:
            near = np.flatnonzero(are_near(np.array(own, int), member)) if own else []
            if len(near):
                found.join(own[near[0]], member)
            else:
                own.append(member)
        leaders += [(member, index) for member in own]
    of_hash = [[] for _ in values]
    for member, index in leaders:
        of_hash[index].append(member)
    for a, b in near_pairs(values, bits):
        for member in of_hash[a]:
            others = np.array(of_hash[b], int)
            for other in others[are_near(others, member)]:
                found.join(member, other)


def near_pairs(hashes, bits):
    """int [M, 2]: pairs of different hashes, uint64 [N], that differ in at most `bits` bits."""
    if not 0 <= bits <= MOST_BITS:
        raise ValueError(f'bits must be within 0..{MOST_BITS}, got {bits}')
    pairs = [np.empty([0, 2], int)]
    turned = np.array([0, *(1 << bit for bit in range(PART_BITS))], np.uint64)
    for part in range(PARTS):
        keys = (hashes >> np.uint64(part * PART_BITS)) & np.uint64(2 ** PART_BITS - 1)
        order = np.argsort(keys, kind='stable')
        ordered = keys[order]
        for bit in turned:
            wanted = keys ^ bit
            low, high = (np.searchsorted(ordered, wanted, side) for side in ('left', 'right'))
            counts = high - low
            a = np.repeat(np.arange(len(hashes)), counts)
            within = np.arange(len(a)) - np.repeat(np.cumsum(counts) - counts, counts)
            b = order[np.repeat(low, counts) + within]
            near = (a < b) & (_count_bits(hashes[a] ^ hashes[b]) <= bits)
            pairs.append(np.stack([a[near], b[near]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _count_bits(x):
    """Number of bits that are 1 in each of uint64 [N]."""
    return np.unpackbits(x.reshape(-1, 1).view(np.uint8), axis=1).sum(axis=1)


class _Union:
    """Sets of numbers that are joined two at a time; the least of a set is its root."""

    def __init__(self, count):
        self._parents = list(range(count))

    def root(self, number):
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, a, b):
        a, b = sorted((self.root(int(a)), self.root(int(b))))
        self._parents[b] = a
