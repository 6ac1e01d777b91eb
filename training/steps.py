"""One training iteration: D's step, the moving average, G's step. The heart of training.

Each of these functions is called on every replica, with that replica's own share of the minibatch.
"""

from __future__ import annotations

import tensorflow as tf

from training.config import LossConfig
from training.layers import weights_prepared_once
from training.losses import discriminator_loss, generator_loss, scores_and_penalty
from training.networks import reached
from training.replicas import mean_over_replicas
from training.seeds import folded_seed, random_uniform
from training.state import TrainingState


def _in_chunks(compute, per_image, chunks):
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


def _step(state, network, optimizer, level, lrate, loss_of, per_image, chunks):
    """One update of `network`. Returns the mean loss over the whole minibatch, before the update.

    Only of the layers that `level` reaches: with beta_1 = 0, Adam leaves a variable whose gradient
    is zero where it is, as the reference's does with the others. (Their second moments, which would
    decay, are reset when lod comes to reach them.)

    loss_of: shares of the images in `per_image` -> (the loss, the mean w of the fakes, {name: what
        else the log wants}), means over those images.
    """
    reaches = reached(network, level)
    variables = [variable for variable, is_reached in zip(network.trainable_variables, reaches)
                 if is_reached]

    def compute(share):
        with tf.GradientTape(watch_accessed_variables=False) as tape, weights_prepared_once():
            tape.watch(variables)
            loss, mean_w, stats = loss_of(*share)
            scaled = loss * optimizer.loss_scale if optimizer.scaled_loss else loss
        # What is reached and yet plays no part gets zeros, as in the reference.
        gradients = tape.gradient(scaled, variables,
                                  unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, mean_w, stats, gradients

    loss, mean_w, stats, gradients = _in_chunks(compute, per_image, chunks)
    state.G.move_average(mean_w)
    loss, stats, gradients = mean_over_replicas((loss, stats, gradients))
    scale = tf.identity(optimizer.loss_scale)
    gradients = iter(gradients)
    gradients = [next(gradients) if is_reached else None for is_reached in reaches]
    skipped = optimizer.apply_if_finite(gradients, network.trainable_variables, lrate)
    part = 'D' if network is state.D else 'G'
    state.add_stats({f'skipped_{part}': skipped})
    # What overflows under a loss scale that can still be halved is no sign of trouble.
    state.add_stats({f'loss_{part}': loss, **stats}, counted=(skipped == 0) | (scale <= 1))
    with tf.control_dependencies([skipped]):  # the loss is there when the update is done
        return tf.identity(loss)


class _Penalty:
    """`scores_and_penalty` under a loss scale, remembering the mean penalty for the log."""

    def __init__(self, loss_scale):
        self.loss_scale, self.mean = loss_scale, tf.zeros([])

    def __call__(self, D, images, level):
        scores, penalty = scores_and_penalty(D, images, level, self.loss_scale)
        self.mean = tf.reduce_mean(penalty)
        return scores, penalty


class _Scores:
    """D at one level, remembering the mean scores of reals and fakes for the log."""

    def __init__(self, D, labels, level, alpha, named_images):
        self.D, self.labels, self.level, self.alpha = D, labels, level, alpha
        self.names = {id(images): name for name, images in named_images.items()}
        self.means = {name: tf.zeros([]) for name in named_images}

    def __call__(self, images):
        scores = self.D.at_level(images, self.labels, self.level, self.alpha)
        if id(images) in self.names:
            self.means[self.names[id(images)]] = tf.reduce_mean(scores)
        return scores


def discriminator_step(state: TrainingState, reals, labels, z, *, level, alpha, lrate, losses,
                       randomize_noise, style_mixing, seed=None, chunks=1):
    """Moves D. Fakes carry the labels of the reals. Returns the mean loss before the update.

    Args:
        reals: [N, r, r, C], [-1, 1], r = 2^(R - level); z: [N, latent_size].
        level, alpha: the halves of lod; alpha and lrate may be tensors.
        seed: a stateless pair; None = the global generator.
        chunks: equal shares of the N images that are computed one after the other.
    """
    reals = tf.convert_to_tensor(reals)
    draws = state.G.training_draws(z.shape[0] or tf.shape(z)[0], level, randomize_noise,
                                   style_mixing, folded_seed(seed, 0))
    mixing = random_uniform([z.shape[0] or tf.shape(z)[0], 1, 1, 1], folded_seed(seed, 1))

    def loss_of(reals, labels, z, mixing, drawn):
        fakes, mean_w = state.G.training_images(z, labels, level, alpha,
                                                draws._replace(per_image=drawn))
        D = _Scores(state.D, labels, level, alpha, {'score_real': reals, 'score_fake': fakes})
        penalty = _Penalty(state.D_opt.loss_scale if state.D_opt.scaled_loss else None)
        loss = tf.reduce_mean(discriminator_loss(losses, D, reals, fakes, level, mixing, penalty))
        return loss, mean_w, {**D.means, 'penalty': penalty.mean}

    return _step(state, state.D, state.D_opt, level, lrate, loss_of,
                 (reals, labels, z, mixing, draws.per_image), chunks)


def generator_step(state: TrainingState, labels, z, *, level, alpha, lrate, losses, randomize_noise,
                   style_mixing, seed=None, chunks=1):
    """Moves G. Arguments as in `discriminator_step`; returns the mean loss before the update."""
    draws = state.G.training_draws(z.shape[0] or tf.shape(z)[0], level, randomize_noise,
                                   style_mixing, folded_seed(seed, 2))

    def loss_of(labels, z, drawn):
        fakes, mean_w = state.G.training_images(z, labels, level, alpha,
                                                draws._replace(per_image=drawn))
        scores = state.D.at_level(fakes, labels, level, alpha)
        return tf.reduce_mean(generator_loss(losses, scores)), mean_w, {}

    return _step(state, state.G, state.G_opt, level, lrate, loss_of,
                 (labels, z, draws.per_image), chunks)


def train_iteration(state: TrainingState, reals, labels, z_d, z_g, *, level, alpha, G_lrate,
                    D_lrate, ema_beta, losses=LossConfig(), randomize_noise=False,
                    style_mixing=False, G_labels=None, seed=None, chunks=1):
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
    Returns:
        (d_loss, g_loss), means over the minibatch of all replicas, each before its update.
    """
    options = {'level': level, 'alpha': alpha, 'losses': losses, 'seed': seed, 'chunks': chunks,
               'randomize_noise': randomize_noise, 'style_mixing': style_mixing}
    d_loss = discriminator_step(state, reals, labels, z_d, lrate=D_lrate, **options)
    state.update_moving_average(ema_beta)
    with tf.control_dependencies([d_loss]):  # G's pass, begun early, would hold memory all along
        g_loss = generator_step(state, labels if G_labels is None else G_labels, z_g,
                                lrate=G_lrate, **options)
    return d_loss, g_loss
