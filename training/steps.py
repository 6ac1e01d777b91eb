"""One training iteration: D's step, the moving average, G's step. The heart of training."""

from __future__ import annotations

import tensorflow as tf

from training.config import LossConfig
from training.losses import discriminator_loss, generator_loss
from training.seeds import folded_seed, random_uniform
from training.state import TrainingState


def _apply_if_finite(optimizer, learning_rate, tape, loss, network):
    """One optimizer step, skipped whole if a gradient is not finite. Returns 1.0 if skipped."""
    variables = network.trainable_variables
    # Layers that this level does not reach get zeros, as in the reference.
    gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # x * 0 is 0 for every finite x, and NaN otherwise: one sum tells, and cannot overflow.
    finite = tf.math.is_finite(tf.add_n([tf.reduce_sum(g * 0) for g in gradients]))
    optimizer.learning_rate.assign(learning_rate)

    def apply():
        optimizer.apply_gradients(zip(gradients, variables))
        return 0.0

    return tf.cond(finite, apply, lambda: 1.0)


class _Scores:
    """D at one level, remembering the mean scores of reals and fakes for the log."""

    def __init__(self, D, labels, level, alpha, named_images):
        self.D, self.labels, self.level, self.alpha = D, labels, level, alpha
        self.names = {id(images): name for name, images in named_images.items()}
        self.means = {}

    def __call__(self, images):
        scores = self.D.at_level(images, self.labels, self.level, self.alpha)
        if id(images) in self.names:
            self.means[self.names[id(images)]] = tf.reduce_mean(scores)
        return scores


def discriminator_step(state: TrainingState, reals, labels, z, *, level, alpha, lrate, losses,
                       randomize_noise, style_mixing, seed=None):
    """Moves D. Fakes carry the labels of the reals. Returns the mean loss before the update.

    Args:
        reals: [N, r, r, C], [-1, 1], r = 2^(R - level); z: [N, latent_size].
        level, alpha: the halves of lod; alpha and lrate may be tensors.
        seed: a stateless pair; None = the global generator.
    """
    with tf.GradientTape() as tape:
        fakes = tf.stop_gradient(state.G.training_images(z, labels, level, alpha, randomize_noise,
                                                         style_mixing, folded_seed(seed, 0)))
        D = _Scores(state.D, labels, level, alpha, {'score_real': reals, 'score_fake': fakes})
        mixing = random_uniform([tf.shape(reals)[0], 1, 1, 1], folded_seed(seed, 1))
        loss = tf.reduce_mean(discriminator_loss(losses, D, reals, fakes, level, mixing))
    skipped = _apply_if_finite(state.D_opt, lrate, tape, loss, state.D)
    state.add_stats(loss_D=loss, skipped_D=skipped, **D.means)
    return loss


def generator_step(state: TrainingState, labels, z, *, level, alpha, lrate, losses, randomize_noise,
                   style_mixing, seed=None):
    """Moves G. Arguments as in `discriminator_step`; returns the mean loss before the update."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(state.G.trainable_variables)
        fakes = state.G.training_images(z, labels, level, alpha, randomize_noise, style_mixing,
                                        folded_seed(seed, 2))
        scores = state.D.at_level(fakes, labels, level, alpha)
        loss = tf.reduce_mean(generator_loss(losses, scores))
    skipped = _apply_if_finite(state.G_opt, lrate, tape, loss, state.G)
    state.add_stats(loss_G=loss, skipped_G=skipped)
    return loss


def train_iteration(state: TrainingState, reals, labels, z_d, z_g, *, level, alpha, G_lrate,
                    D_lrate, ema_beta, losses=LossConfig(), randomize_noise=False,
                    style_mixing=False, G_labels=None, seed=None):
    """D step, moving average, G step, in the reference's order (spec section 7).

    Args:
        reals: [N, r, r, C], [-1, 1], at the current resolution r = 2^(R - level).
        labels: [N, label_size]; G_labels: those of G's step, the same where None.
        z_d, z_g: [N, latent_size], for D's fakes and for G's step.
        level: floor(lod), a Python int; alpha: lod - level, a number or a tensor.
        G_lrate, D_lrate: learning rates; ema_beta: decay of Gs in this iteration.
        seed: a stateless pair for noise, style mixing and penalties; None = the global generator.
    Returns:
        (d_loss, g_loss), means over the minibatch, each before its update.
    """
    options = {'level': level, 'alpha': alpha, 'losses': losses, 'seed': seed,
               'randomize_noise': randomize_noise, 'style_mixing': style_mixing}
    d_loss = discriminator_step(state, reals, labels, z_d, lrate=D_lrate, **options)
    state.update_moving_average(ema_beta)
    g_loss = generator_step(state, labels if G_labels is None else G_labels, z_g, lrate=G_lrate,
                            **options)
    return d_loss, g_loss
