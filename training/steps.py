"""One training iteration: D's step, the moving average, G's step. The heart of training.

Each of these functions is called on every replica, with that replica's own share of the minibatch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from training.augment import apply
from training.config import LossConfig
from training.layers import trained_variables
from training.losses import G_LOSSES, PenaltyInputs, discriminator_loss
from training.networks import reached
from training.prepared import weights_prepared_once
from training.replicas import mean_over_replicas, over_all_replicas
from training.seeds import folded_seed, random_uniform
from training.state import TrainingState

# What a draw is for, folded into the step's seed: each time that D is shown augmented images.
AUGMENT_D, AUGMENT_G = (3, 4, 6), (5,)


def in_chunks(compute, per_image, chunks):
    """The mean of compute(share of `per_image`) over equal shares: a big minibatch in less memory.

    Args:
        compute: a nest of tensors [n, ...] (or None) -> a nest of tensors, means over n images.
        per_image: a nest of tensors [N, ...] (or None).
        chunks: how many shares; N is a multiple of it.
    """
    if chunks == 1:
        return compute(per_image)

    def share(number):
        def rows(x):
            return None if x is None else tf.reshape(
                x, [chunks, x.shape[0] // chunks, *x.shape[1:]])[number]
        return tf.nest.map_structure(rows, per_image)

    def add_share(number, sums):
        return number + 1, tf.nest.map_structure(tf.add, sums, compute(share(number)))

    # One share at a time: side by side they would take the memory that this is to save.
    _, sums = tf.while_loop(lambda number, _: number < chunks, add_share, (1, compute(share(0))),
                            parallel_iterations=1)
    return tf.nest.map_structure(lambda total: total / chunks, sums)


class StepOptions(NamedTuple):
    """What D's step and G's have in common in one iteration."""
    level: int                         # floor(lod), fixed in each trace
    alpha: Any                         # lod - level, a number or a tensor
    losses: LossConfig = LossConfig()
    randomize_noise: bool = False
    style_mixing: bool = False
    seed: Any = None                   # a stateless pair; None = the global generator
    chunks: int = 1                    # equal shares of the images, computed one after the other
    freeze_d: int = 0                  # layers of D, from the image on, that are not trained


def _moved(state, network, options):
    """For each of the `trained_variables` of G or D: whether a step at this level moves it."""
    frozen = {id(variable) for layer in state.D.finest_layers(options.freeze_d)
              for variable in trained_variables(layer)}
    return [is_reached and id(variable) not in frozen for variable, is_reached
            in zip(trained_variables(network), reached(network, options.level))]


def _step(state, part, lrate, loss_of, per_image, options):
    """One update of `part`. Returns its mean loss before the update and its mean statistics.

    Means over the whole minibatch. The update is of the layers that the level reaches and that are
    not frozen: with beta_1 = 0, Adam leaves a variable whose gradient is zero where it is. (Its
    second moment would decay: reset when lod comes to reach it.)

    Args:
        part: 'G' or 'D'.
        loss_of: shares of `per_image` -> (loss, mean w of the fakes, {name: statistic}), means.
    """
    network, optimizer = getattr(state, part), getattr(state, f'{part}_opt')
    moved, trained = _moved(state, network, options), trained_variables(network)
    variables = [variable for variable, is_moved in zip(trained, moved) if is_moved]

    def compute(share):
        with tf.GradientTape(watch_accessed_variables=False) as tape, weights_prepared_once():
            tape.watch(variables)
            loss, mean_w, stats = loss_of(*share)
            scaled = loss * optimizer.loss_scale if optimizer.scaled_loss else loss
        # What is reached and yet plays no part gets zeros, as in the reference.
        gradients = tape.gradient(scaled, variables,
                                  unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, mean_w, stats, gradients

    # Forwards and backwards, then the same numbers on every replica.
    loss, mean_w, stats, gradients = in_chunks(compute, per_image, options.chunks)
    state.G.move_average(mean_w)
    loss, stats, gradients = mean_over_replicas((loss, stats, gradients))

    # The update.
    scale, gradients = tf.identity(optimizer.loss_scale), iter(gradients)
    gradients = [next(gradients) if is_moved else None for is_moved in moved]
    skipped = optimizer.apply_if_finite(gradients, trained, lrate)

    # For the log: what overflows under a scale that can still be halved is no sign of trouble.
    state.add_stats({f'skipped_{part}': skipped})
    logged = {name: value for name, value in stats.items() if name in state.STATS}
    state.add_stats({f'loss_{part}': loss, **logged}, counted=(skipped == 0) | (scale <= 1))
    with tf.control_dependencies([skipped]):  # the loss is there when the update is done
        return tf.identity(loss), stats


def _draws(state, z, options, purpose):
    """G's Draws for one pass over the latents `z`; `purpose` is folded into the seed."""
    return state.G.training_draws(z.shape[0] or tf.shape(z)[0], options.level,
                                  options.randomize_noise, options.style_mixing,
                                  folded_seed(options.seed, purpose))


def _changes(state, shape, options, purposes):
    """[Parameters] of the pipe, for each time that D is shown images of this shape, [N, r, r, C].

    A loss of D shows it some two or three times. Without a pipe they are None.
    """
    return [state.adaptive_p.draw(shape, folded_seed(options.seed, purpose))
            for purpose in purposes]


def _shown(D, changes):
    """D as losses take it: the images of each call have been through the pipe, drawn anew."""
    changes = iter(changes)

    def scores(images):
        drawn = next(changes)
        return D(images if drawn is None else apply(images, drawn))

    return scores


def discriminator_step(state: TrainingState, reals, labels, z, lrate, options: StepOptions):
    """Moves D, and with it p. Fakes carry the reals' labels. Returns the mean loss before that.

    Args:
        reals: [N, r, r, C], [-1, 1], r = 2^(R - level); z: [N, latent_size].
        lrate: a number or a tensor.
    """
    # All that chance decides is drawn for the whole minibatch, however it is computed.
    reals = tf.convert_to_tensor(reals)
    draws = _draws(state, z, options, 0)
    mixing = random_uniform([z.shape[0] or tf.shape(z)[0], 1, 1, 1], folded_seed(options.seed, 1))
    changes = _changes(state, reals.shape, options, AUGMENT_D)

    loss = discriminator_loss(options.losses)
    loss_scale = state.D_opt.loss_scale if state.D_opt.scaled_loss else None

    def loss_of(reals, labels, z, mixing, drawn, changes):
        def D(images):
            return state.D.at_level(images, labels, options.level, options.alpha)

        fakes, mean_w = state.G.training_images(z, labels, options.level, options.alpha,
                                                draws._replace(per_image=drawn))
        losses, stats = loss(_shown(D, changes), reals, fakes,
                             PenaltyInputs(options.level, mixing, loss_scale))
        stats = {**stats, 'sign_real': tf.sign(stats['score_real'])}
        return tf.reduce_mean(losses), mean_w, tf.nest.map_structure(tf.reduce_mean, stats)

    loss, stats = _step(state, 'D', lrate, loss_of,
                        (reals, labels, z, mixing, draws.per_image, changes), options)
    state.adaptive_p.add(stats['sign_real'], over_all_replicas(reals.shape[0]))
    return loss


def generator_step(state: TrainingState, labels, z, lrate, options: StepOptions):
    """Moves G. Arguments as in `discriminator_step`; returns the mean loss before the update."""
    draws = _draws(state, z, options, 2)
    loss = G_LOSSES[options.losses.G_loss]
    config, size = state.G.config, 2 ** (state.G.config.resolution_log2 - options.level)
    shape = [z.shape[0] or tf.shape(z)[0], size, size, config.num_channels]
    changes = _changes(state, shape, options, AUGMENT_G)

    def loss_of(labels, z, drawn, changes):
        def D(images):
            return state.D.at_level(images, labels, options.level, options.alpha)

        fakes, mean_w = state.G.training_images(z, labels, options.level, options.alpha,
                                                draws._replace(per_image=drawn))
        scores = _shown(D, changes)(fakes)
        return tf.reduce_mean(loss(scores)), mean_w, {}

    return _step(state, 'G', lrate, loss_of, (labels, z, draws.per_image, changes), options)[0]


def train_iteration(state: TrainingState, reals, labels, z_d, z_g, *, level, alpha, G_lrate,
                    D_lrate, ema_beta, losses=LossConfig(), randomize_noise=False,
                    style_mixing=False, G_labels=None, seed=None, chunks=1,
                    freeze_d=0):
    """D step, moving average, G step, in the reference's order (spec section 7).

    Args:
        reals: [N, r, r, C], [-1, 1], at the current resolution r = 2^(R - level).
        labels: [N, label_size]; G_labels: those of G's step, the same where None.
        z_d, z_g: [N, latent_size], for D's fakes and for G's step.
        level: floor(lod), a Python int; alpha: lod - level, a number or a tensor.
        G_lrate, D_lrate: learning rates; ema_beta: decay of Gs in this iteration.
        seed: a stateless pair for noise, style mixing and penalties; None = the global generator.
        chunks: equal shares of the N images that are computed one after the other, their gradients
            added up: the same iteration in less memory, minibatch-stddev groups apart.
        freeze_d: so many layers of D, from the image on, are not trained (`D.finest_layers`).
    Returns:
        (d_loss, g_loss), means over the minibatch of all replicas, each before its update.
    """
    options = StepOptions(level, alpha, losses, randomize_noise, style_mixing, seed, chunks,
                          freeze_d)
    d_loss = discriminator_step(state, reals, labels, z_d, D_lrate, options)
    state.update_moving_average(ema_beta)
    with tf.control_dependencies([d_loss]):  # G's pass, begun early, would hold memory all along
        g_loss = generator_step(state, labels if G_labels is None else G_labels, z_g, G_lrate,
                                options)
    return d_loss, g_loss
