"""Adam in PyTorch's form, with weight decay that is part of the gradient."""

from __future__ import annotations

import tensorflow as tf

from training.adam import Adam
from training.replicas import assign


class DecayedAdam(Adam):
    """lr * (m / (1 - b1^t)) / (sqrt(v) / sqrt(1 - b2^t) + epsilon), of gradient + decay * weight.

    Every trained variable decays, biases and norms too. (Keras' weight_decay is another: there the
    moments do not see it.)
    """

    def __init__(self, trained, beta_1=0.0, beta_2=0.99, epsilon=1e-8, weight_decay=0.0,
                 scaled_loss=False):
        super().__init__(trained, beta_2, epsilon, scaled_loss, beta_1)
        self.weight_decay = weight_decay

    def _update(self, gradients, trained):
        assign(self.iterations, self.iterations + 1)
        step = tf.cast(self.iterations, tf.float32)
        beta_2_power = tf.pow(self.beta_2, step)
        # TensorFlow's epsilon is added before the correction of v.
        epsilon = self.epsilon * tf.sqrt(1 - beta_2_power)
        for variable, gradient, m, v in zip(trained, gradients, self.m, self.v):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=m.handle, v=v.handle,
                beta1_power=tf.pow(self.beta_1, step), beta2_power=beta_2_power,
                lr=self.learning_rate, beta1=self.beta_1, beta2=self.beta_2, epsilon=epsilon,
                grad=gradient + self.weight_decay * variable)
