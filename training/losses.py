"""Every loss of the paper: functions of scores, images and callables -> per-sample loss [N, 1].

`D` is a callable, images [N, r, r, C] -> scores [N, 1] in float32 (labels already bound). Gradient
penalties are those of the *full-resolution* image, whose pixels are 2^level x 2^level copies of
those that the networks see: the reference's convention. Its squared gradient norm is that of the
image at hand divided by 4^level.
Sources: Goodfellow et al. 2014 (logistic), Mescheder et al. 2018 (R1, R2), Arjovsky et al. 2017
and Gulrajani et al. 2017 (WGAN, WGAN-GP), Karras et al. 2017 (drift term), hinge: Lim & Ye 2017.
"""

from __future__ import annotations

import tensorflow as tf

from training.config import LossConfig
from training.layers import lerp


def G_logistic_nonsaturating(fake_scores):
    """-log(sigmoid(D(G(z)))), [N, 1]."""
    return tf.nn.softplus(-fake_scores)


def G_logistic_saturating(fake_scores):
    """log(1 - sigmoid(D(G(z)))), [N, 1]."""
    return -tf.nn.softplus(fake_scores)


def G_wgan(fake_scores):
    """-D(G(z)), [N, 1]."""
    return -fake_scores


def scores_and_penalty(D, images, level, loss_scale=None):
    """Scores [N, 1] of `images`, and the squared norm [N, 1] of their full-resolution gradient.

    loss_scale: what scores are multiplied with before, and gradients divided by after
        differentiation, so that float16 does not lose them; None = 1.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = D(images)
        total = tf.reduce_sum(scores) * (1 if loss_scale is None else loss_scale)
    gradients = tape.gradient(total, images)
    if loss_scale is not None:
        gradients /= loss_scale
    norm2 = tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])[:, tf.newaxis]
    return scores, norm2 / 4 ** level


def D_logistic(D, reals, fakes, level=0):
    """-log(1 - sigmoid(D(G(z)))) - log(sigmoid(D(x))), [N, 1]."""
    del level
    return tf.nn.softplus(D(fakes)) + tf.nn.softplus(-D(reals))


def D_logistic_simplegp(D, reals, fakes, level=0, r1_gamma=10.0, r2_gamma=0.0,
                        penalty_of=scores_and_penalty):
    """D_logistic with the penalties r1_gamma / 2 |dD/dx|^2 on reals and r2_gamma / 2 on fakes."""
    loss = 0.0
    for images, sign, gamma in ((fakes, 1, r2_gamma), (reals, -1, r1_gamma)):
        if gamma:
            scores, penalty = penalty_of(D, images, level)
            loss += penalty * (gamma * 0.5)
        else:
            scores = D(images)
        loss += tf.nn.softplus(sign * scores)
    return loss


def D_wgan(D, reals, fakes, level=0, wgan_epsilon=0.001):
    """D(G(z)) - D(x) + wgan_epsilon D(x)^2, [N, 1]."""
    del level
    real_scores = D(reals)
    return D(fakes) - real_scores + wgan_epsilon * tf.square(real_scores)


def D_hinge(D, reals, fakes, level=0):
    """max(0, 1 + D(G(z))) + max(0, 1 - D(x)), [N, 1]."""
    del level
    return tf.nn.relu(1 + D(fakes)) + tf.nn.relu(1 - D(reals))


def mixing_penalty(D, reals, fakes, level, mixing, wgan_lambda=10.0, wgan_target=1.0,
                   penalty_of=scores_and_penalty):
    """wgan_lambda (|gradient| - target)^2 / target^2 between reals and fakes, [N, 1].

    mixing: [N, 1, 1, 1], uniform in [0, 1): where on the line from real to fake.
    """
    mixed = lerp(reals, tf.cast(fakes, reals.dtype), mixing)
    _, norm2 = penalty_of(D, mixed, level)
    return tf.square(tf.sqrt(norm2) - wgan_target) * (wgan_lambda / wgan_target ** 2)


def D_wgan_gp(D, reals, fakes, level=0, mixing=None, wgan_lambda=10.0, wgan_epsilon=0.001,
              wgan_target=1.0, penalty_of=scores_and_penalty):
    """D_wgan with the gradient penalty between reals and fakes, [N, 1]. mixing: see there."""
    return (D_wgan(D, reals, fakes, wgan_epsilon=wgan_epsilon)
            + mixing_penalty(D, reals, fakes, level, mixing, wgan_lambda, wgan_target,
                             penalty_of))


def D_hinge_gp(D, reals, fakes, level=0, mixing=None, wgan_lambda=10.0, wgan_target=1.0,
               penalty_of=scores_and_penalty):
    """D_hinge with the gradient penalty between reals and fakes, [N, 1]."""
    return (D_hinge(D, reals, fakes)
            + mixing_penalty(D, reals, fakes, level, mixing, wgan_lambda, wgan_target,
                             penalty_of))


def generator_loss(config: LossConfig, fake_scores):
    """The loss that `config` names, [N, 1]."""
    return {'G_logistic_nonsaturating': G_logistic_nonsaturating,
            'G_logistic_saturating': G_logistic_saturating,
            'G_wgan': G_wgan}[config.G_loss](fake_scores)


def discriminator_loss(config: LossConfig, D, reals, fakes, level, mixing,
                       penalty_of=scores_and_penalty):
    """The loss that `config` names, [N, 1].

    Args:
        mixing: [N, 1, 1, 1], uniform in [0, 1), for D_wgan_gp and D_hinge_gp.
        penalty_of: (D, images, level) -> what `scores_and_penalty` returns.
    """
    gp = {'wgan_lambda': config.wgan_lambda, 'wgan_target': config.wgan_target,
          'penalty_of': penalty_of}
    epsilon = config.wgan_epsilon
    losses = {
        'D_logistic': lambda: D_logistic(D, reals, fakes),
        'D_logistic_simplegp': lambda: D_logistic_simplegp(D, reals, fakes, level, config.r1_gamma,
                                                           config.r2_gamma, penalty_of),
        'D_wgan': lambda: D_wgan(D, reals, fakes, wgan_epsilon=epsilon),
        'D_wgan_gp': lambda: D_wgan_gp(D, reals, fakes, level, mixing, wgan_epsilon=epsilon, **gp),
        'D_hinge': lambda: D_hinge(D, reals, fakes),
        'D_hinge_gp': lambda: D_hinge_gp(D, reals, fakes, level, mixing, **gp)}
    return losses[config.D_loss]()
