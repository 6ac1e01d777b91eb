"""The one table of architectures: their configs, networks and names. A new one is one row."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from training.config import (
    FLOAT32,
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)


class Architecture(NamedTuple):
    """A pair of networks, G and D: each tuple has one item for either, in this order."""
    configs: tuple[type, type]
    networks: Callable[[], Any]     # -> their classes; imports TensorFlow, so only when called
    builders: tuple[str, ...]       # the reference's build functions, as its pickles name them
    short_name: str                 # in the names of run directories; without a '-'


def _stylegan():
    from training import networks
    return networks.Generator, networks.Discriminator


def _progan():
    from training import networks_progan
    return networks_progan.Generator, networks_progan.Discriminator


ARCHITECTURES = {
    'stylegan': Architecture((GeneratorConfig, DiscriminatorConfig), _stylegan,
                             ('G_style', 'D_basic'), 'sgan'),
    'progan': Architecture((ProganGeneratorConfig, ProganDiscriminatorConfig), _progan,
                           ('G_paper', 'D_paper'), 'pgan')}


def architecture_of(config):
    """The name in ARCHITECTURES that a network's config belongs to."""
    return next(name for name, row in ARCHITECTURES.items() if type(config) in row.configs)


def build_network(config, precision=FLOAT32):
    """The network that belongs to a config's type, built whole, with fresh weights."""
    row = ARCHITECTURES[architecture_of(config)]
    network_class = row.networks()[row.configs.index(type(config))]
    return network_class(config, precision)
