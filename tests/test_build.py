"""An architecture is one row of the table: whatever needs to know it reads it there."""

import dataclasses

import pytest
import tensorflow as tf

from training import build, networks, snapshot
from training.build import ARCHITECTURES, architecture_of, build_network
from training.config import DiscriminatorConfig, GeneratorConfig
from training.config_json import run_config_from_json, to_json
from training.presets import PRESETS, Preset, run_config
from training.starting import Start, Starts

SMALL = {'resolution': 8, 'num_channels': 1, 'fmap_base': 32, 'fmap_max': 4}


@dataclasses.dataclass(frozen=True)
class ToyGeneratorConfig(GeneratorConfig):
    """StyleGAN's under another name."""


@dataclasses.dataclass(frozen=True)
class ToyDiscriminatorConfig(DiscriminatorConfig):
    """StyleGAN's under another name."""


@pytest.fixture
def toy(monkeypatch):
    """A further row."""
    monkeypatch.setitem(ARCHITECTURES, 'toy', build.Architecture(
        (ToyGeneratorConfig, ToyDiscriminatorConfig),
        lambda: (networks.Generator, networks.Discriminator), (), 'toynet'))
    monkeypatch.setitem(PRESETS, 'toy', Preset('for tests', architecture='toy'))


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_each_row_has_networks_that_draw_and_judge(name):
    row = ARCHITECTURES[name]
    G, D = (build_network(config(**SMALL)) for config in row.configs)
    assert architecture_of(G.config) == architecture_of(D.config) == name
    images = G(tf.zeros([2, G.config.latent_size]))
    assert images.shape == (2, 8, 8, 1) and D(images).shape == (2, 1)


def test_names_of_rows_are_unique_and_short_names_hold_no_dash():
    for names in ([row.short_name for row in ARCHITECTURES.values()],
                  [builder for row in ARCHITECTURES.values() for builder in row.builders],
                  [config for row in ARCHITECTURES.values() for config in row.configs]):
        assert len(set(names)) == len(names)
    assert not any('-' in row.short_name for row in ARCHITECTURES.values())


def test_a_further_row_is_all_that_presets_options_files_and_networks_need(toy, tmp_path):
    config = run_config('toy', 'faces', 8, 1, 0, {'fmap_max': 4, 'fmap_base': 32})
    assert type(config.G) is ToyGeneratorConfig and type(config.D) is ToyDiscriminatorConfig
    assert run_config_from_json(to_json(config)) == config
    run_dir = Starts(config, str(tmp_path)).make_run_dir(Start(config, ''))
    assert run_dir.endswith('-toynet-faces-1gpu')
    path = tmp_path / 'toy.safetensors'
    snapshot.save(path, None, None, build_network(config.G))
    assert type(snapshot.load(path).Gs.config) is ToyGeneratorConfig
