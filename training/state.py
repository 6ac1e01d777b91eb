"""All that a training run is at one moment."""

from __future__ import annotations

import tensorflow as tf

from training.adam import Adam
from training.build import build_network
from training.config import FLOAT32
from training.layers import copy_weights, lerp, named_variables, trained_variables
from training.replicas import assign


def move_average(average, network, beta):
    """average <- lerp(network, average, beta) for what is trained; the rest is copied.

    On each replica; both networks have the same config (ProGAN, section 6.1).
    """
    targets = named_variables(average)
    for name, source in named_variables(network).items():
        target = targets[name]
        assign(target, lerp(source, target, beta) if source.trainable else source)


class TrainingState(tf.Module):
    """G, D, Gs (the moving average of G), both optimizers, and where the run is.

    Everything that decides how the run goes on is a variable in here: a checkpoint of this object
    and the run's options are the whole run. Each replica of a tf.distribute strategy has a copy of
    what an iteration changes. Gs computes in float32 whatever the precision.
    """

    STATS = ('loss_D', 'loss_G', 'score_real', 'score_fake', 'penalty', 'skipped_D', 'skipped_G')

    def __init__(self, G_config, D_config, precision=FLOAT32, strategy=None):
        super().__init__()
        with (strategy or tf.distribute.get_strategy()).scope():
            self._add_replicated(G_config, D_config, precision)
        # Read and set between iterations: one copy a process is enough.
        self.nimg = tf.Variable(0, dtype=tf.int64)           # images shown
        self.iteration = tf.Variable(0, dtype=tf.int64)      # one G step each; seeds fold it in
        self.reals_drawn = tf.Variable(0, dtype=tf.int64)    # position in the stream of reals
        self.tick = tf.Variable(0, dtype=tf.int64)           # ticks finished
        self.rollbacks = tf.Variable(0, dtype=tf.int64)      # times back to a checkpoint; in seeds
        self.tick_start_nimg = tf.Variable(0, dtype=tf.int64)
        self.optimizer_lod = tf.Variable(-1.0, dtype=tf.float64)  # lod at the last schedule reading
        self.seconds = tf.Variable(0.0, dtype=tf.float64)    # wall time spent so far, all starts

    def _add_replicated(self, G_config, D_config, precision):
        self.G, self.D = (build_network(config, precision) for config in (G_config, D_config))
        self.Gs = build_network(G_config)
        copy_weights(self.G, self.Gs)
        scaled_loss = precision.name == 'mixed_float16'
        self.G_opt = Adam(trained_variables(self.G), scaled_loss=scaled_loss)
        self.D_opt = Adam(trained_variables(self.D), scaled_loss=scaled_loss)
        self.stat_sums = tf.Variable(tf.zeros([len(self.STATS)], tf.float64))
        self.stat_counts = tf.Variable(tf.zeros([len(self.STATS)], tf.float64))

    @property
    def kimg(self):
        """Thousands of images shown."""
        return int(self.nimg) / 1000

    @property
    def variables(self):
        """All of the state, in a fixed order. (Keras 3's networks are no tf.Modules.)"""
        found = [*super().variables]
        for network in (self.G, self.D, self.Gs):
            found += named_variables(network).values()
        return tuple({id(variable): variable for variable in found}.values())

    def trained_weights(self):
        """{'G/<reference name>': variable, 'D/...'} of all that is trained."""
        return {f'{part}/{name}': variable for part in 'GD'
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

    def reset_optimizers(self):
        """Forgets both optimizers' moments and step counts; learning rates stay."""
        for optimizer in (self.G_opt, self.D_opt):
            for variable in optimizer.variables:
                variable.assign(tf.zeros_like(variable))

    def update_moving_average(self, beta):
        """Gs <- lerp(G, Gs, beta); see `move_average`."""
        move_average(self.Gs, self.G, beta)
