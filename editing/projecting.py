"""Projects many images, as many at a time as fit; frames of a film show the way there."""

from __future__ import annotations

import numpy as np

from editing import pairs
from editing.projection import Projector, joined
from pictures.w_files import SavedW

SHARE = 4   # a descent needs the memory of so many times as many images that are drawn


class Projecting:
    """A job: projections of images, made while `frames` are asked for.

    Args:
        count: images in all.
        read: range or array of numbers -> these targets, float32 [n, r, r, C], [-1, 1].
        sampler, statistics, distance, options: as Projector takes them.
        minibatch: images at a time; None = as many as fit.
        progress: wraps the moments of a Projector: (moments, total) -> moments.
        stops: () -> whether to stop after this step, with the best so far.

    Attributes:
        images: uint8 [n, r, 2 r, C], a pair for each image so far.
        stopped: whether `stops` said so.
    """

    def __init__(self, count, read, sampler, statistics, distance, options, minibatch=None,
                 progress=lambda moments, total: moments, stops=lambda: False):
        self.count, self.read, self.sampler = count, read, sampler
        self.arguments = statistics, distance, options
        self.minibatch = min(minibatch or max(1, sampler.minibatch // SHARE), count)
        self.progress, self.stops, self.stopped = progress, stops, False
        self.images, self._found = [], []

    def frames(self, film=True):
        """Yields the frames of the film, uint8 [H, W, C]; without `film` none."""
        for start in range(0, self.count, self.minibatch):
            targets = self.read(range(start, min(start + self.minibatch, self.count)))
            projector = Projector(self.sampler, targets, *self.arguments)
            for moment in self.progress(projector.moments(), projector.options.total_steps):
                if film and pairs.is_due(moment.step, moment.steps):
                    yield pairs.frame(targets, moment.images, self.minibatch)
                self.stopped = self.stopped or self.stops()
                if self.stopped:
                    break
            yield from self._ended(targets, projector.best(), film)
            if self.stopped:
                return

    def _ended(self, targets, found, film):
        """Takes what was found for some targets; a film rests there for a second."""
        images = self.sampler.images(found.w, SavedW(found.w, found.noise).noise_of,
                                     convert=np.asarray)
        self._found.append(found)
        self.images.extend(pairs.pairs(targets, images))
        if film:
            yield from [pairs.frame(targets, images, self.minibatch)] * pairs.FPS

    def projection(self):
        """The Projection of all images so far; None where there is none."""
        return joined(self._found) if self._found else None
