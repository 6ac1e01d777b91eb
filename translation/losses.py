"""StarGAN v2's losses: functions of the networks and a batch -> named scalars.

Means over the batch; distances between images or styles are means over all elements. `state` is
whatever has .G .F .E .D and .config. Source: Choi et al. 2020, section 2.2.
"""

from __future__ import annotations

import tensorflow as tf

from training.losses import scores_and_penalty

GUIDES = ('latent', 'reference')   # where a style comes from: F(z), or E(another image)


def lambda_ds_at(iteration, config):
    """Weight of the diversity in `iteration` (from 0; a number or a tensor), float32 []."""
    share = tf.cast(iteration, tf.float64) / config.ds_iter
    return tf.cast(tf.maximum(config.lambda_ds * (1 - share), 0), tf.float32)


def _style(state, batch, guide, second=False):
    """The style to translate into, [N, style_dim]; `second`: of the other latent or reference."""
    if guide not in GUIDES:
        raise ValueError(f'guide must be one of {GUIDES}; received {guide!r}.')
    if guide == 'latent':
        return state.F(batch.z_trg2 if second else batch.z_trg, batch.y_trg)
    return state.E(batch.x_ref2 if second else batch.x_ref, batch.y_trg)


def _mean_distance(a, b):
    return tf.reduce_mean(tf.abs(a - b))


def d_loss(state, batch, guide, masks=None, loss_scale=None):
    """What D is to make small: {'real', 'fake', 'reg', 'total'}.

    Args:
        batch: of the fields of steps.Batch.
        guide: 'latent' or 'reference'.
        masks: those of x_real, as G takes them.
        loss_scale: as for `scores_and_penalty`.
    """
    fakes = tf.stop_gradient(state.G(batch.x_real, _style(state, batch, guide), masks))
    real_scores, norm2 = scores_and_penalty(lambda images: state.D(images, batch.y_org),
                                            batch.x_real, 0, loss_scale)
    parts = {'real': tf.reduce_mean(tf.nn.softplus(-real_scores)),
             'fake': tf.reduce_mean(tf.nn.softplus(state.D(fakes, batch.y_trg))),
             'reg': tf.reduce_mean(norm2) / 2}
    return {**parts, 'total': parts['real'] + parts['fake']
            + state.config.lambda_reg * parts['reg']}


def g_loss(state, batch, guide, lambda_ds, masks=None, mask_fn=None):
    """What G, F and E are to make small: {'adv', 'sty', 'ds', 'cyc', 'total'}.

    Args:
        batch, guide, masks: as for `d_loss`.
        lambda_ds: weight of the diversity, a number or a scalar tensor.
        mask_fn: images -> masks, for the fakes; given where `masks` are.
    """
    if (masks is None) != (mask_fn is None):
        raise ValueError('masks and mask_fn must be given both or neither; received only '
                         f'{"mask_fn" if masks is None else "masks"}.')
    G, E, D, config = state.G, state.E, state.D, state.config
    style = _style(state, batch, guide)
    fakes = G(batch.x_real, style, masks)
    others = tf.stop_gradient(G(batch.x_real, _style(state, batch, guide, second=True), masks))
    fake_masks = None if mask_fn is None else tf.nest.map_structure(tf.stop_gradient,
                                                                    mask_fn(fakes))
    cycled = G(fakes, E(batch.x_real, batch.y_org), fake_masks)
    parts = {'adv': tf.reduce_mean(tf.nn.softplus(-D(fakes, batch.y_trg))),
             'sty': _mean_distance(E(fakes, batch.y_trg), style),
             'ds': _mean_distance(fakes, others),
             'cyc': _mean_distance(cycled, batch.x_real)}
    return {**parts, 'total': parts['adv'] + config.lambda_sty * parts['sty']
            - lambda_ds * parts['ds'] + config.lambda_cyc * parts['cyc']}
