"""What a translation run starts from: nothing, its own checkpoint, or somebody's networks."""

from __future__ import annotations

import os

from training import starting
from translation import run_config, snapshot
from translation.data import SPLITS

FREE = {'total_kimg', 'tick_kimg', 'image_snapshot_ticks', 'network_snapshot_ticks',
        'checkpoint_ticks', 'checkpoint_minutes', 'keep_checkpoints', 'keep_snapshots',
        'histograms', 'batch_gpu', 'sheet_images'}   # options that decide no number
SHAPES = ('img_size', 'num_domains', 'latent_dim', 'hidden_dim', 'style_dim', 'conv_dim_base',
          'max_conv_dim', 'w_hpf')   # of a TranslationConfig: what a network is, not how it trains


class Starts(starting.Starts):
    """Where a translation run of these options begins, among the runs below a directory."""

    free = FREE
    kind = run_config.ARCHITECTURE
    parse = staticmethod(run_config.from_json)

    def __init__(self, config, outdir, domains=None):
        """domains: names of those of the data; None = they are not compared."""
        super().__init__(config, outdir)
        self.domains = domains

    @property
    def data_description(self):
        name = starting.base_name(self.config.data)
        if name in SPLITS:   # of afhq/train the first says more
            name = starting.base_name(os.path.join(self.config.data, os.pardir))
        return f'{name}-{self.config.num_gpus}gpu'

    @staticmethod
    def networks(config):
        return {'networks': config.networks}

    @staticmethod
    def fields_to_agree(has_origin):
        return SHAPES

    def with_networks_of(self, other):
        return self.config   # of the same shape; weights of losses and rates are this command's

    def loaded(self, path):
        networks = snapshot.load_to_train_on(path)
        if self.domains and networks.domains != tuple(self.domains):
            raise ValueError(f'{path}: its domains are {", ".join(networks.domains)}, those of '
                             f'{self.config.data} {", ".join(self.domains)}; they must be the same '
                             'to train on.')
        starting.check_same(path, {'networks': networks.config},
                            {'networks': self.config.networks}, SHAPES)
        return starting.Loaded(networks, self.config, networks.kimg)

    def default_kimg(self, loaded):
        return 0.0, ''
