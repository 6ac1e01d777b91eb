"""Held-out images are never trained on, and D's scores of them tell whether it memorises."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_config, write_dataset

from training.config import AugmentConfig
from training.dataset import TFRecordDataset
from training.memorising import HeldOut, share_of_way
from training.schedule import training_schedule
from training.state import TrainingState


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp('held') / 'spots', resolution=8, count=60,
                         label_size=2)


@pytest.mark.parametrize('holdout', [0, 1, 25])
def test_no_batch_and_no_label_is_of_a_held_out_image(data, holdout):
    dataset = TFRecordDataset(data, max_label_size=2, holdout=holdout)
    assert len(dataset.held_out) == holdout and len(dataset.trained) == 60 - holdout
    assert set(dataset.held_out) | set(dataset.trained) == set(range(60))
    epochs = dataset.indices_at(0, 3 * len(dataset.trained), seed=5).reshape(3, -1)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), dataset.trained)
    dataset.labels[dataset.held_out] = 7
    assert dataset.random_labels([0, 1], 500).max() == 1


def test_the_same_images_are_held_out_each_time_and_more_of_them_include_fewer(data, tmp_path):
    few, more = (set(TFRecordDataset(data, holdout=count).held_out) for count in (6, 20))
    assert few == set(TFRecordDataset(data, 4, holdout=6).held_out) and few < more
    longer = TFRecordDataset(write_dataset(tmp_path / 'spots', 8, count=61), holdout=6).held_out
    assert len(few & set(longer)) >= 5  # one more image takes one place at most
    assert few != set(range(6))


@pytest.mark.parametrize('holdout', [-1, 60])
def test_a_set_is_not_held_out_as_a_whole(data, holdout):
    with pytest.raises(ValueError, match=f'holdout must be.*60 images; received {holdout}'):
        TFRecordDataset(data, holdout=holdout)


@pytest.mark.parametrize('train, held_out, fakes, share', [
    (4, 4, -2, 0), (4, -2, -2, 1), (4, 1, -2, 0.5), (4, 7, -2, -0.5),
    (1, 0, 1, 0), (1, 0, 3, 0)])  # D can't tell reals from fakes
def test_the_share_is_of_the_way_from_trained_reals_to_fakes(train, held_out, fakes, share):
    noise = np.random.RandomState(0).randn(200)
    noise -= noise.mean()
    assert share_of_way(train + noise, held_out + noise, fakes + noise) == pytest.approx(share)


def held_out_of(data, holdout=24, **options):
    config = small_config(data, holdout=holdout, **options)
    state = TrainingState(config.G, config.D, augment=config.augment)
    dataset = TFRecordDataset(data, 8, holdout=config.holdout)
    return HeldOut(state, config, dataset), training_schedule(0, 8, 1, config.schedule)


def give_scores(held_out, score):
    """D's score of each image is score(images) from now on."""
    held_out.state.D.at_level = lambda images, labels, level, alpha: score(tf.convert_to_tensor(
        images))


@pytest.mark.parametrize('augment', [None, AugmentConfig(p=0.5)])
def test_real_networks_are_scored_and_the_same_twice(data, augment):
    held_out, sched = held_out_of(data, augment=augment)
    stats = held_out.stats(sched)
    assert list(stats) == ['score_train', 'score_holdout', 'score_generated', 'memorised']
    assert all(np.isfinite(value) for value in stats.values()) and held_out.stats(sched) == stats


def test_a_discriminator_that_knows_its_images_by_heart_has_memorised_all(data):
    held_out, sched = held_out_of(data)
    known = {image.tobytes() for image in held_out.dataset.read(8, held_out.dataset.trained)}

    def score(images):
        pixels = np.rint((images.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8)
        return tf.constant([[3.0 if image.tobytes() in known else -3.0] for image in pixels])

    give_scores(held_out, score)
    assert held_out.stats(sched)['memorised'] == 1
    give_scores(held_out, lambda images: tf.reduce_mean(images, [1, 2]))
    assert abs(held_out.stats(sched)['memorised']) < 0.5


def test_too_few_for_a_group_tell_nothing(data):
    held_out, sched = held_out_of(data, holdout=3)
    assert held_out.stats(sched) == {} and held_out.advice(sched, {}) == []


def test_advice_names_the_remedy_and_comes_once_a_stage(data):
    held_out, sched = held_out_of(data)
    bad = {'memorised': 0.8}
    (line,) = held_out.advice(sched, bad)
    assert '80% of the way' in line and '36 by heart' in line and '--aug=ada' in line
    assert held_out.advice(sched, bad) == []
    assert len(held_out.advice(sched._replace(lod=0.5), bad)) == 1
    assert held_out.advice(sched._replace(lod=0.5), {'memorised': 0.1}) == []


def test_advice_warns_of_leaks(data):
    held_out, sched = held_out_of(data, augment=AugmentConfig())
    (leak,) = held_out.advice(sched, {'augment': 0.81})
    assert 'p = 0.81' in leak and '--aug_target' in leak
    (line,) = held_out.advice(sched, {'augment': 0.9, 'memorised': 0.7})
    assert 'a lower --aug_target' in line


def test_the_config_refuses_a_negative_holdout(data):
    with pytest.raises(ValueError, match='holdout must be at least 0; received -1'):
        dataclasses.replace(small_config(data), holdout=-1)
