"""An iteration of StarGAN v2 beyond the recorded numbers: replicas, checkpoints, half precision."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from training.config import Precision
from training.layers import InstanceNorm
from training.replicas import replica_number
from translation import reference
from translation.config import TranslationConfig
from translation.networks import Generator
from translation.state import TranslationState
from translation.steps import Batch, discriminator_step, generator_step, train_iteration

# With a high-pass, which allows the smallest images; their features are too small to be passed on.
TINY = TranslationConfig(img_size=16, num_domains=2, latent_dim=4, hidden_dim=8, style_dim=4,
                         conv_dim_base=64, max_conv_dim=8, w_hpf=1.0)
PARTS = ('G', 'F', 'E', 'D', 'Gs', 'Fs', 'Es')


@pytest.fixture(autouse=True)
def same_weights():
    tf.random.set_seed(1)


def tiny_batch(seed, size=4, side=16):
    random = np.random.RandomState(seed)
    x_real, x_ref, x_ref2 = random.uniform(-1, 1, [3, size, side, side, 3]).astype(np.float32)
    z_trg, z_trg2 = random.randn(2, size, 4).astype(np.float32)
    y_org, y_trg = random.randint(2, size=[2, size]).astype(np.int32)
    return Batch(*map(tf.constant, (x_real, y_org, y_trg, x_ref, x_ref2, z_trg, z_trg2)))


def tiny_masks(images):
    mask = tf.image.resize(images[..., :1], [8, 8]) / 2 + 0.5
    return mask, mask ** 2


def weights_of(state):
    return {f'{part}/{name}': array for part in PARTS
            for name, array in reference.variables(getattr(state, part)).items()}


def copied(state, config=TINY, **options):
    copy = TranslationState(config, **options)
    for part in PARTS:
        reference.assign(getattr(copy, part), reference.variables(getattr(state, part)))
    return copy


class Begun(NamedTuple):
    """A state and its first iteration."""
    before: dict               # weights
    twin: TranslationState     # one that has them still
    log: dict                  # of the iteration
    after: dict                # weights
    sums: dict                 # that the state kept
    state: TranslationState    # which one test may train on


@pytest.fixture(scope='module')
def begun():
    tf.random.set_seed(1)
    state = TranslationState(dataclasses.replace(TINY, ema_beta=0.75))
    before, twin = weights_of(state), copied(state)
    log = train_iteration(state, tiny_batch(0), tiny_masks)
    return Begun(before, twin, log, weights_of(state), state.take_stats(), state)


def test_a_restored_checkpoint_goes_on_as_if_nothing_had_been(begun, tmp_path):
    state = begun.state
    path = tf.train.Checkpoint(state=state).save(str(tmp_path / 'checkpoint'))
    restored = TranslationState(state.config)
    tf.train.Checkpoint(state=restored).restore(path).assert_consumed()
    ours, theirs = (train_iteration(each, tiny_batch(1)) for each in (state, restored))
    assert {name: float(value) for name, value in ours.items()} == {
        name: float(value) for name, value in theirs.items()}
    assert int(restored.iteration) == 2
    after, before = weights_of(restored), weights_of(state)
    for name, array in after.items():
        np.testing.assert_array_equal(array, before[name])
    optimizers = [getattr(restored, f'{part}_opt') for part in 'GFED']
    assert [int(optimizer.iterations) for optimizer in optimizers] == [4, 2, 2, 4]


def test_averages_start_as_copies_and_follow_once_an_iteration(begun):
    start, after = begun.before, begun.after
    for name, array in start.items():
        if name.startswith(('G/', 'F/', 'E/')):
            np.testing.assert_array_equal(array, start[f'{name[0]}s{name[1:]}'])
    name = 'encode.0.conv1.weight'
    moved = after[f'G/{name}'] - start[f'G/{name}']
    assert np.abs(moved).max() > TINY.lr / 2
    np.testing.assert_allclose(after[f'Gs/{name}'] - start[f'G/{name}'], moved / 4, atol=5e-7)


def test_chunks_make_the_same_iteration(begun):
    """--batch_gpu: a batch of four in two halves, one after the other."""
    theirs = train_iteration(begun.twin, tiny_batch(0), tiny_masks, chunks=2)
    for name, value in begun.log.items():
        np.testing.assert_allclose(theirs[name], value, rtol=2e-4, err_msg=name)
    sums = begun.sums
    assert sums == {**sums, **{name: pytest.approx(float(value))
                               for name, value in begun.log.items()}}
    assert sums['skipped_D'] == sums['skipped_G'] == 0


@pytest.mark.parametrize('compiled', [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_replicas_make_the_steps_of_one(compiled):
    one = TranslationState(TINY)
    strategy = tf.distribute.MirroredStrategy(
        [device.name for device in tf.config.list_logical_devices('CPU')[:2]])
    two = copied(one, strategy=strategy)
    batch = tiny_batch(0)

    def steps(state, batch):
        d_loss = discriminator_step(state, batch, 'latent')
        g_loss = generator_step(state, batch, 'latent', 1.0)
        state.update_moving_averages(0.5)
        return {**d_loss, **g_loss}

    def on_replica():
        return steps(two, Batch(*(tf.reshape(x, [2, 2, *x.shape[1:]])[replica_number()]
                                  for x in batch)))

    def on_replicas():
        return strategy.run(on_replica)

    logs = (tf.function(on_replicas, autograph=False) if compiled else on_replicas)()
    for name, value in steps(one, batch).items():
        for local in strategy.experimental_local_results(logs[name]):
            assert float(local) == pytest.approx(float(value), rel=2e-4, abs=2e-5), name
    distances = np.concatenate([np.abs(ours - theirs).ravel() for ours, theirs in zip(
        weights_of(one).values(), weights_of(two).values())])
    # Where a gradient is zero but for rounding, the first steps of Adam go either way.
    assert np.mean(distances < 0.05 * TINY.lr) > 0.95


def test_float16_trains_with_nearly_the_same_losses():
    exact = TranslationState(TINY)
    half = copied(exact, precision=Precision('mixed_float16', num_fp16_res=2))
    assert float(half.G_opt.loss_scale) > float(half.F_opt.loss_scale) == 1
    for optimizer in (half.G_opt, half.D_opt):
        optimizer.loss_scale.assign(256)  # the first one may overflow, and skip the update
    for step in (lambda state: discriminator_step(state, tiny_batch(0), 'reference'),
                 lambda state: generator_step(state, tiny_batch(0), 'latent', 1.0)):
        ours, theirs = step(half), step(exact)
        for name, value in theirs.items():
            assert float(ours[name]) == pytest.approx(float(value), rel=0.05, abs=0.05), name
    assert all(np.isfinite(array).all() for array in weights_of(half).values())
    # A scale that is left in F's and E's gradients would show in the second moments.
    for part in 'GFED':
        ours, theirs = (getattr(state, f'{part}_opt') for state in (half, exact))
        assert int(ours.iterations) == int(theirs.iterations) == 1
        norms = [sum(float(tf.reduce_sum(v)) for v in optimizer.v) for optimizer in (ours, theirs)]
        assert norms[0] == pytest.approx(norms[1], rel=0.5), part


def test_bfloat16_draws_nearly_the_same_images():
    config = dataclasses.replace(TINY, img_size=32, conv_dim_base=128)
    exact, half = Generator(config), Generator(config, Precision('mixed_bfloat16'))
    reference.assign(half, reference.variables(exact))
    batch = tiny_batch(0, side=32)
    ours, theirs = (G(batch.x_real, batch.z_trg, tiny_masks(batch.x_real))
                    for G in (half, exact))
    assert ours.dtype == theirs.dtype == 'float32'
    assert 0 < np.sqrt(np.mean((ours - theirs) ** 2)) < 0.05 * np.std(theirs)


def test_instance_norm_of_images_of_any_shape():
    layer, random = InstanceNorm('norm', 3, epsilon=0.5), np.random.RandomState(0)
    layer.weight.assign([1, 2, 3])
    layer.bias.assign([4, 5, 6])
    for height, width in ((8, 4), (5, 7), (1, 6)):
        x = random.randn(2, height, width, 3).astype(np.float32)
        expected = ((x - x.mean(axis=(1, 2), keepdims=True))
                    / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 0.5)) * [1, 2, 3] + [4, 5, 6]
        np.testing.assert_allclose(layer(x), expected, atol=1e-5)
