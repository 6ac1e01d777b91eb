"""Adam in TensorFlow 1's form, as one fused operation a variable, the same on every replica.

Why not Keras' optimizer: under tf.distribute it merges the replicas, which cannot be done inside
the tf.cond that skips an update which is not finite; and its fifteen small operations a variable
are a third of the time of a step in narrow networks.
"""

from __future__ import annotations

import tensorflow as tf

from training.replicas import assign

FIRST_LOSS_SCALE = 2.0 ** 15
LOSS_SCALE_DOUBLES_AFTER = 2000  # finite updates in a row; the value of Micikevicius et al. 2018


class Adam(tf.Module):
    """lr sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon) (Kingma and Ba 2015, section 2).

    With the defaults, which are appendix C's (b1 = 0), it is what the reference's TensorFlow 1
    computes, bit for bit.

    Attributes: learning_rate, float32, of the last update; iterations, int64, updates so far;
    loss_scale, float32: what losses are multiplied with (1, or with float16 a power of two that is
    halved when a gradient overflows and doubled after 2000 that did not).
    """

    def __init__(self, trained, beta_2=0.99, epsilon=1e-8, scaled_loss=False, beta_1=0.0):
        super().__init__()
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.scaled_loss = scaled_loss
        self.learning_rate = tf.Variable(0.0, trainable=False)
        self.iterations = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.loss_scale = tf.Variable(FIRST_LOSS_SCALE if scaled_loss else 1.0, trainable=False)
        self.finite_in_a_row = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.m = [tf.Variable(tf.zeros(v.shape), trainable=False) for v in trained]
        self.v = [tf.Variable(tf.zeros(v.shape), trainable=False) for v in trained]

    @property
    def variables(self):
        """What a reset forgets: the step count and both moments."""
        return [self.iterations, *self.m, *self.v]

    def apply_if_finite(self, gradients, trained, learning_rate):
        """One update, skipped whole if a gradient is not finite. Returns 1.0 if skipped, else 0.0.

        To be called on each replica with the same gradients, those of the whole minibatch.

        Args:
            gradients: of the loss times `loss_scale`, one for each of `trained`; None = 0.
            learning_rate: a number or a scalar tensor.
        """
        assign(self.learning_rate, tf.cast(learning_rate, tf.float32))
        if self.scaled_loss:
            gradients = [None if gradient is None else gradient / self.loss_scale
                         for gradient in gradients]
        # One infinity or NaN makes the sum so. (A sum of x * 0 would be folded into 0 by Grappler.)
        sums = [tf.reduce_sum(gradient) for gradient in gradients if gradient is not None]
        finite = tf.math.is_finite(tf.add_n(sums))

        def update():
            self._update(gradients, trained)
            return 0.0

        skipped = tf.cond(finite, update, lambda: 1.0)
        if self.scaled_loss:
            self._adapt_loss_scale(finite)
        return skipped

    def _update(self, gradients, trained):
        assign(self.iterations, self.iterations + 1)
        step = tf.cast(self.iterations, tf.float32)
        for variable, gradient, m, v in zip(trained, gradients, self.m, self.v):
            if gradient is not None:
                tf.raw_ops.ResourceApplyAdam(
                    var=variable.handle, m=m.handle, v=v.handle,
                    beta1_power=tf.pow(self.beta_1, step), beta2_power=tf.pow(self.beta_2, step),
                    lr=self.learning_rate, beta1=self.beta_1, beta2=self.beta_2,
                    epsilon=self.epsilon, grad=gradient)

    def _adapt_loss_scale(self, finite):
        in_a_row = tf.where(finite, self.finite_in_a_row + 1, 0)
        due = in_a_row >= LOSS_SCALE_DOUBLES_AFTER
        scale = tf.where(due, self.loss_scale * 2, self.loss_scale)
        assign(self.loss_scale, tf.where(finite, scale, tf.maximum(self.loss_scale / 2, 1.0)))
        assign(self.finite_in_a_row, tf.where(due, tf.zeros_like(in_a_row), in_a_row))
