"""Checks every image of a collection before anything is written; says what will happen to them."""

from __future__ import annotations

import collections
import dataclasses
import functools

from conversion import decode
from conversion.collection import read_file


@dataclasses.dataclass(frozen=True)
class Scan:
    """What the check found."""
    names: tuple        # of the usable images, in the collection's order
    unusable: dict      # {name: reason} of the others
    conversions: dict   # {what: how many} images that are not plain 8-bit already
    rules: decode.Rules  # as given, but with num_channels settled
    side: int           # of all images as they will be written, pixels
    enlarged: int       # how many images are smaller than that and will be scaled up
    misfits: int        # how many of the unusable are so for their size or shape alone
    suggestion: int     # a --resolution that fits most of the images
    kept: dict          # {name: index in the slots} of the usable images whose pixels are there


def scan(collection, rules, labels, workers, progress, slots=None):
    """Returns the Scan of a collection.Collection.

    Args:
        rules: decode.Rules for all images.
        labels: labels.Labels or None; an image without one is unusable.
        workers: workers.Workers.
        progress: callable that passes an iterable on and shows how far it is.
        slots: kept.Slots, where the pixels go of images that come to their side; None = nowhere.
    """
    facts, unusable, channels = {}, {}, {}
    results = workers.map(functools.partial(_check, collection.path, rules, slots),
                          enumerate(collection.names))
    for name, result in zip(collection.names, progress(results)):
        if isinstance(result, str):
            unusable[name] = result
        elif labels and name not in labels.of:
            unusable[name] = f'has no label in the {labels.source}'
        else:
            facts[name], channels[name] = result
    sides = sorted(min(fact.size) for fact in facts.values()) or [256]
    suggestion = 2**max(2, sides[len(sides) // 2].bit_length() - 1)
    side = _common_side(facts, rules)
    problems = {name: _size_problem(fact.size, side, rules) for name, fact in facts.items()}
    misfits = {name: problem for name, problem in problems.items() if problem}
    facts = {name: fact for name, fact in facts.items() if name not in misfits}
    rules, conversions = _settle_channels(rules, facts)
    # Gray files among coloured ones are decoded again, as RGB: a background may have a colour.
    kept = {name: index for index, name in enumerate(collection.names)
            if name in facts and channels[name] == rules.num_channels}
    return Scan(tuple(facts), {**unusable, **misfits}, dict(conversions), rules, side,
                sum(min(fact.size) < side for fact in facts.values())
                if rules.resize != 'none' and rules.resolution else 0, len(misfits), suggestion,
                kept)


def _check(path, rules, slots, chunk):
    """For each (index, name) what `_check_one` returns, or the reason (str) why it cannot be used.

    Runs in a worker.
    """
    results = []
    for index, name in chunk:
        try:
            results.append(_check_one(read_file(path, name), rules, slots, index))
        except decode.Unusable as error:
            results.append(str(error))
    return results


def _check_one(data, rules, slots, index):
    """Facts of an image, and how many channels of it are kept in its slot (0: it is not)."""
    if slots is None:
        return decode.check(data), 0
    facts, pixels = decode.check_and_decode(data, rules, slots.side)
    kept = pixels is not None and slots.put(index, pixels)
    return facts, len(pixels) if kept else 0


def _common_side(facts, rules):
    """The side that most of the images that fit at all come to."""
    sides = collections.Counter(decode.result_side(fact.size, rules) for fact in facts.values()
                                if not decode.size_problem(fact.size, rules))
    return sides.most_common(1)[0][0] if sides else rules.resolution


def _size_problem(size, side, rules):
    """Why an image of this (width, height) cannot be one of the dataset; None = it can."""
    problem = decode.size_problem(size, rules)
    if not problem and decode.result_side(size, rules) != side:
        problem = f'is {size[0]}x{size[1]}, while most images are {side}x{side}'
    return problem


def _settle_channels(rules, facts):
    """Rules with the number of channels, and how many images each conversion concerns."""
    conversions = collections.Counter(what for fact in facts.values() for what in fact.conversions)
    num_gray = sum(fact.gray for fact in facts.values())
    channels = rules.num_channels or (1 if num_gray == len(facts) else 3)
    if channels == 3 and num_gray:
        conversions['gray, to RGB'] += num_gray
    if channels == 1 and num_gray < len(facts):
        conversions['colour, to gray'] += len(facts) - num_gray
    return dataclasses.replace(rules, num_channels=channels), conversions
