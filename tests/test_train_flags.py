"""train.py checks everything first: bad input is one clear line, and nothing is written."""

import pathlib
import re
import shutil

import numpy as np
import pytest
from commands import results_of
from small_data import SMALL, write_dataset

from training import snapshot
from training.build import build_network
from training.config import DiscriminatorConfig, GeneratorConfig
from training.presets import PRESETS


def damaged(source, folder, name, change):
    """A copy of a data set with one thing wrong."""
    copy = pathlib.Path(shutil.copytree(source, folder / name / 'spots'))
    change(copy)
    return str(copy)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip_byte(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def network_file(path, lod=1, **shape):
    """A network file of random weights; returns its path."""
    G = GeneratorConfig(fmap_base=64, fmap_max=8, latent_size=4, dlatent_size=4, mapping_fmaps=4,
                        mapping_layers=1, **shape)
    D = DiscriminatorConfig(fmap_base=64, fmap_max=8, **shape)
    snapshot.save(path, build_network(G), build_network(D), build_network(G), kimg=3, lod=lod)
    return str(path)


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory):
    """{case: (exit code, stdout, stderr)} and the output directory that nothing may be in."""
    folder = tmp_path_factory.mktemp('flags')
    data = write_dataset(folder / 'spots', label_size=3)
    source, outdir = pathlib.Path(data), folder / 'results'
    level = 'spots-r03.tfrecords'
    fits = network_file(folder / 'fits.safetensors', resolution=16, num_channels=1)
    other = network_file(folder / 'other.safetensors', resolution=32, num_channels=3)
    (folder / 'page.pkl').write_bytes(b'<html>Quota exceeded</html>')
    (folder / 'empty').mkdir()
    cases = {
        'dry': ['--dry_run'],
        'dashes': ['--dry-run', '--total-kimg=7', '--lod-training-kimg=0.5'],
        'transfer': ['--dry_run', f'--resume={fits}'],
        'transfer_kimg': ['--dry_run', f'--resume={fits}', '--resume_kimg=1.5'],
        'latest_of_none': ['--dry_run', '--resume=latest'],
        'missing': ['--data', data[:-1]],
        'empty': ['--data', str(folder / 'empty')],
        'level': ['--data', damaged(source, folder, 'a', lambda d: (d / level).unlink())],
        'truncated': ['--data', damaged(source, folder, 'b', lambda d: cut(d / level))],
        'flipped': ['--data', damaged(source, folder, 'c', lambda d: flip_byte(d / level, 1000))],
        'labels': ['--max_label_size=full', '--data', damaged(
            source, folder, 'd', lambda d: np.save((d / 'spots-rxx.labels').open('wb'),
                                                   np.zeros([7, 3], np.float32)))],
        'resolution': ['--resolution=64'],
        'group': ['--minibatch_base=10'],
        'number': ['--total_kimg=many'],
        'range': ['--r1_gamma=-1'],
        'misspelt': ['--totl_kimg=3'],
        'preset': ['--preset=stylegan'],
        'stray': ['results'],
        'run': ['--resume=17'],
        'mismatch': [f'--resume={other}'],
        'page': ['--resume', str(folder / 'page.pkl')],
        'no_file': ['--resume=nowhere.safetensors'],
        'kimg_alone': ['--resume_kimg=5'],
        'grid': ['--grid=20by10'],
        'grid_layout': ['--grid_layout=rows'],
        'metrics': ['--metrics=beauty'],
        'feature': ['--inception=nowhere.pb'],
        'initial': ['--lod_initial_resolution=64'],
        'gpus': ['--num_gpus=99'],
        'machines': ['--strategy=multi_worker'],
        'unconverted': ['--strategy=multi_worker', '--data', str(folder / 'empty')],
        'precision': ['--precision=half'],
        'shares': ['--batch_gpu=6', '--minibatch_base=12'],
        'aug': ['--aug=more'],
        'aug_p': ['--aug=fixed', '--aug_p=1.5'],
        'aug_pipe': ['--aug=ada', '--aug_pipe=bgcx'],
        'aug_gray': ['--aug=ada', '--aug_pipe=hue'],
        'aug_no_p': ['--aug=fixed'],
        'aug_target': ['--aug=fixed', '--aug_p=0.5', '--aug_target=0.6'],
        'aug_none': ['--aug_p=0.5'],
        'holdout': ['--holdout=33'],
        'holdout_all': ['--holdout=40'],
        'augmented': ['--dry_run', '--aug=ada', '--aug_target=0.5', '--holdout=9'],
        'frozen_too_much': ['--freezed=6'],
        'frozen': ['--dry_run', '--freezed=3'],
        'surgery_name': [f'--resume={other}', '--surgery=widths'],
        'surgery_alone': ['--surgery=labels'],
        'surgery_widths': [f'--resume={other}', '--surgery=resolution,channels'],
        'surgery': [f'--resume={other}', '--surgery=channels,resolution', '--freezed=1',
                    '--latent_size=4', '--dlatent_size=4', '--mapping_fmaps=4',
                    '--mapping_layers=1', '--dry_run'],
    }
    lines = [[f'--data={data}', f'--outdir={outdir}', *SMALL, '--total_kimg=60', *argv]
             for argv in cases.values()]
    return dict(zip(cases, results_of('train', lines))), outdir


@pytest.mark.parametrize('case, words', [
    ('missing', ['spot', 'spots']), ('empty', ['empty']), ('level', ['spots-r03.tfrecords']),
    ('truncated', ['spots-r03.tfrecords', 'truncated']), ('flipped', ['spots-r03.tfrecords']),
    ('labels', ['spots-rxx.labels', '[7, 3]']), ('resolution', ['64', '16']),
    ('group', ['minibatch', '10', '8 or 12']), ('number', ['--total_kimg', 'many']),
    ('range', ['r1_gamma', '-1']), ('misspelt', ['totl_kimg', 'total_kimg']),
    ('preset', ['--preset=stylegan', 'stylegan-1gpu']), ('stray', ["'results'"]),
    ('run', ['--resume=17', 'no runs']), ('page', ['page.pkl', 'HTML']),
    ('no_file', ['nowhere.safetensors']), ('kimg_alone', ['--resume_kimg']),
    ('grid', ['grid', '20by10']), ('grid_layout', ['grid_layout', 'rows', 'row_per_class']),
    ('metrics', ['beauty']), ('feature', ['--inception=nowhere.pb', 'no such file']),
    ('initial', ['lod_initial_resolution', '64']),
    ('gpus', ['--num_gpus', '99']), ('machines', ['--strategy', 'TF_CONFIG', 'Slurm']),
    ('unconverted', ['--strategy', 'empty', 'create_from_images']),
    ('precision', ['precision', 'half', 'mixed_float16']),
    ('shares', ['--batch_gpu=6', '6 at a time', '4 may do']),
    ('aug', ['--aug', 'more', 'none|ada|fixed']), ('aug_p', ['--aug_p must be 0..1', '1.5']),
    ('aug_pipe', ['--aug_pipe', 'bgcx', 'bgcfnc', 'joined by commas']),
    ('aug_gray', ["pipe 'hue'", 'RGB', '1 channel', 'bgc']),
    ('aug_no_p', ['--aug=fixed', '--aug_p=0.3']),
    ('aug_target', ['--aug_target=0.6', '--aug=ada', '--aug=fixed']),
    ('aug_none', ['--aug_p', '--aug=ada', 'the default here']),
    ('holdout', ['--holdout', '33 of 40', 'leaves 7', '0 = none']),
    ('holdout_all', ['--holdout', '40 of 40', 'leaves 0']),
    ('frozen_too_much', ['--freezed', '0..5 at 16x16', 'received 6']),
    ('surgery_name', ['--surgery', 'resolution, channels, labels', "'widths'"]),
    ('surgery_alone', ['--surgery=labels', '--resume=NETWORK_FILE', '--resume=auto'])])
def test_bad_input_is_one_clear_line(outcomes, case, words):
    results, outdir = outcomes
    code, _, errors = results[case]
    assert code == 1
    assert len(errors.strip().splitlines()) == 1, errors
    for word in words:
        assert word in errors, errors
    assert not outdir.exists()


def test_another_network_gets_a_table_of_both_sides(outcomes):
    code, _, errors = outcomes[0]['mismatch']
    assert code == 1
    assert 'G.resolution: other.safetensors: 32 | this command: 16' in errors
    assert 'G.num_channels: other.safetensors: 3 | this command: 1' in errors
    assert '--surgery=resolution,channels' in errors


def test_surgery_leaves_other_options_that_the_command_names_as_they_are(outcomes):
    code, _, errors = outcomes[0]['surgery_widths']
    assert code == 1
    assert 'G.latent_size: other.safetensors: 4 | this command: 8' in errors
    assert 'fmap_max' not in errors and 'leave these options out' in errors


def test_the_plan_says_what_surgery_and_freezing_do(outcomes):
    code, output, _ = outcomes[0]['surgery']
    assert code == 0
    assert re.search(r'Surgery: .*\n +G  kept +G_synthesis/4x4-16x16, .*\n'
                     r' +G  adapted +G_synthesis/ToRGB at 4x4-16x16\n'
                     r' +G  dropped +G_synthesis/32x32, ', output), output
    frozen = 'Frozen:     D from the image to FromRGB_lod0 (--freezed=1): '
    assert frozen in output and 'a warning' not in output
    assert re.search(r'Frozen: .*\n +\(a warning: some of these are random',
                     outcomes[0]['frozen'][1])


def test_a_dry_run_shows_the_plan_and_writes_nothing(outcomes):
    results, outdir = outcomes
    code, output, _ = results['dry']
    assert code == 0 and 'fresh weights, kimg 0' in output and 'Time:       about ' in output
    assert re.search(r' --fmap_max +8 +\(preset: 64\)\n', output)
    assert 'finest level 16x16: 8 channels\n' in output and len(output.splitlines()) < 33
    assert '0 held out' in output and 'Augment:    none' in output and '--aug=ada helps' in output
    assert not outdir.exists()
    assert re.search(r' --total_kimg +7 +\(preset: 70\)\n', results['dashes'][1])
    assert re.search(r' --lod_training_kimg +0.5 +\(preset: 20\)\n', results['dashes'][1])


def test_the_plan_says_what_is_augmented_and_held_out(outcomes):
    code, output, _ = outcomes[0]['augmented']
    assert code == 0 and '9 held out' in output and '--aug=ada helps' not in output
    assert re.search(r' --aug +ada +\(preset: none\)\n', output)
    assert 'bgc with a probability that adapts: from 0 on, by at most 1 in 500 kimg, towards ' \
        'r_t = 0.5' in output


def test_transfer_starts_at_full_resolution_unless_told(outcomes):
    results, _ = outcomes
    phase = sum(PRESETS['digits'].schedule[f'lod_{name}_kimg'] for name in ('training',
                                                                            'transition'))
    assert f'kimg {phase} (no --resume_kimg given' in results['transfer'][1]
    assert re.search(r'latent_size +4 +', results['transfer'][1])  # the file's architecture
    assert 'kimg 1.5\n' in results['transfer_kimg'][1]


def test_latest_without_a_run_says_so(outcomes):
    assert 'there is no run *-sgan-spots-1gpu' in outcomes[0]['latest_of_none'][1]
