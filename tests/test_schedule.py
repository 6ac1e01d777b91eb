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


def test_json_lists_and_dicts_mean_the_same_schedule():
    assert (ScheduleConfig(minibatch_dict={8: 4, 4: 8})
            == ScheduleConfig(minibatch_dict=[['4', 8], ['8', 4]]))


@pytest.mark.parametrize('field, value', [
    ('lod_initial_resolution', 12), ('lod_training_kimg', -1), ('minibatch_base', 0),
    ('G_lrate_base', 0), ('minibatch_dict', {12: 4}), ('minibatch_dict', {8: 0})])
def test_nonsense_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        ScheduleConfig(**{field: value})
