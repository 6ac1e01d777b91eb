"""All that a training run is at one moment."""

from __future__ import annotations

import tensorflow as tf

from training.adam import Adam
from training.augment import AdaptiveP
from training.build import build_network
from training.config import FLOAT32
from training.layers import copy_weights, lerp, named_variables, trained_variables
from training.replicas import assign
from training.run_state import RunState


def move_average(average, network, beta):
    """average <- lerp(network, average, beta) for what is trained; the rest is copied.

    On each replica; both networks have the same config (ProGAN, section 6.1).
    """
    targets = named_variables(average)
    for name, source in named_variables(network).items():
        target = targets[name]
        assign(target, lerp(source, target, beta) if source.trainable else source)


class TrainingState(RunState):
    """G, D, Gs (the moving average of G), both optimizers, and where the run is.

    Everything that decides how the run goes on is a variable in here: a checkpoint of this object
    and the run's options are the whole run. Each replica of a tf.distribute strategy has a copy of
    what an iteration changes. Gs computes in float32 whatever the precision.

    augment: AugmentConfig of what D is shown; None = images as they are.
    """

    NETWORKS, LOSSES = ('G', 'D', 'Gs'), ('loss_D', 'loss_G')
    RATE_FLAGS = '--G_lrate_base and --D_lrate_base (or *_dict)'
    ADDED = ('adaptive_p',)
    STATS = ('loss_D', 'loss_G', 'score_real', 'score_fake', 'penalty', 'skipped_D', 'skipped_G')

    def __init__(self, G_config, D_config, precision=FLOAT32, strategy=None, augment=None):
        super().__init__()
        with (strategy or tf.distribute.get_strategy()).scope():
            self._add_replicated(G_config, D_config, precision)
            self.adaptive_p = AdaptiveP(augment)
        self._add_counters()
        self.iteration = self._counter()                     # one G step each; seeds fold it in
        self.reals_drawn = self._counter()                   # position in the stream of reals
        self.optimizer_lod = self._counter(tf.float64, -1.0)  # lod at the last schedule reading

    def _add_replicated(self, G_config, D_config, precision):
        self.G, self.D = (build_network(config, precision) for config in (G_config, D_config))
        self.Gs = build_network(G_config)
        copy_weights(self.G, self.Gs)
        scaled_loss = precision.name == 'mixed_float16'
        self.G_opt = Adam(trained_variables(self.G), scaled_loss=scaled_loss)
        self.D_opt = Adam(trained_variables(self.D), scaled_loss=scaled_loss)
        self._add_stats()

    def reset_optimizers(self):
        """Forgets both optimizers' moments and step counts; learning rates stay."""
        for optimizer in (self.G_opt, self.D_opt):
            for variable in optimizer.variables:
                variable.assign(tf.zeros_like(variable))

    def update_moving_average(self, beta):
        """Gs <- lerp(G, Gs, beta); see `move_average`."""
        move_average(self.Gs, self.G, beta)
