"""Each field of a config has a type that flags can be read as and files be checked against."""

import dataclasses
from typing import Optional, Union

import pytest

from cli import options
from training import config
from training.field_types import FIELD_TYPES, field_types

CONFIGS = [config.GeneratorConfig, config.DiscriminatorConfig, config.ProganGeneratorConfig,
           config.ProganDiscriminatorConfig, config.LossConfig, config.ScheduleConfig,
           config.RunConfig]
TAPS = Optional[tuple[float, ...]]


@pytest.mark.parametrize('config_class', CONFIGS)
def test_every_default_is_a_value_of_its_fields_type(config_class):
    kinds = field_types(config_class)
    for item in dataclasses.fields(config_class):
        if item.name in kinds and item.default is not dataclasses.MISSING:
            assert isinstance(item.default, kinds[item.name].kwarg), item.name


def test_only_what_is_a_config_itself_has_no_type():
    names = {item.name for item in dataclasses.fields(config.RunConfig)}
    without = {'G', 'D', 'losses', 'schedule', 'augment'}
    assert names - set(field_types(config.RunConfig)) == without


@pytest.mark.parametrize('hint, text, value', [
    (int, '12', 12), (float, '12', 12), (float, '1e-3', 0.001), (float, '600.0', 600.0),
    (str, 'lrelu', 'lrelu'), (Optional[int], 'None', None), (Optional[int], '8', 8),
    (Optional[float], 'none', None), (Optional[float], '0.5', 0.5),
    (Union[bool, str], 'TRUE', True), (Union[bool, str], '0', False),
    (Union[bool, str], 'auto', 'auto'), (TAPS, '1,2,1', (1, 2, 1)), (TAPS, 'none', None),
    (config.Pairs, '8:256,16:0.5', ((8, 256), (16, 0.5))), (config.Pairs, '', ())])
def test_a_text_is_read_as_its_value(hint, text, value):
    found = options.parse('flag', FIELD_TYPES[hint], text)
    assert found == value and isinstance(found, type(value))


@pytest.mark.parametrize('hint, text, wanted', [
    (int, '1.5', 'a whole number'), (float, 'nan', 'a number'), (float, 'inf', 'a number'),
    (Optional[int], '', "a whole number or 'none'"), (Optional[float], 'x', "a number or 'none'"),
    (Union[bool, str], 'maybe', "'true', 'false' or 'auto'"), (TAPS, '1;2', 'numbers such as'),
    (config.Pairs, '8', 'pairs such as'), (config.Pairs, '8:4:2', 'pairs such as')])
def test_a_text_that_means_nothing_is_refused_with_what_would_do(hint, text, wanted):
    with pytest.raises(ValueError, match=f'^--flag must be {wanted}.*; received {text!r}.$'):
        options.parse('flag', FIELD_TYPES[hint], text)


@pytest.mark.parametrize('hint, is_switch, may_be_none', [
    (bool, True, False), (Optional[bool], True, True), (int, False, False),
    (Optional[int], False, True), (TAPS, False, True), (Union[bool, str], False, False)])
def test_switches_and_what_none_means(hint, is_switch, may_be_none):
    kind = FIELD_TYPES[hint]
    assert (kind.is_switch, kind.may_be_none) == (is_switch, may_be_none)
