"""Runs of train_translation.py: what they leave, how they go on, what they refuse."""

import json

import numpy as np
import pytest
from commands import results_of
from PIL import Image
from safetensors.numpy import load_file

from runs import directory
from runs.directory import FINAL
from translation import loop, snapshot
from translation.iterations import Iterations
from translation.run_config import from_json, run_config, to_json
from translation.starting import Starts

TINY = {'img_size': 16, 'w_hpf': 1.0, 'latent_dim': 4, 'hidden_dim': 8, 'style_dim': 4,
        'conv_dim_base': 64, 'max_conv_dim': 8, 'batch': 4, 'total_kimg': 0.012, 'tick_kimg': 0.008,
        'image_snapshot_ticks': 0, 'network_snapshot_ticks': 1, 'checkpoint_ticks': 1,
        'sheet_images': 2, 'seed': 7, 'holdout': 0.25}
CLOCK = {'time', 'seconds', 'sec_per_tick', 'sec_per_kimg', 'maintenance_sec', 'gpumem_gb',
         'cpumem_gb', 'eta', 'eta_sec', 'images_per_sec'}


class Crash(Exception):
    """The process is gone; what is on the disk is all that is left."""


@pytest.fixture(scope='module', autouse=True)
def iterations_not_compiled():
    """To compile one takes longer than these runs; tests of parity and the soak tests do it."""
    compiled = Iterations._compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Iterations, '_compile', lambda self: compiled(self).python_function)
        yield


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two domains of eight noisy images each, dark and bright, of several sizes."""
    root, random = tmp_path_factory.mktemp('images') / 'lights', np.random.RandomState(0)
    for domain, least in (('bright', 128), ('dark', 0)):
        (root / domain).mkdir(parents=True)
        for number in range(8):
            pixels = random.randint(least, least + 128, [18 + number, 20, 3])
            Image.fromarray(pixels.astype(np.uint8)).save(root / domain / f'{number}.png')
    return str(root)


def config_of(folder, **options):
    return run_config('small', folder, 2, {**TINY, **options})


def train(config, run_dir, **options):
    run_dir.mkdir(exist_ok=True)
    loop.train(config, str(run_dir), *loop.opened(config), **options)
    return run_dir


def numbers_of(run_dir):
    lines = [json.loads(line) for line in (run_dir / 'stats.jsonl').read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in CLOCK} for line in lines]


@pytest.fixture(scope='module')
def whole(folder, tmp_path_factory):
    """The directory of a run that nothing has disturbed."""
    return train(config_of(folder), tmp_path_factory.mktemp('whole') / 'run')


def test_a_run_leaves_sheets_networks_numbers_and_checkpoints(whole):
    names = {path.name for path in whole.iterdir()}
    assert {'reals.png', 'log.txt', 'stats.jsonl', 'training_options.json', 'checkpoints', FINAL,
            'network-snapshot-000000.safetensors', 'reference-000000.png',
            'cycle_consistency-000000.png',
            *(f'latent_psi_{psi}-000000.png' for psi in (0.5, 0.7, 1.0))} <= names
    lines = numbers_of(whole)
    assert [(line['tick'], line['nimg'], line['iteration']) for line in lines] == [
        (1, 8, 2), (2, 12, 3)]
    assert all(line['D/latent_reg'] > 0 and line['G/ref_cyc'] > 0 for line in lines)
    assert lines[0]['G/lambda_ds'] > lines[-1]['G/lambda_ds'] > 0


def test_the_final_network_can_be_trained_on_and_knows_its_domains(whole):
    held = snapshot.load_to_train_on(whole / FINAL)
    assert (held.domains, held.kimg, held.iteration) == (('bright', 'dark'), 0.012, 3)


def test_options_come_back_from_their_file(folder, whole):
    text = (whole / 'training_options.json').read_text()
    assert from_json(text) == config_of(folder) and to_json(from_json(text)) == text


def test_a_run_that_crashed_goes_on_bit_for_bit(folder, whole, tmp_path, monkeypatch):
    run = Iterations.run

    def crashing(self, sched, repeats):
        run(self, sched, repeats)
        if int(self.state.nimg) == 12:   # within the second tick: the checkpoint is of 8
            raise Crash

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Iterations, 'run', crashing)
        train(config_of(folder), tmp_path / 'run')
    train(config_of(folder), tmp_path / 'run')
    assert 'Resuming at kimg 0.0, iteration 2' in (tmp_path / 'run/log.txt').read_text()
    assert numbers_of(tmp_path / 'run') == numbers_of(whole)
    expected = load_file(whole / FINAL)
    for name, array in load_file(tmp_path / 'run' / FINAL).items():
        assert np.array_equal(array, expected[name]), name


@pytest.mark.parametrize('options, changes', [
    ({}, None), ({'total_kimg': 1, 'batch_gpu': 2}, None), ({'seed': 8}, 'seed 7 there, 8 here'),
    ({'lambda_ds': 3.0}, 'networks.lambda_ds 1.0 there, 3.0 here')])
def test_the_same_command_goes_on_and_another_starts_anew(folder, whole, tmp_path, options,
                                                          changes):
    outdir = str(tmp_path)
    run_dir = tmp_path / '00000-stargan2-lights-1gpu'
    (run_dir / 'checkpoints/checkpoint-8').mkdir(parents=True)
    (run_dir / 'training_options.json').write_text(to_json(config_of(folder)))
    start = Starts(config_of(folder, **options), outdir).find('auto')
    if changes is None:
        assert start.run_dir == str(run_dir) and start.kimg == 0.008
    else:
        assert start.run_dir is None and changes in start.description


@pytest.mark.parametrize('with_origin', [False, True])
def test_latest_goes_on_with_other_rates_but_not_with_other_networks(folder, whole, tmp_path,
                                                                     with_origin):
    """As the advice after losses that are not finite says: --resume=latest and a lower --lr."""
    run_dir = tmp_path / '00000-stargan2-lights-1gpu'
    (run_dir / 'checkpoints/checkpoint-8').mkdir(parents=True)
    (run_dir / 'training_options.json').write_text(to_json(config_of(folder)))
    if with_origin:
        directory.save_origin(run_dir, directory.origin(whole / FINAL, 0))
    start = Starts(config_of(folder, lr=1e-5), str(tmp_path)).find('latest')
    assert start.run_dir == str(run_dir) and start.config.networks.lr == 1e-5
    with pytest.raises(ValueError, match='networks.style_dim: .*: 4 [|] this command: 8'):
        Starts(config_of(folder, style_dim=8), str(tmp_path)).find('latest')


def test_a_run_begins_with_somebodys_network_of_the_same_shape(folder, whole, tmp_path):
    starts = Starts(config_of(folder, seed=9, lambda_ds=3.0), str(tmp_path), ('bright', 'dark'))
    start = starts.find(str(whole / FINAL))
    assert start.initial.domains == ('bright', 'dark') and start.config.networks.lambda_ds == 3
    with pytest.raises(ValueError, match='its domains are bright, dark, those of .* cat, dog'):
        Starts(config_of(folder), str(tmp_path), ('cat', 'dog')).find(str(whole / FINAL))
    with pytest.raises(ValueError, match='style_dim: .*: 4 [|] this command: 8'):
        Starts(config_of(folder, style_dim=8), str(tmp_path)).find(str(whole / FINAL))


def test_bad_input_is_one_line_and_writes_nothing(folder, tmp_path):
    (tmp_path / 'one/cats').mkdir(parents=True)
    Image.new('RGB', (20, 20)).save(tmp_path / 'one/cats/a.png')
    (tmp_path / 'val/bright').mkdir(parents=True)
    (tmp_path / 'val/wolf').mkdir()
    for domain in ('bright', 'wolf'):
        Image.new('RGB', (20, 20)).save(tmp_path / 'val' / domain / 'a.png')
    common = ['--preset=small', f'--outdir={tmp_path}/results', '--metrics=none']
    cases = [([f'--data={tmp_path}/one'], 'images of one domain only'),
             ([f'--data={folder}', f'--val={tmp_path}/val'], 'has the domain wolf, which'),
             ([f'--data={folder}', '--holdout=1'], 'holdout must be above 0 and below 1'),
             ([f'--data={folder}', '--batch=0'], 'batch must be'),
             ([f'--data={folder}', '--resume=nobody.ckpt'], 'nobody.ckpt'),
             ([f'--data={tmp_path}/none'], 'none: no such folder')]
    results = results_of('train_translation', [[*flags, *common] for flags, _ in cases])
    for (code, _, errors), (_, words) in zip(results, cases):
        assert code == 1 and words in errors and len(errors.splitlines()) == 1, errors
    assert not (tmp_path / 'results').exists()
