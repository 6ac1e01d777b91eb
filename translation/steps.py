"""One iteration of StarGAN v2: two steps of D, two of G, the averages.

Each function is called on every replica, with that replica's own share of the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from training.layers import trained_variables
from training.prepared import weights_prepared_once
from training.replicas import assign, mean_over_replicas
from training.steps import in_chunks
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


def _step(state, parts, loss_of, per_image, chunks):
    """One update of the networks `parts`, the first of which owns the scale of the loss.

    Args:
        loss_of: a share of `per_image` -> {'total': loss, ...}, means over its images.
        per_image: (Batch, masks), of this replica.
        chunks: equal shares that are computed one after the other.
    Returns:
        What `loss_of` does, from before the update, over the whole batch.
    """
    networks = [getattr(state, part) for part in parts]
    optimizers = [getattr(state, f'{part}_opt') for part in parts]
    variables = [trained_variables(network) for network in networks]
    scale = tf.identity(optimizers[0].loss_scale)

    def compute(share):
        with tf.GradientTape(watch_accessed_variables=False) as tape, weights_prepared_once():
            tape.watch(variables)
            losses = loss_of(*share)
            scaled = losses['total'] * scale if optimizers[0].scaled_loss else losses['total']
        return losses, tape.gradient(scaled, variables)

    losses, gradients = mean_over_replicas(in_chunks(compute, per_image, chunks))
    done = []
    for part, optimizer, trained, own in zip(parts, optimizers, variables, gradients):
        if optimizers[0].scaled_loss and not optimizer.scaled_loss:
            own = [gradient / scale for gradient in own]
        rate = state.config.f_lr if part == 'F' else state.config.lr
        done.append(optimizer.apply_if_finite(own, trained, rate))
    state.add_stats({f'skipped_{parts[0]}': done[0]})
    with tf.control_dependencies(done):  # a loss is there when the update is done
        return {name: tf.identity(loss) for name, loss in losses.items()}


def discriminator_step(state: TranslationState, batch: Batch, guide, masks=None, chunks=1):
    """Moves D. Returns what `d_loss` does, from before the update."""
    loss_scale = state.D_opt.loss_scale if state.D_opt.scaled_loss else None
    return _step(state, ('D',), lambda batch, masks: d_loss(state, batch, guide, masks, loss_scale),
                 (batch, masks), chunks)


def generator_step(state: TranslationState, batch: Batch, guide, lambda_ds, masks=None,
                   mask_fn=None, chunks=1):
    """Moves G, and guided by latents F and E too. Returns what `g_loss` does, from before."""
    parts = ('G', 'F', 'E') if guide == 'latent' else ('G',)  # the authors mean it so
    return _step(state, parts,
                 lambda batch, masks: g_loss(state, batch, guide, lambda_ds, masks, mask_fn),
                 (batch, masks), chunks)


def train_iteration(state: TranslationState, batch: Batch, mask_fn=None, chunks=1):
    """Four steps, each from the weights that the one before left; the averages; iteration + 1.

    Args:
        mask_fn: images [N, H, W, 3] -> a pair of masks [N, h, w, 1], [0, 1]; not used without
            w_hpf. None = no masks.
        chunks: equal shares of the batch that are computed one after the other, their gradients
            added up: the same iteration in less memory.
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
            ('D', lambda guide: discriminator_step(state, batch, guide, masks, chunks)),
            ('G', lambda guide: generator_step(state, batch, guide, lambda_ds, masks, mask_fn,
                                                chunks))):
        for guide in GUIDES:
            with tf.control_dependencies(before):  # begun early, it would hold memory all along
                parts = step(guide)
            before = [parts.pop('total')]
            prefix = f'{network}/{"ref" if guide == "reference" else guide}'
            log.update({f'{prefix}_{part}': value for part, value in parts.items()})
    state.add_stats(log)
    state.update_moving_averages(state.config.ema_beta)
    assign(state.iteration, state.iteration + 1)
    return log
