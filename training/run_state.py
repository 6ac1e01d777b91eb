"""What the state of every kind of training run has: where it is, and the sums of its statistics."""

from __future__ import annotations

import tensorflow as tf

from training.layers import named_variables
from training.replicas import assign


class RunState(tf.Module):
    """Networks, optimizers and counters of a run; a checkpoint of it and the options are the run.

    A subclass makes its networks and calls `_add_stats` in the scope of its strategy, since an
    iteration changes these on each replica, and then `_add_counters`.

    Class attributes:
        NETWORKS: attributes that are networks.
        STATS: names of what an iteration adds up; LOSSES: those that must stay finite.
        RATE_FLAGS: the flags of the learning rates, in words.
        ADDED: attributes that checkpoints of earlier versions lack.
    """

    NETWORKS, STATS, LOSSES, RATE_FLAGS, ADDED = (), (), (), '', ()

    def _add_stats(self):
        self.stat_sums = tf.Variable(tf.zeros([len(self.STATS)], tf.float64))
        self.stat_counts = tf.Variable(tf.zeros([len(self.STATS)], tf.float64))

    def _add_counters(self):
        """Read and set between iterations: one copy a process is enough.

        In the host's memory, and never by compiled functions: reading them waits for no device.
        """
        self.nimg = self._counter()                          # images shown
        self.tick = self._counter()                          # ticks finished
        self.rollbacks = self._counter()                     # times back to a checkpoint; in seeds
        self.tick_start_nimg = self._counter()
        self.seconds = self._counter(tf.float64)             # wall time spent so far, all starts

    @staticmethod
    def _counter(dtype=tf.int64, value=0):
        with tf.device('CPU:0'):
            return tf.Variable(value, dtype=dtype)

    def wait(self):
        """Until the device has done what it was given; a CPU always has."""
        self.stat_sums.numpy()

    @property
    def kimg(self):
        """Thousands of images shown."""
        return int(self.nimg) / 1000

    @property
    def variables(self):
        """All of the state, in a fixed order. (Keras 3's networks are no tf.Modules.)"""
        found = [*super().variables]
        for part in self.NETWORKS:
            found += named_variables(getattr(self, part)).values()
        return tuple({id(variable): variable for variable in found}.values())

    def trained_weights(self):
        """{'G/<reference name>': variable, 'D/...'} of all that is trained."""
        return {f'{part}/{name}': variable for part in self.NETWORKS if not part.endswith('s')
                for name, variable in named_variables(getattr(self, part)).items()
                if variable.trainable}

    def add_stats(self, values, counted=True):
        """Adds {name: value} to this tick's sums, on each replica (read once a tick).

        counted: False (it may be a tensor) = these values do not count.
        """
        places = [[self.STATS.index(name)] for name in values]
        values = tf.stack([tf.cast(value, tf.float64) for value in values.values()])
        values, counts = (tf.where(counted, x, 0) for x in (values, tf.ones_like(values)))
        shape = [len(self.STATS)]
        assign(self.stat_sums, self.stat_sums + tf.scatter_nd(places, values, shape))
        assign(self.stat_counts, self.stat_counts + tf.scatter_nd(places, counts, shape))

    def take_stats(self):
        """{name: mean since the last call}; skipped_*: counts. Starts anew."""
        sums, counts = self.stat_sums.numpy(), self.stat_counts.numpy()
        self.stat_sums.assign(tf.zeros_like(self.stat_sums))
        self.stat_counts.assign(tf.zeros_like(self.stat_counts))
        return {name: float(total) if name.startswith('skipped') else float(total / max(count, 1))
                for name, total, count in zip(self.STATS, sums, counts)}
