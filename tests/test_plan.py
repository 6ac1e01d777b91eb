"""What train.py says before it starts: options that differ, networks, schedule, time."""

import dataclasses
import re

import pytest
from small_data import small_config, write_dataset

from training import forecast, plan
from training.build import build_network
from training.dataset import TFRecordDataset
from training.layers import shapes_only, trained_variables
from training.presets import run_config
from training.replicas import Replicas
from training.summary import count_parameters


def config_of(preset='digits', resolution=32, **overrides):
    return run_config(preset, 'digits', resolution, 1, 0, overrides)


def cells(lines):
    """Lines with single spaces."""
    return [' '.join(line.split()) for line in lines]


def test_only_options_that_differ_from_the_preset_are_shown_as_flags():
    config = config_of(total_kimg=7, fmap_max=32, minibatch_dict={8: 32, 16: 16}, D_lrate_base=1e-4,
                       style_mixing_prob=None, blur_filter=None, mirror_augment=True)
    head, *rows = plan.options_lines(config, 'digits', config_of(), {})
    assert head == 'Options:    those of --preset=digits, but'
    assert sorted(cells(rows)) == [
        '--D_lrate_base 0.0001 (preset: 0.003)', '--blur_filter none (preset: 1,2,1)',
        '--fmap_max 32 (preset: 64)', '--minibatch_dict 8:32,16:16 (preset: nothing)',
        '--mirror_augment True (preset: False)', '--style_mixing_prob none (preset: 0.9)',
        '--total_kimg 7 (preset: 70)']


def test_without_a_difference_the_preset_is_all():
    assert plan.options_lines(config_of(), 'digits', config_of(), {}) == [
        'Options:    those of --preset=digits']


def test_a_preset_that_does_not_fit_the_data_alone_is_no_hindrance():
    given = {'lod_initial_resolution': 4, 'minibatch_dict': ((4, 8),)}
    config = config_of(resolution=4, **given)
    with pytest.raises(ValueError):
        config_of(resolution=4)
    assert cells(plan.options_lines(config, 'digits', None, given)[1:]) == [
        '--lod_initial_resolution 4', '--minibatch_dict 4:8']


def test_what_differs_in_one_network_only_is_not_shown_as_a_flag():
    config = dataclasses.replace(config_of(), G=config_of(fmap_max=32).G)
    assert cells(plan.options_lines(config, 'digits', config_of(), {})[1:]) == [
        'G.fmap_max 32 (preset: 64)']


@pytest.mark.parametrize('config', [config_of().G, config_of().D, config_of('progan-v2-1gpu').G])
def test_parameters_are_those_that_are_trained(config):
    expected = sum(int(variable.shape.num_elements())
                   for variable in trained_variables(build_network(config)))
    with shapes_only():
        assert count_parameters(build_network(config)) == expected


def test_the_papers_networks_have_as_many_parameters_as_it_says():
    assert 'G 26,2' in plan.networks_line(config_of('auto', 1024))  # section 2: 26.2M


@pytest.mark.parametrize('overrides, words', [
    ({}, '32x32: 32 channels of at most 64 (--fmap_base=512 gives fewer from 32x32 on)'),
    ({'fmap_base': 1024}, '32x32: 64 channels'),
    ({'fmap_base': 256}, '32x32: 16 channels of at most 64 (--fmap_base=256 gives fewer from '
                         '16x16 on)')])
def test_channels_at_the_finest_level_and_why_they_are_few(overrides, words):
    assert plan.networks_line(config_of(**overrides)).endswith(f'; finest level {words}')


def test_a_row_says_when_a_resolution_begins_and_with_what():
    config = run_config('auto', 'faces', 128, 3, 0, {'lrate_rampup_kimg': 10})
    rows = [line.split() for line in plan.schedule_lines(config)[2:]]
    assert rows == [['8x8', '0', '128', '0.001,', '0.001', '512'],
                    ['16x16', '600', '128', '0.001,', '0.001', '512'],
                    ['32x32', '1800', '64', '0.001,', '0.001', '512'],
                    ['64x64', '3000', '32', '0.001,', '0.001', '256'],
                    ['128x128', '4200', '16', '0.0015,', '0.0015', '128']]
    assert len(plan.schedule_lines(config_of(total_kimg=35))) == 4, 'no 32x32 in 35 kimg'
    assert [line.split()[0] for line in plan.schedule_lines(config_of('progan-no-growing'))[2:]] \
        == ['32x32']


@pytest.mark.parametrize('seconds, words', [
    (26 * 86400, 'about 26 days'), (7 * 3600, 'about 7 hours'), (290, 'about 5 minutes'),
    (80, 'about 80 seconds'), (4 * 365 * 86400, 'about 4 years'), (90 * 86400, 'about 3 months')])
def test_long_times_in_words(seconds, words):
    assert forecast.in_words(seconds) == words


def test_a_cpu_is_told_of_25000_kimg_and_not_of_the_demo():
    assert re.fullmatch(r'about \d+ (years|months|days) on this CPU; a GPU takes less.*',
                        forecast.on_cpu(config_of('auto', 1024), 0))
    assert forecast.on_cpu(config_of(), 0) is None
    assert forecast.on_cpu(config_of('auto', 1024), 24_999.999) is None, 'nearly done'


def test_a_trial_says_how_long_it_will_take(tmp_path):
    config = small_config(write_dataset(tmp_path / 'spots', resolution=8))
    words = forecast.by_trial(config, TFRecordDataset(config.data), Replicas(), 0)
    assert re.fullmatch(r'about \d+ (seconds|minutes) on this machine, without metrics, by a trial '
                        r'at 8x8 \(\S+ seconds an iteration\)', words)
