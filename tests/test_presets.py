"""Every preset trains; tables and schedules are the papers' and the reference's."""

import functools
import json
import math
import re

import numpy as np
import pytest
import tensorflow as tf
from commands import results_of
from parity_data import PARITY

from training.config import Precision
from training.presets import PRESETS, find_preset, run_config
from training.schedule import full_resolution_kimg, training_schedule
from training.starting import check_minibatches
from training.state import TrainingState
from training.steps import train_iteration

WIDTHS = {'fmap_base': 64, 'fmap_max': 8, 'latent_size': 8}
STYLE_WIDTHS = {'dlatent_size': 8, 'mapping_fmaps': 8}
SCHEDULES = {case['name']: case
             for case in json.loads((PARITY / 'misc/schedule.json').read_text())}
VARIANTS = json.loads((PARITY / 'variants/variants.json').read_text())


def config_of(name, resolution, num_gpus=1, label_size=0, **overrides):
    return run_config(name, 'data', resolution, 3, label_size, overrides, num_gpus)


@functools.cache  # presets that differ in minibatches only are one training
def trained(G, D, losses, lods, lrate, precision):
    """A state after one iteration at each of `lods`, its first state, and the losses."""
    tf.keras.utils.set_random_seed(1)
    state = TrainingState(G, D, precision)
    before = [[variable.numpy() for variable in network.trainable_variables]
              for network in (state.G, state.D, state.Gs)]
    random_state, found = np.random.RandomState(0), []
    for lod in lods:
        level = int(math.floor(lod))
        size = G.resolution >> level
        reals = tf.constant(random_state.uniform(-1, 1, [4, size, size, 3]), tf.float32)
        z_d, z_g = tf.constant(random_state.randn(2, 4, G.latent_size), tf.float32)
        labels = tf.eye(4, G.label_size)
        found += train_iteration(
            state, reals, labels, z_d, z_g, level=level, alpha=lod - level, G_lrate=lrate,
            D_lrate=lrate, ema_beta=0.5, losses=losses, randomize_noise=True, style_mixing=True)
    return state, before, [float(loss) for loss in found]


@pytest.mark.parametrize('name', PRESETS)
def test_every_preset_trains(name):
    chosen = PRESETS[name]
    widths = {**WIDTHS, **(STYLE_WIDTHS if chosen.architecture == 'stylegan' else {})}
    config = config_of(name, 16, label_size=2 if chosen.max_label_size == 'full' else 0, **widths)
    schedule = config.schedule
    fade = (schedule.lod_training_kimg + schedule.lod_transition_kimg / 2) * 1000
    fading = training_schedule(int(fade), 16, 1, schedule)
    state, before, losses = trained(config.G, config.D, config.losses, (fading.lod, 0.0),
                                    fading.G_lrate,
                                    Precision(config.precision, config.num_fp16_res))
    assert np.isfinite(losses).all() and len(losses) == 4
    stats = state.take_stats()
    assert stats['skipped_G'] == stats['skipped_D'] == 0
    # Gs has not seen the last step of G, whose highest resolution is new where it fades from 8x8.
    for network, old, share in zip((state.G, state.D, state.Gs), before, (0.7, 0.7, 0.6)):
        moved = [np.any(variable != value)
                 for variable, value in zip(network.trainable_variables, old)]
        assert sum(moved) > share * len(moved)
        assert all(np.isfinite(variable).all() for variable in network.trainable_variables)


@pytest.mark.parametrize('name', PRESETS)
def test_every_preset_fits_a_megapixel_and_the_stddev_groups(name):
    made_for = re.search(r'-(\d)gpu$', name)
    for num_gpus in (1, 2, 4, 8) if made_for is None else (int(made_for[1]),):
        config = config_of(name, 1024, num_gpus)
        check_minibatches(config, 10**6)
        group = config.D.mbstd_group_size
        for resolution in (4, 8, 16, 32, 64, 128, 256, 512, 1024):
            kimg = full_resolution_kimg(resolution, config.schedule)
            per_gpu = training_schedule(int(kimg * 1000), 1024, num_gpus,
                                        config.schedule).minibatch / num_gpus
            assert per_gpu == int(per_gpu) and (per_gpu <= group or not per_gpu % max(group, 1))


@pytest.mark.parametrize('case, name, overrides', [
    ('stylegan-ffhq1024-8gpu', 'stylegan-8gpu', {}), ('stylegan-ffhq1024-8gpu', 'auto', {}),
    ('stylegan-512-1gpu', 'stylegan-1gpu', {}), ('stylegan-512-1gpu', 'table1-c', {}),
    ('stylegan-256-2gpu-maxmb', 'stylegan-2gpu',
     {'max_minibatch_per_gpu': ((64, 8), (128, 5), (256, 3))})])
def test_schedules_are_the_recorded_ones(case, name, overrides):
    case = SCHEDULES[case]
    config = config_of(name, case['resolution'], case['num_gpus'], **overrides)
    for row in case['rows']:
        result = training_schedule(int(round(row['kimg'] * 1000)), case['resolution'],
                                   case['num_gpus'], config.schedule)
        assert result._asdict() == {field: row[field] for field in result._fields}


def test_no_growing_has_the_recorded_lods():
    config = config_of('progan-no-growing', 1024)
    for row in SCHEDULES['no-growing']['rows']:
        result = training_schedule(int(row['kimg'] * 1000), 1024, 1, config.schedule)
        assert (result.lod, result.resolution) == (row['lod'], row['resolution'])


@pytest.mark.parametrize('num_gpus, like', [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (9, 8)])
def test_auto_takes_the_largest_preset_within_the_gpus(num_gpus, like):
    assert config_of('auto', 256, num_gpus) == config_of(f'stylegan-{like}gpu', 256, num_gpus)


@pytest.mark.parametrize('name, num_gpus, resolution, minibatch, lrate', [
    ('progan-v2-1gpu', 1, 1024, 4, 0.0015), ('progan-v2-1gpu', 1, 512, 4, 0.001),
    ('progan-v2-2gpu', 2, 1024, 8, 0.002), ('progan-v2-4gpu', 4, 256, 16, 0.0015),
    ('progan-v2-8gpu', 8, 128, 32, 0.0015), ('progan-v2-8gpu', 8, 1024, 32, 0.003),
    ('progan-v2-8gpu', 1, 1024, 4, 0.003), ('progan-relu', 4, 1024, 16, 0.003),
    ('progan-v1-1gpu', 1, 512, 6, 0.001), ('progan-v1-1gpu', 1, 64, 16, 0.001),
    ('stylegan-wgan-gp', 4, 512, 16, 0.002), ('stylegan-wgan-gp', 4, 128, 16, 0.0015)])
def test_minibatches_and_learning_rates(name, num_gpus, resolution, minibatch, lrate):
    schedule = config_of(name, resolution, num_gpus).schedule
    kimg = full_resolution_kimg(resolution, schedule)
    result = training_schedule(int(kimg * 1000), resolution, num_gpus, schedule)
    assert (result.resolution, result.minibatch) == (resolution, minibatch)
    assert result.G_lrate == result.D_lrate == lrate


@pytest.mark.parametrize('name, limit', [('progan-v2-8gpu', 4), ('progan-fp16', 8)])
def test_progan_limits_the_minibatch_of_a_gpu(name, limit):
    schedule = config_of(name, 1024, 8, minibatch_base=512).schedule
    kimg = full_resolution_kimg(1024, schedule)
    assert training_schedule(int(kimg * 1000), 1024, 8, schedule).minibatch == 8 * limit


@pytest.mark.parametrize('name, variant', [
    ('table1-b', 'row_a'), ('table4-traditional-0', 'row_a'),
    ('table4-traditional-8', 'traditional_8'), ('table1-c', 'styles_dense_input')])
def test_table_rows_are_the_recorded_variants(name, variant):
    config = config_of(name, 1024)
    widths = {*WIDTHS, *STYLE_WIDTHS}
    fields = {field: value for field, value in VARIANTS[variant]['G'].items()
              if field not in widths}
    assert len(fields) >= 2
    assert {field: getattr(config.G, field) for field in fields} == fields


def test_equal_rows_of_the_tables_are_equal():
    for rows in (('table1-f', 'table2-mixing-90', 'table4-style-8'),
                 ('table1-e', 'table2-mixing-0'), ('table1-b', 'table4-traditional-0')):
        assert len({config_of(name, 1024, 8) for name in rows}) == 1
    others = [name for name in PRESETS if name.startswith('table')
              and name not in ('table2-mixing-90', 'table4-style-8', 'table2-mixing-0',
                               'table4-traditional-0')]
    assert len({config_of(name, 1024, 8) for name in others}) == len(others)


def test_auto_is_the_final_row_without_mirroring_and_rows_of_the_tables_mirror():
    assert config_of('auto', 1024, 8, mirror_augment=True) == config_of('table1-f', 1024, 8)
    assert not any(config_of(name, 64).mirror_augment
                   for name in ('auto', *(f'stylegan-{n}gpu' for n in (1, 2, 4, 8)), 'digits'))
    assert all(config_of(name, 64).mirror_augment for name in PRESETS if name.startswith('table'))


def test_lengths_of_training_are_the_references():
    kimg = {name: config_of(name, 64).total_kimg for name in PRESETS}
    assert kimg['progan-no-growing'] == 10_000 and kimg['progan-v1-1gpu'] == 19_000
    assert kimg['progan-v2-8gpu'] == kimg['progan-no-smoothing'] == 12_000
    assert kimg['auto'] == 25_000


def test_a_flag_of_its_own_overrides_the_preset():
    config = config_of('table1-b', 64, use_noise=True, total_kimg=7)
    assert config.G.use_noise and config.total_kimg == 7 and not config.G.use_styles


@pytest.mark.parametrize('name, nearest', [
    ('stylegan-1gpus', 'stylegan-1gpu'), ('tabel1-c', 'table1-c'), ('progan-nogrowing',
                                                                    'progan-no-growing')])
def test_a_misspelt_preset_suggests_the_near_one(name, nearest):
    with pytest.raises(ValueError, match=f'--preset={name}: .*nearest name is {nearest}'):
        find_preset(name)


def test_train_lists_the_presets_without_data():
    (code, output, errors), (missing, _, reason) = results_of('train', [['--list_presets'], []])
    assert code == 0, errors
    for name, preset in PRESETS.items():
        assert any(line.split()[0] == name and line.endswith(preset.description)
                   for line in output.splitlines() if line), name
    assert max(len(line) for line in output.splitlines()) <= 100
    assert missing == 1 and '--data' in reason
