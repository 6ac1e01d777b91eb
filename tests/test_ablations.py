"""The ablations of ProGAN's training that are not of a network: no moving average, no resets."""

import numpy as np
import pytest
from safetensors.numpy import load_file
from small_data import small_config, write_dataset

from training import loop, state


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp('data') / 'dots', 8)


def trained(data, run_dir, **options):
    """The arrays of the final network file."""
    run_dir.mkdir()
    loop.train(small_config(data, **options), str(run_dir))
    return load_file(run_dir / 'network-final.safetensors')


def test_without_smoothing_gs_is_g_of_the_step_before_to_the_bit(data, tmp_path):
    """As in the reference, Gs is updated between the steps of D and of G. (D's moves w's mean.)"""
    options = {'G_smoothing_kimg': 0.0, 'minibatch_repeats': 1}
    whole = trained(data, tmp_path / 'whole', total_kimg=0.256, **options)
    one_less = trained(data, tmp_path / 'one_less', total_kimg=0.248, **options)
    names = [name for name in whole if name.startswith('Gs/')
             and name != 'Gs/dlatent_avg']
    assert len(names) > 10
    for name in names:
        assert np.array_equal(whole[name], one_less[name[:1] + name[2:]]), name


@pytest.mark.parametrize('wanted, times', [(True, 3), (False, 0)])  # 3: start, fade, 8x8
def test_optimizers_are_reset_at_new_resolutions_or_never(data, tmp_path, monkeypatch, wanted,
                                                          times):
    resets = []
    monkeypatch.setattr(state.TrainingState, 'reset_optimizers', lambda self: resets.append(1))
    trained(data, tmp_path / 'run', reset_opt_for_new_lod=wanted, lod_initial_resolution=4,
            lod_training_kimg=0.064, lod_transition_kimg=0.064)
    assert len(resets) == times
