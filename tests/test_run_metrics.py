"""run_metrics.py: numbers that come again, files that say what they are of, plain refusals."""

import json
import sys

import numpy as np
import pytest
import sklearn
from commands import offline_results_of
from feature_files import InceptionGraph
from small_data import write_dataset

from formats.files import file_sha256
from metrics.real_statistics import write_statistics
from metrics.sliced_wasserstein import swd
from runs import directory
from training import snapshot
from training.build import build_network
from training.config import GeneratorConfig
from training.config_json import to_json
from training.dataset import TFRecordDataset
from training.presets import run_config
from training.version import VERSION

SMALL = {'fmap_base': 64, 'fmap_max': 8, 'num_channels': 1}


def write_network(path, kimg=0.0, **options):
    G = build_network(GeneratorConfig(latent_size=4, dlatent_size=4, mapping_fmaps=4,
                                      mapping_layers=1, **{'resolution': 16, **SMALL, **options}))
    snapshot.save(path, None, None, G, kimg=kimg)
    return str(path)


def write_run(folder, data):
    """A run directory with two network snapshots of different weights."""
    run_dir = folder / '00003-sgan-spots-1gpu'
    run_dir.mkdir(parents=True)
    config = run_config('digits', data, 16, 1, 0, {'mirror_augment': True})
    (run_dir / directory.OPTIONS_FILE).write_text(to_json(config))
    for kimg in (5, 10):
        write_network(run_dir / f'network-snapshot-{kimg:06d}.safetensors', kimg)
    return run_dir


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    """(folder, {case: (exit code, stdout, stderr)}); nothing can be downloaded."""
    folder = tmp_path_factory.mktemp('metrics')
    data, other = (write_dataset(folder / name, count=count)
                   for name, count in (('spots', 40), ('others', 30)))
    coloured = write_dataset(folder / 'coloured', channels=3, count=30)
    network = write_network(folder / 'plain.safetensors')
    labelled = write_network(folder / 'labelled.safetensors', label_size=2)
    write_run(folder / 'results', data)
    (folder / 'graph.pb').write_bytes(InceptionGraph().graph.SerializeToString())
    (folder / 'vgg16.pth').write_bytes(b'broken')
    np.savez(folder / 'half.npz', mu=np.zeros(3))
    write_statistics(folder / 'own.npz', np.zeros(3), np.eye(3), {'inception_sha256': 'ab' * 32})
    of_network = [f'--network={network}', f'--reals={data}']
    cases = {
        'first': [*of_network, '--seed=1', '--metrics=swd16k'],
        'again': [*of_network, '--seed=1', '--metrics=swd16k'],
        'other_seed': [*of_network, '--seed=2', '--metrics=swd16k'],
        'run': ['--run=3', '--snapshot=all', f'--results={folder / "results"}'],
        'images': [f'--fakes={other}', f'--reals={data}', '--metrics=swd16k,kid50k',
                   f'--inception={folder / "graph.pb"}'],
        'offline': [*of_network, '--metrics=fid10k,swd16k'],
        'other_graph': [*of_network, '--metrics=fid10k,swd16k',
                        f'--inception={folder / "graph.pb"}', f'--real_stats={folder / "own.npz"}'],
        'check': ['--check_networks', f'--inception={folder / "graph.pb"}'],
        'check_more': ['--check_networks', '--inception=https://example.org/graph.pb',
                       f'--vgg16={folder / "vgg16.pth"}'],
        'nothing': ['--metrics=swd16k'],
        'two': [*of_network, f'--fakes={other}'],
        'unknown': [*of_network, '--metrics=beauty'],
        'no_reals': [f'--network={network}'],
        'latent': [f'--fakes={other}', f'--reals={data}', '--metrics=ls'],
        'shapes': [f'--fakes={coloured}', f'--reals={data}'],
        'channels': [f'--network={network}', f'--reals={coloured}'],
        'labels': [f'--network={labelled}', '--metrics=is50k'],
        'statistics': [f'--network={network}', '--metrics=fid50k',
                       f'--real_stats={folder / "half.npz"}'],
        'snapshot': ['--run=3', '--snapshot=7', f'--results={folder / "results"}'],
        'gpus': [*of_network, '--num_gpus=99'],
        'run_number': ['--run=4', f'--results={folder / "results"}'],
    }
    return folder, offline_results_of('run_metrics', folder, cases)


def records(folder, metric='swd16k'):
    lines = (folder / f'metric-{metric}.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_the_same_seed_gives_the_same_number(outcomes):
    folder, results = outcomes
    first, again, other = (records(folder / case)[0] for case in ('first', 'again', 'other_seed'))
    assert first['swd16k'] == again['swd16k'] != other['swd16k']
    assert f'{first["swd16k"]:.4f}' in results['first'][1]


def test_a_result_says_what_it_is_of(outcomes):
    folder, _ = outcomes
    [record] = records(folder / 'first')
    assert record['network'] == 'plain.safetensors' and record['count'] == 40
    assert record['network_sha256'] == file_sha256(folder / 'plain.safetensors')
    assert record['reals_fingerprint'] == TFRecordDataset(str(folder / 'spots')).fingerprint()
    assert record['seed'] == 1 and record['seconds'] > 0 and record['resize'] == {}
    assert record['versions']['stylegan-tf2'] == VERSION
    assert record['versions']['numpy'] == np.__version__
    assert record['versions']['scikit-learn'] == sklearn.__version__
    assert record['versions']['python'] == sys.version.split()[0]
    assert 'run_metrics.py' in record['command'] and '--metrics=swd16k' in record['command']


def test_a_run_gets_its_results_with_its_own_data(outcomes):
    folder, results = outcomes
    found = records(folder / 'results' / '00003-sgan-spots-1gpu')
    assert results['run'][0] == 0, results['run'][2]
    assert [record['kimg'] for record in found] == [5, 10]
    assert all(record['reals'] == str(folder / 'spots') and record['mirror'] for record in found)
    assert found[0]['swd16k'] != found[1]['swd16k']


def test_images_are_measured_as_they_are(outcomes):
    folder, results = outcomes
    assert results['images'][0] == 0, results['images'][2]
    reals, fakes = (TFRecordDataset(str(folder / name)).read(16, range(30))
                    for name in ('spots', 'others'))
    [record] = records(folder / 'images')
    np.testing.assert_allclose(record['swd16k'], swd(reals, fakes, seed=0)['mean'], rtol=1e-4)
    [record] = records(folder / 'images', 'kid50k')
    assert record['feature_networks'] == {'inception': file_sha256(folder / 'graph.pb')}
    assert record['resize']['inception'].startswith('bilinear')
    assert record['count'] == 30 and record['num_reals'] == 40


def test_a_metric_without_its_network_is_left_out_and_the_others_measured(outcomes):
    folder, (code, output, errors) = outcomes[0], outcomes[1]['offline']
    assert code == 1 and 'swd16k' in output and 'fid10k' not in output
    [line] = [line for line in errors.splitlines() if 'left out' in line]
    assert line.startswith('fid10k left out: http://download.tensorflow.org/')
    assert line.endswith(f'put it at {folder / "cache/metrics/inception-2015-12-05.tgz"}')
    assert len(records(folder / 'offline')) == 1


def test_statistics_of_another_inception_graph_are_refused(outcomes):
    folder, (code, output, errors) = outcomes[0], outcomes[1]['other_graph']
    assert code == 1 and 'swd16k' in output and 'fid10k' not in output
    [line] = [line for line in errors.splitlines() if 'left out' in line]
    assert line.startswith(f'fid10k left out: {folder / "own.npz"}: its features must be of')
    assert file_sha256(folder / 'graph.pb') in line and f"received those of '{'ab' * 32}'" in line


def test_check_networks_says_which_file_goes_where(outcomes):
    folder, (code, output, _) = outcomes[0], outcomes[1]['check']
    assert code == 0
    assert 'inception: there (for fid50k, fid50k_full, fid10k, kid50k, is50k)' in output
    assert 'vgg16: missing (for pr50k3)' in output
    assert f'    -> {folder / "cache/metrics/vgg16-397923af.pth"}' in output


def test_check_networks_tells_what_is_not_downloaded_yet_and_what_is_damaged(outcomes):
    folder, (code, output, _) = outcomes[0], outcomes[1]['check_more']
    assert code == 0
    lines = output.splitlines()
    at = lines.index('inception: missing (for fid50k, fid50k_full, fid10k, kid50k, is50k)')
    assert lines[at + 1] == '  https://example.org/graph.pb'
    assert lines[at + 2].startswith(f'    -> {folder / "cache"}/')
    assert lines[at + 2].endswith('-graph.pb')
    at = lines.index('vgg16: damaged (for pr50k3)')
    assert lines[at + 2] == f'    -> {folder / "vgg16.pth"}, where a file of another sha256 is'
    [lpips] = [line for line in lines if line.startswith('lpips: ')]
    assert lpips.startswith('lpips: missing and damaged (for ppl_')


@pytest.mark.parametrize('case, words', [
    ('nothing', ['--network, --run and --fakes', 'received none of them']),
    ('two', ['received --network and --fakes']),
    ('unknown', ['swd16k', "received 'beauty'"]),
    ('no_reals', ['swd16k compares with real images']),
    ('latent', ['ls measures latent space and needs a generator']),
    ('shapes', ['--fakes=', '(16, 16, 1)', 'received (16, 16, 3)']),
    ('channels', ['coloured', '3 channels', 'network 1']),
    ('labels', ['labels of 2 components', 'name the dataset']),
    ('statistics', ['half.npz', 'mu and sigma']),
    ('snapshot', ['--snapshot=7', 'has 5, 10']),
    ('gpus', ['--num_gpus must be at most the', 'received 99']),
    ('run_number', ['--run=4', '00003-sgan-spots-1gpu'])])
def test_what_cannot_be_measured_is_one_clear_line(outcomes, case, words):
    folder, (code, output, errors) = outcomes[0], outcomes[1][case]
    assert code == 1 and output == ''
    [line] = errors.splitlines()
    assert 'error: ' in line and all(word in line for word in words), line
    assert not (folder / case).exists()
