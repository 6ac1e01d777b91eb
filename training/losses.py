"""Every loss of the paper: small objects that return the loss and what the log wants beside it.

The losses of D are frozen dataclasses whose fields are their weights, named as in `LossConfig`:
(D, reals, fakes, inputs) -> (loss [N, 1], {name: [N, 1]}). The names are score_real, score_fake
and, where there is a gradient penalty, penalty: the squared gradient norm. Those of G have no
weights: functions of scores. A new loss is one class (or function) and one row in the table below
it; config.py, which knows no TensorFlow, lists the names.

`D` is a callable, images [N, r, r, C] -> scores [N, 1] in float32 (labels already bound). Gradient
penalties are those of the *full-resolution* image, whose pixels are 2^level x 2^level copies of
those that the networks see: the reference's convention. Its squared gradient norm is that of the
image at hand divided by 4^level.
Sources: Goodfellow et al. 2014 (logistic), Mescheder et al. 2018 (R1, R2), Arjovsky et al. 2017
and Gulrajani et al. 2017 (WGAN, WGAN-GP), Karras et al. 2017 (drift term), hinge: Lim & Ye 2017.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

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


G_LOSSES = {loss.__name__: loss
            for loss in (G_logistic_nonsaturating, G_logistic_saturating, G_wgan)}


class PenaltyInputs(NamedTuple):
    """What a gradient penalty has to know beside the images."""
    level: int = 0          # floor(lod) of the images
    mixing: Any = None      # [N, 1, 1, 1], uniform in [0, 1): where on the line from real to fake
    loss_scale: Any = None  # scores are multiplied with it before differentiation, gradients are
    # divided by it afterwards, so that float16 does not lose them; None = 1


def scores_and_penalty(D, images, level, loss_scale=None):
    """Scores [N, 1] of `images`, and the squared norm [N, 1] of their full-resolution gradient.

    level, loss_scale: as in `PenaltyInputs`.
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


@dataclass(frozen=True)
class Logistic:
    """-log(1 - sigmoid(D(G(z)))) - log(sigmoid(D(x)))."""

    def __call__(self, D, reals, fakes, inputs):
        fake_scores, real_scores = D(fakes), D(reals)
        return (tf.nn.softplus(fake_scores) + tf.nn.softplus(-real_scores),
                {'score_real': real_scores, 'score_fake': fake_scores})


@dataclass(frozen=True)
class LogisticSimpleGP:
    """`Logistic` with the penalties r1_gamma / 2 |dD/dx|^2 on reals and r2_gamma / 2 on fakes.

    Where both are on, the logged penalty is that on reals.
    """
    r1_gamma: float = 10.0
    r2_gamma: float = 0.0

    def __call__(self, D, reals, fakes, inputs):
        loss, stats = 0.0, {}
        for name, images, sign, gamma in (('score_fake', fakes, 1, self.r2_gamma),
                                          ('score_real', reals, -1, self.r1_gamma)):
            if gamma:
                scores, penalty = scores_and_penalty(D, images, inputs.level, inputs.loss_scale)
                loss += penalty * (gamma * 0.5)
                stats['penalty'] = penalty
            else:
                scores = D(images)
            loss += tf.nn.softplus(sign * scores)
            stats[name] = scores
        return loss, stats


@dataclass(frozen=True)
class Wgan:
    """D(G(z)) - D(x) + wgan_epsilon D(x)^2."""
    wgan_epsilon: float = 0.001

    def __call__(self, D, reals, fakes, inputs):
        real_scores, fake_scores = D(reals), D(fakes)
        return (fake_scores - real_scores + self.wgan_epsilon * tf.square(real_scores),
                {'score_real': real_scores, 'score_fake': fake_scores})


@dataclass(frozen=True)
class Hinge:
    """max(0, 1 + D(G(z))) + max(0, 1 - D(x))."""

    def __call__(self, D, reals, fakes, inputs):
        fake_scores, real_scores = D(fakes), D(reals)
        return (tf.nn.relu(1 + fake_scores) + tf.nn.relu(1 - real_scores),
                {'score_real': real_scores, 'score_fake': fake_scores})


def _with_mixing_penalty(judged, weights, D, reals, fakes, inputs):
    """Adds wgan_lambda (|gradient| - target)^2 / target^2 between reals and fakes.

    Args:
        judged: (loss, statistics) without it.
        weights: has wgan_lambda and wgan_target.
    """
    loss, stats = judged
    mixed = lerp(reals, tf.cast(fakes, reals.dtype), inputs.mixing)
    _, norm2 = scores_and_penalty(D, mixed, inputs.level, inputs.loss_scale)
    target = weights.wgan_target
    loss += tf.square(tf.sqrt(norm2) - target) * (weights.wgan_lambda / target ** 2)
    return loss, {**stats, 'penalty': norm2}


@dataclass(frozen=True)
class WganGP:
    """`Wgan` with the gradient penalty between reals and fakes."""
    wgan_lambda: float = 10.0
    wgan_epsilon: float = 0.001
    wgan_target: float = 1.0

    def __call__(self, D, reals, fakes, inputs):
        judged = Wgan(self.wgan_epsilon)(D, reals, fakes, inputs)
        return _with_mixing_penalty(judged, self, D, reals, fakes, inputs)


@dataclass(frozen=True)
class HingeGP:
    """`Hinge` with the gradient penalty between reals and fakes."""
    wgan_lambda: float = 10.0
    wgan_target: float = 1.0

    def __call__(self, D, reals, fakes, inputs):
        return _with_mixing_penalty(Hinge()(D, reals, fakes, inputs), self, D, reals, fakes, inputs)


D_LOSSES = {'D_logistic': Logistic, 'D_logistic_simplegp': LogisticSimpleGP, 'D_wgan': Wgan,
            'D_wgan_gp': WganGP, 'D_hinge': Hinge, 'D_hinge_gp': HingeGP}


def discriminator_loss(config: LossConfig):
    """The loss of D that `config` names, with its weights."""
    loss_class = D_LOSSES[config.D_loss]
    return loss_class(*(getattr(config, weight.name) for weight in dataclasses.fields(loss_class)))


# The same as functions, under the spec's names: -> loss [N, 1].

def D_logistic(D, reals, fakes, level=0):
    """See `Logistic`."""
    return Logistic()(D, reals, fakes, PenaltyInputs(level))[0]


def D_logistic_simplegp(D, reals, fakes, level=0, r1_gamma=10.0, r2_gamma=0.0):
    """See `LogisticSimpleGP`."""
    return LogisticSimpleGP(r1_gamma, r2_gamma)(D, reals, fakes, PenaltyInputs(level))[0]


def D_wgan(D, reals, fakes, level=0, wgan_epsilon=0.001):
    """See `Wgan`."""
    return Wgan(wgan_epsilon)(D, reals, fakes, PenaltyInputs(level))[0]


def D_wgan_gp(D, reals, fakes, level=0, mixing=None, wgan_lambda=10.0, wgan_epsilon=0.001,
              wgan_target=1.0):
    """See `WganGP`; mixing as in `PenaltyInputs`."""
    loss = WganGP(wgan_lambda, wgan_epsilon, wgan_target)
    return loss(D, reals, fakes, PenaltyInputs(level, mixing))[0]


def D_hinge(D, reals, fakes, level=0):
    """See `Hinge`."""
    return Hinge()(D, reals, fakes, PenaltyInputs(level))[0]


def D_hinge_gp(D, reals, fakes, level=0, mixing=None, wgan_lambda=10.0, wgan_target=1.0):
    """See `HingeGP`; mixing as in `PenaltyInputs`."""
    return HingeGP(wgan_lambda, wgan_target)(D, reals, fakes, PenaltyInputs(level, mixing))[0]
