"""Iterations of a translation run: the compiled step and the streams of images that it is shown."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from training.dataset import plain_errors
from training.schedule import chunks_of
from training.seeds import run_seed
from translation.data import TranslationStream
from translation.steps import Batch, train_iteration


class Schedule(NamedTuple):
    """What holds at any moment of a translation run; nothing grows here."""
    resolution: int    # pixels
    minibatch: int     # images over all replicas
    tick_kimg: float   # thousands of images between two progress lines


class Iterations:
    """Runs iterations: one compiled function, and the stream of rows from where the run stands."""

    def __init__(self, state, config, images, log, replicas, mask_fn=None):
        self.state, self.config, self.log, self.replicas = state, config, log, replicas
        self.images, self.mask_fn = images, mask_fn
        self._compiled, self._stream, self._seed = None, None, None

    @property
    def seed(self):
        """That of the run, with the times it has gone back to a checkpoint."""
        return int(run_seed(self.config.seed, int(self.state.rollbacks)))

    def run(self, sched, repeats):
        """`repeats` iterations."""
        self._open_stream()
        if self._compiled is None:
            self._compiled = self._compile()
            size = sched.resolution
            with self.log.phase(f'Compiling the {size}x{size} training step, minibatch '
                                f'{sched.minibatch}'):
                self._iterate()
            repeats -= 1
        for _ in range(repeats):
            self._iterate()

    def _compile(self):
        share = self.config.batch // self.replicas.count
        chunks = chunks_of(share, self.config.batch_gpu)

        def on_replica(batch):
            own = Batch(*map(self.replicas.own_rows, batch))
            train_iteration(self.state, own, self.mask_fn, chunks)

        def iterate(batch):
            self.replicas.strategy.run(on_replica, (batch,))

        return tf.function(iterate, autograph=False)

    def _iterate(self):
        with plain_errors():
            batch = next(self._stream)
        self._compiled(batch)
        self.state.nimg.assign_add(self.config.batch)

    def _open_stream(self):
        if self._stream is None or self._seed != self.seed:  # another seed: it has gone back
            self._seed, networks = self.seed, self.config.networks
            stream = TranslationStream(self.images, networks.img_size, networks.latent_dim,
                                       self.config.randcrop_prob, self._seed)
            self._stream = iter(stream.batches(
                self.config.batch, int(self.state.nimg),
                (self.replicas.worker, self.replicas.workers)))

    def close(self):
        """Ends the reading ahead: at its own end, Python would wait for that thread for ever."""
        self._stream = None
