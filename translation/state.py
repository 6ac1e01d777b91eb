"""All that the training of a translation network is at one moment."""

from __future__ import annotations

import tensorflow as tf

from training.config import FLOAT32
from training.layers import copy_weights, trained_variables
from training.run_state import RunState
from training.state import move_average
from translation.adam import DecayedAdam
from translation.networks import Discriminator, Generator, MappingNetwork, StyleEncoder

AVERAGED = ('G', 'F', 'E')
D_PARTS, G_PARTS = ('real', 'fake', 'reg'), ('adv', 'sty', 'ds', 'cyc')  # of losses


class TranslationState(RunState):
    """G, F, E and D, the averages Gs, Fs and Es to draw with, four optimizers, where the run is.

    Each replica of a tf.distribute strategy has a copy of what an iteration changes. The averages
    compute in float32 whatever the precision.
    """

    NETWORKS = ('G', 'F', 'E', 'D', 'Gs', 'Fs', 'Es')
    LOSSES = (*(f'D/{guide}_{part}' for guide in ('latent', 'ref') for part in D_PARTS),
              *(f'G/{guide}_{part}' for guide in ('latent', 'ref') for part in G_PARTS))
    STATS = (*LOSSES, 'G/lambda_ds', 'skipped_D', 'skipped_G')
    RATE_FLAGS = '--lr and --f_lr'

    def __init__(self, config, precision=FLOAT32, strategy=None):
        super().__init__()
        self.config = config
        with (strategy or tf.distribute.get_strategy()).scope():
            self.G, self.F, self.E, self.D = (
                Generator(config, precision), MappingNetwork(config),
                StyleEncoder(config, precision), Discriminator(config, precision))
            self.Gs, self.Fs, self.Es = (
                Generator(config), MappingNetwork(config), StyleEncoder(config))
            for part in AVERAGED:
                copy_weights(getattr(self, part), getattr(self, f'{part}s'))
            # The scale of a loss is its network's: G's steps also move F and E, under G's.
            scaled = precision.name == 'mixed_float16'
            self.G_opt, self.D_opt = self._optimizer('G', scaled), self._optimizer('D', scaled)
            self.F_opt, self.E_opt = self._optimizer('F'), self._optimizer('E')
            self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)  # four steps each
            self._add_stats()
        self._add_counters()

    def _optimizer(self, part, scaled_loss=False):
        config = self.config
        return DecayedAdam(trained_variables(getattr(self, part)), config.beta1, config.beta2,
                           weight_decay=config.weight_decay, scaled_loss=scaled_loss)

    def update_moving_averages(self, beta):
        """Gs, Fs, Es <- lerp(G, Gs, beta), ...; see `training.state.move_average`."""
        for part in AVERAGED:
            move_average(getattr(self, f'{part}s'), getattr(self, part), beta)
