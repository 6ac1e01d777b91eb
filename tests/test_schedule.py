"""The schedule gives the reference's numbers at every recorded point."""

import json
import pathlib

import pytest

from training.config import ScheduleConfig
from training.schedule import full_resolution_kimg, training_schedule

CASES = json.loads((pathlib.Path(__file__).parent / 'parity/misc/schedule.json').read_text())


@pytest.mark.parametrize('case', CASES, ids=lambda case: case['name'])
def test_every_row_of_the_reference(case):
    config = ScheduleConfig(**case['kwargs'])
    assert len(case['rows']) == 33
    for row in case['rows']:
        nimg = int(round(row['kimg'] * 1000))
        result = training_schedule(nimg, case['resolution'], case['num_gpus'], config)
        expected = {name: row[name] for name in result._fields}
        assert result._asdict() == expected, f"kimg {row['kimg']}"


def test_full_resolution_begins_where_the_last_fade_ends():
    config = ScheduleConfig(lod_initial_resolution=8)
    kimg = full_resolution_kimg(1024, config)
    assert kimg == 8400
    assert training_schedule(int(kimg * 1000), 1024, 1, config).lod == 0
    assert training_schedule(int(kimg * 1000) - 1, 1024, 1, config).lod > 0


@pytest.mark.parametrize('lod, level, alpha', [(0.0, 0, 0.0), (0.25, 0, 0.25), (3.0, 3, 0.0),
                                               (5.75, 5, 0.75)])
def test_lod_is_its_level_and_its_alpha(lod, level, alpha):
    sched = training_schedule(0, 1024, 1, ScheduleConfig())._replace(lod=lod)
    assert (sched.level, sched.alpha) == (level, alpha) and isinstance(sched.level, int)


@pytest.mark.parametrize('lod, other, same', [
    (4.0, 4.0, True), (4.0, 3.9, False), (3.9, 3.1, True), (3.1, 3.0, False), (3.0, 3.1, False),
    (3.1, 2.9, False), (0.0, 0.0, True), (8.0, -1.0, False), (0.0, -1.0, False)])
def test_a_fade_is_one_stage_and_a_whole_lod_another(lod, other, same):
    sched = training_schedule(0, 1024, 1, ScheduleConfig())
    assert sched._replace(lod=lod).same_stage(sched._replace(lod=other)) is same


def test_json_lists_and_dicts_mean_the_same_schedule():
    assert (ScheduleConfig(minibatch_dict={8: 4, 4: 8})
            == ScheduleConfig(minibatch_dict=[['4', 8], ['8', 4]]))


@pytest.mark.parametrize('field, value', [
    ('lod_initial_resolution', 12), ('lod_training_kimg', -1), ('minibatch_base', 0),
    ('G_lrate_base', 0), ('minibatch_dict', {12: 4}), ('minibatch_dict', {8: 0})])
def test_nonsense_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        ScheduleConfig(**{field: value})
