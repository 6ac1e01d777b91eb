"""The wall time of a run: the iterations of a tick, the maintenance after it, the whole."""

from __future__ import annotations

import contextlib
import time


class Clock:
    """Times in seconds, counted from here on.

    Attributes: tick_seconds, of this tick's iterations; tick_images, that they were spent on;
    maintenance, all else that the last tick took; last_seconds and last_images, of the last
    iterations.
    """

    def __init__(self):
        self.maintenance, self.last_seconds, self.last_images = 0.0, 0.0, 0
        self._counted_at = time.time()
        self.start_tick()

    def start_tick(self):
        """The iterations from here on are those of another tick."""
        self.tick_seconds, self.tick_images = 0.0, 0

    @contextlib.contextmanager
    def iterating(self, nimg):
        """Counts what is done within as iterations; nimg: a variable, images shown so far."""
        start, before = time.time(), int(nimg)
        yield
        self.last_seconds, self.last_images = time.time() - start, int(nimg) - before
        self.tick_seconds += self.last_seconds
        self.tick_images += self.last_images

    @contextlib.contextmanager
    def maintaining(self):
        """Counts what is done within as maintenance; the next tick starts after it."""
        start = time.time()
        yield
        self.maintenance = time.time() - start
        self.start_tick()

    def uncounted(self):
        """Seconds since the last `count`, or since the beginning."""
        return time.time() - self._counted_at

    def count(self):
        """The same; the next ones are counted from here on."""
        now = time.time()
        seconds, self._counted_at = now - self._counted_at, now
        return seconds
