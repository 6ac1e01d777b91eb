"""convert_network.py keeps weights, place in training and origin, and prints the layers."""

import os
import pathlib
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import reference_pickles as made
import safetensors
from parity_data import PARITY, VARIANTS, arrays, config

from training import layers, networks, networks_progan, reference, snapshot, summary
from training.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)

# As a user has it: the tests' own would show TensorFlow's start-up complaints.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != 'TF_CPP_MIN_LOG_LEVEL'}
ROOT = pathlib.Path(__file__).resolve().parents[1]


def convert(*arguments):
    """(exit code, stdout, stderr) of the script."""
    done = subprocess.run([sys.executable, str(ROOT / 'convert_network.py'), *map(str, arguments)],
                          capture_output=True, text=True, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


def metadata(path):
    with safetensors.safe_open(path, framework='np') as file:
        return file.metadata()


def test_a_triple_keeps_its_weights_and_says_where_it_comes_from(tmp_path):
    source, target = PARITY / 'rgb32/network-snapshot-000123.pkl', tmp_path / 'out.safetensors'
    code, printed, errors = convert(source, target, '--licence=CC0')
    assert code == 0, errors
    converted, weights = snapshot.load(target), arrays('rgb32/weights.npz')
    total = sum(array.size for name, array in weights.part('D/').items() if name != 'lod')
    assert re.search(f'^Total +{total:,}$', printed, re.MULTILINE)
    for network, prefix in ((converted.G, 'G/'), (converted.D, 'D/'), (converted.Gs, 'G/')):
        recorded = reference.without_lod(weights.part(prefix))
        loaded = reference.variables(network)
        assert loaded.keys() == recorded.keys()
        assert all(np.array_equal(loaded[name], recorded[name]) for name in recorded)
    assert (converted.kimg, converted.lod) == (123, 0)
    notes = metadata(target)
    assert notes['source'] == 'network-snapshot-000123.pkl' and notes['licence'] == 'CC0'
    assert len(notes['source_sha256']) == 64


def test_gs_alone_from_the_cache_is_for_generating_and_has_its_licence(tmp_path):
    kwargs = {'resolution': 32, 'num_channels': 3, **config('rgb32')['kwargs']}
    Gs = made.stylegan_generator('Gs', arrays('rgb32/weights.npz').part('G/'), kwargs)
    (tmp_path / 'karras2019stylegan-cats-256x256.pkl').write_bytes(pickle.dumps(Gs))
    target = tmp_path / 'cats.safetensors'
    code, printed, errors = convert('cats', target, f'--cache-dir={tmp_path}')
    assert code == 0, errors
    assert 'Gs only: can generate, cannot resume training' in printed
    assert snapshot.load(target).D is None
    assert metadata(target)['licence'].startswith('CC BY-NC 4.0, NVIDIA')


@pytest.mark.parametrize('source, target, words', [
    ('page.pkl', 'out.safetensors', 'page.pkl: this is an HTML page, not a network'),
    ('page.pkl', 'out.pkl', 'OUT must end in .safetensors'),
    ('page.pkl', 'none/out.safetensors', 'there is no folder'),
])
def test_failures_are_one_line_and_write_nothing(source, target, words, tmp_path):
    (tmp_path / 'page.pkl').write_bytes(b'<html></html>')
    code, printed, errors = convert(tmp_path / source, tmp_path / target)
    assert code == 1 and printed == '' and errors.count('\n') == 1
    assert errors.startswith('convert_network.py: error: ') and words in errors
    assert os.listdir(tmp_path) == ['page.pkl']


def variant_networks(name):
    """(G, D) of one of the recorded configurations."""
    variant = VARIANTS[name]
    common = {key: variant[key] for key in ('resolution', 'num_channels', 'label_size')}
    if variant['progan']:
        return (networks_progan.Generator(ProganGeneratorConfig(**common, **variant['G'])),
                networks_progan.Discriminator(ProganDiscriminatorConfig(**common, **variant['D'])))
    return (networks.Generator(GeneratorConfig(**common, **variant['G'])),
            networks.Discriminator(DiscriminatorConfig(**common, **variant['D'])))


@pytest.mark.parametrize('name', ['row_a', 'mapping_2', 'progan', 'progan_plain', 'fmap_decay'])
def test_the_tables_shapes_are_those_that_the_layers_give(name, monkeypatch):
    G, D = variant_networks(name)
    given, call = {}, layers.Bias.call

    def recording(self, x):
        if not self.scope.endswith('StyleMod'):
            given.setdefault(self.scope, tuple(x.shape)[1:])
        return call(self, x)

    monkeypatch.setattr(layers.Bias, 'call', recording)
    recorded = arrays(f'variants/{name}.npz')
    for network, inputs in ((G, recorded['z']), (D, recorded['images'].transpose(0, 2, 3, 1))):
        given.clear()
        for lod in range(network.config.resolution_log2 - 1):
            images = inputs[:, ::2 ** lod, ::2 ** lod] if network is D else inputs
            network(images, recorded.get('labels'), lod=float(lod))
        rows = [re.split(r' {2,}', line) for line in summary.layer_table(network, 'x').split('\n')]
        table = {row[0]: row[2] for row in rows[2:-2] if 'LabelConcat' not in row[0]}
        assert table == {scope: f'({", ".join(map(str, ("?", *shape)))})'
                         for scope, shape in given.items()}


def test_the_tables_total_is_the_papers():
    for network, total in ((networks.Generator(GeneratorConfig()), '26,219,627'),
                           (networks.Discriminator(DiscriminatorConfig()), '23,087,249')):
        lines = summary.layer_table(network, 'x').split('\n')
        assert lines[-1].split() == ['Total', total]
        assert sum(int(line.split()[1].replace(',', '')) for line in lines[2:-2]) == int(
            total.replace(',', ''))
