"""The devices that share minibatches: these are dealt to them and come back in order.

Each device has a copy of its own of every network, because a compiled function that reads the
variables of another device would fetch them anew with each call.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import itertools

import tensorflow as tf


class Devices:
    """Some devices, each with a thread while there is work; a single one needs no thread.

    Args:
        names: of logical devices; None = the one that TensorFlow takes by itself.
    """

    def __init__(self, names=(None,)):
        self.names = list(names)

    def copies(self, make):
        """[make(0), make(1), ...]: one for each device, whose variables lie there."""
        result = []
        for number, name in enumerate(self.names):
            with tf.device(name):
                result.append(make(number))
        return result

    def map(self, function, copies, items):
        """Yields function(copy, item) for each of `items`, in their order.

        Items go to the devices in turn, so that which of them computes a result is always the
        same; `copy` is the one of `copies` that belongs to it. An error comes out here.
        """
        def compute(number, item):
            with tf.device(self.names[number]):
                return function(copies[number], item)

        if len(self.names) > 1:
            yield from self._dealt(compute, items)
        else:
            for item in items:
                yield compute(0, item)

    def _dealt(self, compute, items):
        """Yields compute(number of a device, item); each device has one in work, one waiting."""
        waiting = collections.deque()
        with contextlib.ExitStack() as stack:
            threads = [stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
                       for _ in self.names]
            # Leaving waits for what is in work; this, which comes first, drops the rest.
            stack.callback(lambda: [future.cancel() for future in waiting])
            for number, item in zip(itertools.cycle(range(len(threads))), items):
                waiting.append(threads[number].submit(compute, number, item))
                if len(waiting) == 2 * len(threads):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


ONE_DEVICE = Devices()
