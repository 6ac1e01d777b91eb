"""D is shown nothing but augmented images; p follows the signs of its scores."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from training import augment
from training.augment import AugmentConfig, Parameters
from training.config import DiscriminatorConfig, GeneratorConfig, LossConfig, Precision
from training.layers import named_variables
from training.losses import G_LOSSES, scores_and_penalty
from training.state import TrainingState
from training.steps import _shown, train_iteration

IMAGES = 8
ALL_GREY = AugmentConfig(pipe='cutout', p=1.0, target=None, cutout_size=2.0)
UNCHANGED = AugmentConfig(pipe='color', p=0.0, target=None)
STRONG = AugmentConfig(pipe='xflip,contrast,cutout', p=0.8, target=None)


def new_state(augment, group=2, **options):
    """A state whose weights follow from their names alone."""
    shape = {'resolution': 16, 'num_channels': 3, 'fmap_base': 64, 'fmap_max': 8}
    state = TrainingState(GeneratorConfig(**shape, latent_size=8, dlatent_size=8, mapping_fmaps=8,
                                          mapping_layers=1),
                          DiscriminatorConfig(**shape, mbstd_group_size=group), augment=augment,
                          **options)
    for network in (state.G, state.D, state.Gs):
        for i, (name, variable) in enumerate(named_variables(network).items()):
            if not name.endswith(('bias', 'dlatent_avg', 'const')):
                variable.assign(tf.random.stateless_normal(variable.shape, [5, i]))
    return state


def iterate(state, seed=(1, 2), **options):
    reals = tf.random.stateless_normal([IMAGES, 8, 8, 3], [1, 2])
    z = tf.random.stateless_normal([2, IMAGES, 8], [3, 4])
    return train_iteration(state, reals, None, z[0], z[1], level=1, alpha=0.3, G_lrate=0.002,
                           D_lrate=0.002, ema_beta=0.9, seed=list(seed), **options)


def weights(network):
    return {name: variable.numpy() for name, variable in named_variables(network).items()}


def assert_same(network, other, **limits):
    for name, array in weights(network).items():
        np.testing.assert_allclose(array, weights(other)[name], err_msg=name,
                                   **(limits or {'rtol': 0, 'atol': 0}))


def test_without_a_pipe_no_image_reaches_D_as_it_is():
    state = new_state(ALL_GREY)
    before = weights(state.G)
    iterate(state)
    stats = state.take_stats()
    # All grey: reals and fakes are one and the same, and no gradient comes back to images.
    assert stats['score_real'] == stats['score_fake'] and stats['penalty'] == 0
    for name, array in weights(state.G).items():
        assert name == 'dlatent_avg' or np.array_equal(array, before[name]), name


@pytest.mark.parametrize('losses', [
    LossConfig(), LossConfig(r2_gamma=3.0),
    *(LossConfig(D_loss=name) for name in ('D_logistic', 'D_wgan', 'D_hinge')),
    *(LossConfig(G_loss='G_wgan', D_loss=name) for name in ('D_wgan_gp', 'D_hinge_gp'))],
    ids=lambda losses: f'{losses.D_loss}-{losses.r2_gamma:g}')
def test_every_loss_is_handed_augmented_images(losses):
    state = new_state(ALL_GREY)
    iterate(state, losses=losses)
    stats = state.take_stats()
    assert stats['score_real'] == stats['score_fake'] and stats.get('penalty', 0) == 0


def test_a_pipe_that_changes_nothing_changes_no_weight():
    plain, augmented = new_state(None), new_state(UNCHANGED)
    for state in (plain, augmented):
        iterate(state)
    assert_same(plain.G, augmented.G)
    assert_same(plain.D, augmented.D)


def test_reals_fakes_and_the_generators_fakes_are_drawn_apart():
    drawn, draw = [], augment.draw

    def recording(shape, p, config, seed):
        drawn.append(draw(shape, p, config, seed))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, 'draw', recording)
        iterate(new_state(STRONG))
    flips = np.stack([parameters.cutout_center for parameters in drawn])
    assert len(drawn) == 4 and len(np.unique(flips[:, 0, 0])) == 4
    assert {parameters.xflip.shape[0] for parameters in drawn} == {IMAGES}


def test_the_penalty_is_on_the_gradient_before_the_pipe():
    state, images = new_state(None), tf.random.stateless_normal([4, 16, 16, 3], [1, 2])

    def D(images):
        return state.D.at_level(images, None, 0, 0.0)

    doubled = Parameters(contrast=tf.fill([4], 2.0))
    scores, penalty = scores_and_penalty(_shown(D, [doubled]), images, 0)
    expected_scores, of_doubled = scores_and_penalty(D, 2 * images, 0)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)
    np.testing.assert_allclose(penalty, 4 * of_doubled, rtol=1e-4)


@pytest.mark.parametrize('chunks', [2, 4])
def test_shares_of_a_minibatch_get_what_the_whole_would(chunks):
    states = [new_state(STRONG, group=1) for _ in range(2)]  # shares have other groups
    losses = [iterate(state, chunks=number) for state, number in zip(states, (1, chunks))]
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.parametrize('precision', ['mixed_float16', 'mixed_bfloat16'])
def test_half_precision_does_not_overflow_in_the_pipe(precision):
    strongest = AugmentConfig(pipe='bgcfnc', p=1.0, target=None, contrast_std=3.0,
                              brightness_std=3.0, saturation_std=3.0)
    state = new_state(strongest, precision=Precision(precision))
    iterate(state)
    stats = state.take_stats()
    assert all(np.isfinite(value) for value in stats.values())
    assert all(np.isfinite(array).all() for array in weights(state.D).values())


def test_p_moves_by_the_signs_of_all_reals_of_four_minibatches():
    state = new_state(AugmentConfig(pipe='xflip', p=0.5, adapt_kimg=1))
    moved = []
    for i in range(8):
        iterate(state, seed=(1, i))
        moved.append(float(state.adaptive_p.p))
        if i % 4 == 3:
            r_t = state.adaptive_p.stats()['r_t']
            before = 0.5 if i == 3 else moved[3]
            assert moved[-1] == pytest.approx(before + np.sign(r_t - 0.6) * 4 * IMAGES / 1000)
    assert moved[:3] == [0.5] * 3 and moved[4:7] == [moved[3]] * 3


def test_fixed_p_stays():
    state = new_state(STRONG)
    for i in range(5):
        iterate(state, seed=(1, i))
    assert state.adaptive_p.stats()['augment'] == np.float32(0.8)
    state.adaptive_p.p.assign(0.1)  # as a checkpoint of a run that was resumed with another p
    assert state.adaptive_p.stats()['augment'] == np.float32(0.8)


def test_replicas_adjust_one_common_p():
    strategy = tf.distribute.MirroredStrategy([f'CPU:{number}' for number in range(2)],
                                              tf.distribute.ReductionToOneDevice())
    config = AugmentConfig(pipe='xflip,contrast', p=0.5, adapt_kimg=1, interval=2)
    state = new_state(config, strategy=strategy)

    @tf.function(autograph=False)
    def step(number):
        def on_replica():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            iterate(state, seed=(replica, number))
        strategy.run(on_replica)

    for number in tf.range(2):
        step(number)
    r_t = state.adaptive_p.stats()['r_t']
    copies = [float(p) for p in strategy.experimental_local_results(state.adaptive_p.p)]
    assert len(copies) == 2 and copies[0] == copies[1]
    assert copies[0] == pytest.approx(0.5 + np.sign(r_t - 0.6) * 2 * 2 * IMAGES / 1000)


def test_gray_images_are_spared_hue_and_saturation_and_others_need_a_pipe_without_color():
    assert 'hue' not in AugmentConfig().transformations(1)
    with pytest.raises(ValueError, match="pipe 'bgc'.*1 or 3 channels; received 4.*bg"):
        AugmentConfig().transformations(4)


def test_every_generator_loss_goes_through_the_pipe():
    for name in G_LOSSES:
        state = new_state(ALL_GREY)
        before = weights(state.G)
        iterate(state, losses=LossConfig(G_loss=name))
        moved = [key for key, array in weights(state.G).items()
                 if key != 'dlatent_avg' and not np.array_equal(array, before[key])]
        assert moved == [], name


def test_options_of_a_run_come_back_from_its_file():
    from training.config_json import changed_options, run_config_from_json, to_json
    from training.presets import run_config
    config = run_config('digits', 'data', 32, 1, 0, {'augment': STRONG, 'holdout': 9})
    again = run_config_from_json(to_json(config))
    assert again.augment == STRONG and changed_options(config, again) == []
    plain = run_config('digits', 'data', 32, 1, 0, {'holdout': 9})
    assert changed_options(plain, config) == ['augment']
    assert changed_options(config, dataclasses.replace(
        config, augment=dataclasses.replace(STRONG, p=0.7))) == ['augment.p']
    fields = json.loads(to_json(config))
    fields['augment']['strength'] = 2
    with pytest.raises(ValueError, match="AugmentConfig has no field 'strength'"):
        run_config_from_json(json.dumps(fields))


@pytest.mark.parametrize('preset, images, augmented, held_out', [
    ('auto', 199, True, 0), ('auto', 1000, True, 50), ('auto', 30000, True, 500),
    ('auto', 30001, False, 500), ('table1-f', 1000, False, 50), ('digits', 1797, False, 89)])
def test_few_images_are_augmented_and_some_held_out(preset, images, augmented, held_out):
    from training.presets import run_config
    config = run_config(preset, 'data', 64, 3, 0, num_images=images)
    assert (config.augment is not None, config.holdout) == (augmented, held_out)
    given = run_config(preset, 'data', 64, 3, 0, {'augment': None, 'holdout': 1},
                       num_images=images)
    assert (given.augment, given.holdout) == (None, 1)
