"""run_metrics.py of translation networks: their numbers, their runs, plain refusals."""

import json

import pytest
import safetensors.numpy
import torchvision_weights as weights
from commands import offline_results_of
from small_translation import small_networks, write_images

from formats.files import file_sha256
from runs import directory
from training import snapshot as stylegan_snapshot
from training.build import build_network
from training.config import GeneratorConfig
from translation import run_config, snapshot

DOMAINS = ('cat', 'dog')


def write_network(path, seed=0, **options):
    held = small_networks(DOMAINS, **options)
    snapshot.save(path, held, DOMAINS, held.kimg + seed, held.iteration)
    return str(path)


def write_run(folder, data):
    """A run directory with two networks, of a training without --val."""
    run_dir = folder / '00002-stargan2-animals-1gpu'
    run_dir.mkdir(parents=True)
    config = run_config.run_config('small', data, 2, {'holdout': 0.4})
    (run_dir / directory.OPTIONS_FILE).write_text(run_config.to_json(config))
    for kimg in (1, 2):
        write_network(run_dir / f'network-snapshot-{kimg:06d}.safetensors', kimg)
    return run_dir


def write_features(folder):
    """Flags of small feature networks."""
    arrays = {'inception_v3': weights.narrow_inception_v3(), 'alexnet': weights.alexnet_weights(),
              'lpips_alex': weights.lpips_alex_weights()}
    for name, some in arrays.items():
        safetensors.numpy.save_file(some, folder / f'{name}.safetensors')
    return [f'--{name}={folder / name}.safetensors' for name in arrays]


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    """(folder, {case: (exit code, stdout, stderr)}); nothing can be downloaded."""
    folder = tmp_path_factory.mktemp('metrics')
    train = write_images(folder / 'train', {'cat': 5, 'dog': 4, 'wild': 2})
    val = write_images(folder / 'val', {'cat': 2, 'dog': 2}, seed=1)
    fewer = write_images(folder / 'fewer', {'cat': 2, 'wild': 2}, seed=1)
    write_run(folder / 'results', str(write_images(folder / 'animals', {'cat': 5, 'dog': 4})))
    network = write_network(folder / 'animals.safetensors')
    stylegan = folder / 'stylegan.safetensors'
    stylegan_snapshot.save(stylegan, None, None, build_network(GeneratorConfig(
        resolution=8, num_channels=1, fmap_base=16, fmap_max=4, latent_size=4, dlatent_size=4,
        mapping_fmaps=4, mapping_layers=1)))
    whole = [f'--network={network}', f'--reals={train}', f'--val={val}']
    features = write_features(folder)
    cases = {
        'default': whole,
        'features': [*whole, *features,
                     '--metrics=fid_latent,fid_reference,lpips_latent,lpips_reference'],
        'offline': [*whole, '--metrics=lpips_latent,swd_latent'],
        'no_reals': [f'--network={network}', f'--val={val}', '--metrics=lpips_latent,swd_latent'],
        'run': ['--run=2', '--snapshot=all', f'--results={folder / "results"}',
                *features, '--metrics=lpips_reference'],
        'check': ['--check_networks'],
        'no_val': [f'--network={network}', f'--reals={train}'],
        'domains': [f'--network={network}', f'--reals={train}', f'--val={fewer}'],
        'of_stylegan': [*whole, '--metrics=swd_latent,fid50k'],
        'of_translation': [f'--network={stylegan}', '--metrics=lpips_latent'],
        'own_val': [f'--network={stylegan}', f'--val={val}'],
        'mirror': [*whole, '--mirror_augment'],
        'unknown': [*whole, '--metrics=beauty'],
        'folder': [f'--network={network}', f'--reals={folder}/none', f'--val={val}'],
    }
    return folder, offline_results_of('run_metrics', folder, cases)


def records(folder, metric):
    lines = (folder / f'metric-{metric}.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_by_default_swd_is_measured_of_each_pair_and_their_mean(outcomes):
    folder, (code, output, errors) = outcomes[0], outcomes[1]['default']
    assert code == 0, errors
    for name in ('swd_latent', 'swd_reference'):
        [record] = records(folder / 'default', name)
        pairs = [record[f'{name}/{pair}'] for pair in ('cat2dog', 'dog2cat')]
        assert record[name] == pytest.approx(sum(pairs) / 2) and min(pairs) > 0
        assert f'{name}/cat2dog' in output and f'{record[name]:.4f}' in output


def test_a_result_says_what_it_is_of(outcomes):
    folder, _ = outcomes
    [record] = records(folder / 'features', 'fid_latent')
    assert record['network_sha256'] == file_sha256(folder / 'animals.safetensors')
    assert record['reals'] == str(folder / 'train') and record['num_reals'] == 9
    assert record['val'] == str(folder / 'val') and record['num_val'] == 4
    assert record['count'] == 2 * 2 * 10 and record['kimg'] == 1.5
    assert record['feature_networks'] == {
        'inception_v3': file_sha256(folder / 'inception_v3.safetensors')}
    assert record['resize']['inception_v3'].endswith('to 256 and then 299')


def test_fid_and_lpips_come_from_the_named_feature_networks(outcomes):
    folder, (code, _, errors) = outcomes[0], outcomes[1]['features']
    assert code == 0, errors
    for name in ('fid_latent', 'fid_reference', 'lpips_latent', 'lpips_reference'):
        [record] = records(folder / 'features', name)
        assert record[name] > 0 and f'{name}/dog2cat' in record
    assert sorted(path.name.split('-')[0] for path in (folder / 'cache' / 'statistics').iterdir()
                  ) == ['cat', 'dog']


def test_a_run_is_measured_with_the_images_that_it_held_out(outcomes):
    folder, (code, _, errors) = outcomes[0], outcomes[1]['run']
    assert code == 0, errors
    found = records(folder / 'results' / '00002-stargan2-animals-1gpu', 'lpips_reference')
    assert [record['kimg'] for record in found] == [2.5, 3.5]
    assert all((record['num_val'], record['num_reals']) == (4, 5) for record in found)


def test_a_metric_without_its_network_is_left_out_and_the_others_measured(outcomes):
    folder, (code, output, errors) = outcomes[0], outcomes[1]['offline']
    assert code == 1 and 'swd_latent' in output and 'lpips_latent' not in output
    [line] = [line for line in errors.splitlines() if 'left out' in line]
    assert line.startswith('lpips_latent left out: https://download.pytorch.org/models/alexnet-owt')
    assert line.endswith(f'put it at {folder / "cache/metrics/alexnet-owt-7be5be79.pth"}')


def test_check_networks_knows_those_of_translation(outcomes):
    output = outcomes[1]['check'][1]
    assert 'inception_v3: missing (for fid_latent, fid_reference)' in output
    assert 'lpips_alex: missing (for lpips_latent, lpips_reference)' in output
    assert output.count('alexnet-owt-7be5be79.pth') == 2


@pytest.mark.parametrize('case, words', [
    ('no_val', ['--val must name the images', 'received none']),
    ('no_reals', ['swd_latent compares with real images', 'name the data set']),
    ('domains', ['--val=', 'has no images of the domain dog', 'cat, dog']),
    ('of_stylegan', ['--metrics=fid50k', 'a translation network', 'among swd_latent, swd_refer']),
    ('of_translation', ['--metrics=lpips_latent', 'a StyleGAN network', 'among swd16k']),
    ('own_val', ['--val', 'a StyleGAN network', 'leave it out']),
    ('mirror', ['--mirror_augment', 'a translation network', 'leave it out']),
    ('unknown', ['swd16k', 'swd_latent', "received 'beauty'"]),
    ('folder', ['none', 'no such folder'])])
def test_what_cannot_be_measured_is_one_clear_line(outcomes, case, words):
    folder, (code, output, errors) = outcomes[0], outcomes[1][case]
    assert code == 1 and output == ''
    [line] = errors.splitlines()
    assert 'error: ' in line and all(word in line for word in words), line
    assert not (folder / case).exists()
