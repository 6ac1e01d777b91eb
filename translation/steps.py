"""One iteration of StarGAN v2: two steps of D, two of G, the averages.

Each function is called on every replica, with that replica's own share of the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from training.layers import trained_variables
from training.prepared import weights_prepared_once
from training.replicas import assign, mean_over_replicas
from translation.losses import GUIDES, d_loss, g_loss, lambda_ds_at
from translation.state import TranslationState


class Batch(NamedTuple):
    """What one iteration is shown."""
    x_real: Any     # [N, H, W, 3], [-1, 1]: what is translated
    y_org: Any      # int [N]: its domains
    y_trg: Any      # int [N]: the domains to translate into
    x_ref: Any      # [N, H, W, 3], [-1, 1]: images of y_trg
    x_ref2: Any     # [N, H, W, 3], [-1, 1]: other ones
    z_trg: Any      # [N, latent_dim] ~ N(0, 1)
    z_trg2: Any     # [N, latent_dim] ~ N(0, 1)


def _step(state, parts, loss_of):
    """One update of the networks `parts`, the first of which owns the scale of the loss.

    loss_of: () -> {'total': loss, ...}, means over this replica's images.
    Returns what `loss_of` does, from before the update, over the whole batch.
    """
    networks = [getattr(state, part) for part in parts]
    optimizers = [getattr(state, f'{part}_opt') for part in parts]
    variables = [trained_variables(network) for network in networks]
    scale = tf.identity(optimizers[0].loss_scale)
    with tf.GradientTape(watch_accessed_variables=False) as tape, weights_prepared_once():
        tape.watch(variables)
        losses = loss_of()
        scaled = losses['total'] * scale if optimizers[0].scaled_loss else losses['total']
    gradients = tape.gradient(scaled, variables)
    losses, gradients = mean_over_replicas((losses, gradients))
    done = []
    for part, optimizer, trained, own in zip(parts, optimizers, variables, gradients):
        if optimizers[0].scaled_loss and not optimizer.scaled_loss:
            own = [gradient / scale for gradient in own]
        rate = state.config.f_lr if part == 'F' else state.config.lr
        done.append(optimizer.apply_if_finite(own, trained, rate))
    with tf.control_dependencies(done):  # a loss is there when the update is done
        return {name: tf.identity(loss) for name, loss in losses.items()}


def discriminator_step(state: TranslationState, batch: Batch, guide, masks=None):
    """Moves D. Returns what `d_loss` does, from before the update."""
    loss_scale = state.D_opt.loss_scale if state.D_opt.scaled_loss else None
    return _step(state, ('D',), lambda: d_loss(state, batch, guide, masks, loss_scale))


def generator_step(state: TranslationState, batch: Batch, guide, lambda_ds, masks=None,
                   mask_fn=None):
    """Moves G, and guided by latents F and E too. Returns what `g_loss` does, from before."""
    parts = ('G', 'F', 'E') if guide == 'latent' else ('G',)  # the authors mean it so
    return _step(state, parts, lambda: g_loss(state, batch, guide, lambda_ds, masks, mask_fn))


def train_iteration(state: TranslationState, batch: Batch, mask_fn=None):
    """Four steps, each from the weights that the one before left; the averages; iteration + 1.

    Args:
        mask_fn: images [N, H, W, 3] -> a pair of masks [N, h, w, 1], [0, 1]; not used without
            w_hpf. None = no masks.
    Returns:
        {'D/latent_real': ..., 'G/ref_cyc': ..., 'G/lambda_ds': ...}: scalars, means over the batch
        of all replicas, each from before its update.
    """
    mask_fn = mask_fn if state.config.w_hpf else None
    batch = Batch(*map(tf.convert_to_tensor, batch))
    masks = None if mask_fn is None else tf.nest.map_structure(tf.stop_gradient,
                                                               mask_fn(batch.x_real))
    lambda_ds = lambda_ds_at(state.iteration, state.config)
    log, before = {'G/lambda_ds': lambda_ds}, []
    for network, step in (
            ('D', lambda guide: discriminator_step(state, batch, guide, masks)),
            ('G', lambda guide: generator_step(state, batch, guide, lambda_ds, masks, mask_fn))):
        for guide in GUIDES:
            with tf.control_dependencies(before):  # begun early, it would hold memory all along
                parts = step(guide)
            before = [parts.pop('total')]
            prefix = f'{network}/{"ref" if guide == "reference" else guide}'
            log.update({f'{prefix}_{part}': value for part, value in parts.items()})
    state.update_moving_averages(state.config.ema_beta)
    assign(state.iteration, state.iteration + 1)
    return log
