"""Iterations at any level: one compiled function for each, and the stream of reals."""

from __future__ import annotations

import tensorflow as tf

from training.config import RunConfig
from training.dataset import blend_reals, plain_errors
from training.replicas import Replicas, replica_number
from training.schedule import chunks_of
from training.seeds import folded_seed, random_normal, run_seed
from training.state import TrainingState
from training.steps import StepOptions, discriminator_step, train_iteration

LABEL_SEED = 2  # what a draw is for, folded into the run's seed


def compiled_iteration(state: TrainingState, config: RunConfig, replicas: Replicas, level,
                       minibatch, jit_compile=None):
    """The whole iteration at one level as one compiled function; jit_compile: by XLA.

    Takes the run's seed and the iteration's number (int64), D_repeats pairs (uint8 images, labels),
    G's labels [N, label_size], alpha, G_lrate, D_lrate and ema_beta (scalar tensors); N is this
    process's share of the minibatch. All random numbers follow from the seed, the iteration's and
    the replica's number, so that a resumed run is the run that was not interrupted.
    """
    size = minibatch // replicas.count
    chunks = chunks_of(size, config.batch_gpu)

    def on_replica(seed_of_run, iteration, batches, G_labels, alpha, G_lrate, D_lrate, ema_beta):
        base = folded_seed(folded_seed([seed_of_run, 0], iteration), replica_number())
        shape = [size, config.G.latent_size]
        for repeat, (images, labels) in enumerate(batches):
            images, labels = replicas.own_rows(images), replicas.own_rows(labels)
            seed = folded_seed(base, repeat)
            options = StepOptions(level, alpha, config.losses, randomize_noise=True,
                                  style_mixing=True, seed=seed, chunks=chunks,
                                  freeze_d=config.freeze_d)
            reals = blend_reals(images, alpha, config.mirror_augment, folded_seed(seed, 10))
            z_d = random_normal(shape, folded_seed(seed, 11))
            if repeat < config.D_repeats - 1:
                discriminator_step(state, reals, labels, z_d, D_lrate, options)
                state.update_moving_average(ema_beta)
            else:
                z_g = random_normal(shape, folded_seed(seed, 12))
                train_iteration(state, reals, labels, z_d, z_g, G_lrate=G_lrate, D_lrate=D_lrate,
                                ema_beta=ema_beta, G_labels=replicas.own_rows(G_labels),
                                **options._asdict())

    def iterate(*arguments):
        replicas.strategy.run(on_replica, arguments)

    # No tensor decides a branch: it traces faster without autograph.
    return tf.function(iterate, autograph=False, jit_compile=jit_compile)


class Iterations:
    """Runs iterations at any level: keeps compiled functions and the stream of reals."""

    def __init__(self, state, config, dataset, log, replicas):
        self.state, self.config, self.dataset, self.log = state, config, dataset, log
        self.replicas = replicas
        self._compiled, self._stream, self._stream_key = {}, None, None

    @property
    def seed(self):
        """That of the run, with the times it has gone back to a checkpoint."""
        return run_seed(self.config.seed, int(self.state.rollbacks))

    def run(self, sched, minibatch_repeats):
        """`minibatch_repeats` iterations at one reading of the schedule."""
        self._open_stream(sched)
        scalars = self._scalars(sched)
        if (sched.level, sched.minibatch) not in self._compiled:
            self._compile(sched)
            size = sched.resolution
            with self.log.phase(f'Compiling the {size}x{size} training step, minibatch '
                                f'{sched.minibatch} (once per resolution)'):
                self._iterate(sched, scalars)
            minibatch_repeats -= 1
        for _ in range(minibatch_repeats):
            self._iterate(sched, scalars)

    def try_step(self, sched):
        """One iteration on black images, with the function that training then uses."""
        if (sched.level, sched.minibatch) not in self._compiled:
            self._compile(sched)
        size, share = sched.resolution, sched.minibatch // self.replicas.workers
        images = tf.zeros([share, size, size, self.dataset.num_channels], tf.uint8)
        labels = tf.zeros([share, self.dataset.label_size])
        self._compiled[sched.level, sched.minibatch](
            *self._place(), [(images, labels)] * self.config.D_repeats, labels,
            *self._scalars(sched))

    def _compile(self, sched):
        self._compiled[sched.level, sched.minibatch] = compiled_iteration(
            self.state, self.config, self.replicas, sched.level, sched.minibatch)

    def _place(self):
        """The run's seed and the iteration's number, as the compiled function takes them."""
        return tf.constant(self.seed, tf.int64), tf.constant(int(self.state.iteration), tf.int64)

    def _scalars(self, sched):
        half_life = self.config.G_smoothing_kimg * 1000
        beta = 0.5 ** (sched.minibatch / half_life) if half_life else 0.0
        return [tf.constant(value, tf.float32) for value in
                (sched.alpha, sched.G_lrate, sched.D_lrate, beta)]

    def _iterate(self, sched, scalars):
        with plain_errors():
            batches = [next(self._stream) for _ in range(self.config.D_repeats)]
        G_labels = self.dataset.random_labels(
            [self.seed, LABEL_SEED, int(self.state.iteration)], sched.minibatch)
        share = sched.minibatch // self.replicas.workers
        G_labels = G_labels[self.replicas.worker * share:][:share]
        self._compiled[sched.level, sched.minibatch](*self._place(), batches,
                                                     tf.constant(G_labels), *scalars)
        for counter in (self.state.nimg, self.state.reals_drawn):
            counter.assign_add(sched.minibatch * self.config.D_repeats)
        self.state.iteration.assign_add(1)

    def close(self):
        """Ends the reading ahead: at its own end, Python would wait for that thread for ever."""
        self._stream = self._stream_key = None

    def _open_stream(self, sched):
        key = (sched.resolution, sched.minibatch, self.seed)  # another seed: it has gone back
        if key != self._stream_key:
            self._stream = iter(self.dataset.batches(
                sched.resolution, sched.minibatch, int(self.state.reals_drawn), self.seed,
                (self.replicas.worker, self.replicas.workers)))
            self._stream_key = key
