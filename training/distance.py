"""How far the moving average Gs is from G."""

from __future__ import annotations

import tensorflow as tf

from training.layers import trained_variables


def compiled_distance(G, Gs):
    """A compiled function () -> |G - Gs| / |G|, over all that is trained; 0 = the same."""
    def squared_norm(tensors):
        return tf.add_n([tf.reduce_sum(tf.square(tensor)) for tensor in tensors])

    def distance():
        pairs = list(zip(trained_variables(G), trained_variables(Gs)))
        return tf.sqrt(squared_norm([source - target for source, target in pairs])
                       / squared_norm([source for source, _ in pairs]))

    return tf.function(distance, autograph=False)
