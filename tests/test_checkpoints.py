"""Checkpoints: whole or not there at all, the newest few kept, a damaged one passed over."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config

from metrics.attribute_classifiers import AttributeClassifier
from runs.checkpoints import Checkpoints, checkpoint_paths, newest_nimg
from runs.disk import is_full
from training import networks, networks_progan
from training.config import (
    AugmentConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    ProganDiscriminatorConfig,
    ProganGeneratorConfig,
)
from training.layers import named_variables
from training.state import TrainingState
from translation import networks as translation
from translation.config import TranslationConfig
from translation.wing import FaceNetwork


@pytest.fixture(scope='module')
def state():
    config = small_config('spots')
    return TrainingState(config.G, config.D)


class Trial:
    """Checkpoints of one state in an empty directory."""

    def __init__(self, state, directory):
        self.state, self.directory, self.said = state, directory, []
        state.rollbacks.assign(0)
        self.begin()

    def begin(self, keep=3):
        self.checkpoints = Checkpoints(self.state, str(self.directory), keep, self.said.append)

    def save(self, *moments):
        """At each (nimg, rollbacks), or nimg; a weight of G is nimg."""
        for moment in moments:
            nimg, rollbacks = moment if isinstance(moment, tuple) else (moment, 0)
            self.state.nimg.assign(nimg)
            self.state.rollbacks.assign(rollbacks)
            self.weight.assign(tf.fill(self.weight.shape, float(nimg)))
            self.checkpoints.save()

    @property
    def weight(self):
        return self.state.G.trainable_variables[0]

    def restored(self):
        """nimg that restoring gives; the weights are of the same moment."""
        self.state.nimg.assign(-1)
        assert self.checkpoints.restore_latest()
        assert np.all(self.weight.numpy() == int(self.state.nimg))
        return int(self.state.nimg)

    def names(self):
        return [os.path.basename(path) for path in checkpoint_paths(self.directory).values()]


@pytest.fixture
def trial(state, tmp_path):
    return Trial(state, tmp_path / 'checkpoints')


def test_the_newest_few_are_kept_and_the_newest_is_restored(trial):
    trial.save(64, 128, 192, 1000)
    assert trial.names() == ['checkpoint-128', 'checkpoint-192', 'checkpoint-1000']
    assert trial.restored() == 1000 == newest_nimg(trial.directory)
    trial.begin(keep=1)
    trial.save(1064)
    assert trial.names() == ['checkpoint-1064']


def test_without_one_there_is_nothing_to_restore(trial):
    assert not trial.checkpoints.restore_latest()
    assert newest_nimg(trial.directory) is None and newest_nimg(trial.directory / 'none') is None


def test_after_a_rollback_the_same_moment_is_saved_anew(trial):
    trial.save(64, 128, (128, 1), (128, 2))
    assert trial.names() == ['checkpoint-64', 'checkpoint-128-2']
    assert trial.restored() == 128 and int(trial.state.rollbacks) == 2


def test_what_a_killed_run_was_writing_is_no_checkpoint_and_is_removed(trial):
    trial.save(64, 128)
    os.rename(trial.directory / 'checkpoint-128', trial.directory / 'checkpoint-128.part')
    assert trial.restored() == 64
    trial.begin()
    assert os.listdir(trial.directory) == ['checkpoint-64']


def cut(path):
    for file in pathlib.Path(path).iterdir():
        file.write_bytes(file.read_bytes()[:20])


def flip(path):
    file = next(pathlib.Path(path).glob('*.data-*'))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)


def lose(path):
    next(pathlib.Path(path).glob('*.data-*')).unlink()


@pytest.mark.parametrize('damage', [cut, flip, lose])
def test_a_damaged_one_is_set_aside_and_the_one_before_taken(trial, damage):
    trial.save(64, 128)
    damage(trial.directory / 'checkpoint-128')
    assert trial.restored() == 64
    assert len(trial.said) == 1 and 'checkpoint-128 is damaged' in trial.said[0]
    trial.save(128)
    assert trial.restored() == 128


def test_where_all_are_damaged_training_does_not_begin_anew(trial):
    trial.save(64, 128)
    for name in trial.names():
        cut(trial.directory / name)
    with pytest.raises(ValueError, match='checkpoint-128: the checkpoint is damaged .*no other'):
        trial.checkpoints.restore_latest()
    assert trial.names() == ['checkpoint-64', 'checkpoint-128']


def test_a_checkpoint_of_other_networks_is_refused(trial):
    trial.save(64)
    config = small_config('spots', mapping_layers=2)
    other = Checkpoints(TrainingState(config.G, config.D), str(trial.directory))
    with pytest.raises(ValueError, match='does not fit this run'):
        other.restore_latest()
    assert trial.names() == ['checkpoint-64']


def test_one_that_cannot_be_written_leaves_nothing_behind(trial, monkeypatch):
    trial.save(64)

    def half(prefix):
        pathlib.Path(f'{prefix}.data').write_bytes(b'half')
        raise tf.errors.ResourceExhaustedError(None, None, f'{prefix}; No space left on device')

    monkeypatch.setattr(trial.checkpoints.checkpoint, 'write', half)
    with pytest.raises(OSError, match='checkpoint-128: the checkpoint could not be') as caught:
        trial.save(128)
    assert is_full(caught.value) and '\n' not in str(caught.value)
    assert os.listdir(trial.directory) == ['checkpoint-64'] and trial.restored() == 64


TINY = {'resolution': 16, 'fmap_base': 64, 'fmap_max': 8}
TRANSLATION = TranslationConfig(img_size=16, latent_dim=4, hidden_dim=8, style_dim=4,
                                conv_dim_base=64, max_conv_dim=8, w_hpf=1.0)
NETWORKS = {
    'G': lambda: networks.Generator(GeneratorConfig(label_size=2, **TINY)),
    'D': lambda: networks.Discriminator(DiscriminatorConfig(label_size=2, **TINY)),
    'G of ProGAN': lambda: networks_progan.Generator(ProganGeneratorConfig(**TINY)),
    'D of ProGAN': lambda: networks_progan.Discriminator(ProganDiscriminatorConfig(**TINY)),
    'attribute classifier': lambda: AttributeClassifier(
        DiscriminatorConfig(mbstd_group_size=0, **TINY)),
    'G of translation': lambda: translation.Generator(TRANSLATION),
    'F of translation': lambda: translation.MappingNetwork(TRANSLATION),
    'E of translation': lambda: translation.StyleEncoder(TRANSLATION),
    'D of translation': lambda: translation.Discriminator(TRANSLATION),
    'face network': FaceNetwork}


@pytest.mark.parametrize('name', NETWORKS)
def test_no_layer_of_a_network_is_missing_from_its_checkpoint(tmp_path, name):
    saved, restored = NETWORKS[name](), NETWORKS[name]()
    variables, random = named_variables(saved), np.random.RandomState(4)
    for variable in variables.values():
        variable.assign(random.uniform(1, 2, variable.shape))
    path = tf.train.Checkpoint(network=saved).write(str(tmp_path / 'checkpoint'))
    stored = [entry for entry, _ in tf.train.list_variables(path) if 'network/' in entry]
    assert len(stored) == len(variables) == len(named_variables(restored))
    tf.train.Checkpoint(network=restored).read(path).assert_consumed()
    for key, variable in named_variables(restored).items():
        np.testing.assert_array_equal(variable, variables[key], err_msg=key)


def test_a_checkpoint_of_before_augmentation_goes_on_and_p_begins_anew(tmp_path):
    config = small_config('spots')
    earlier = TrainingState(config.G, config.D)
    earlier.nimg.assign(7)
    del earlier.adaptive_p  # as a state was then
    Checkpoints(earlier, str(tmp_path)).save()
    state = TrainingState(config.G, config.D, augment=AugmentConfig(p=0.25))
    assert Checkpoints(state, str(tmp_path)).restore_latest() and int(state.nimg) == 7
    assert state.adaptive_p.stats()['augment'] == 0.25
    Checkpoints(state, str(tmp_path / 'new')).save()  # p is a part of the state again
    other = TrainingState(config.G, config.D, augment=AugmentConfig())
    Checkpoints(other, str(tmp_path / 'new')).restore_latest()
    assert other.adaptive_p.stats()['augment'] == 0.25


@pytest.mark.parametrize('before, after', [(None, AugmentConfig()), (AugmentConfig(), None)])
def test_a_run_may_take_up_augmentation_and_drop_it(tmp_path, before, after):
    config = small_config('spots')
    Checkpoints(TrainingState(config.G, config.D, augment=before), str(tmp_path)).save()
    state = TrainingState(config.G, config.D, augment=after)
    assert Checkpoints(state, str(tmp_path)).restore_latest()
