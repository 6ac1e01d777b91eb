"""What train.py says of a run before it starts."""

from __future__ import annotations

import dataclasses
import math

from training import surgery
from training.build import build_network
from training.config import flag_name
from training.config_json import changed_options, flat_options
from training.layers import named_variables, shapes_only
from training.schedule import training_schedule
from training.summary import count_parameters

INDENT = ' ' * 12
MIRROR_LINES = (
    f'{INDENT}(--mirror_augment would flip images left to right at random: more data of faces,',
    f'{INDENT}animals or scenes; it would ruin text, digits and logos)')
FEW_IMAGES = 2000  # with fewer, D soon learns them by heart
FEW_LINES = (
    f'{INDENT}(few images, and no augmentation: D will learn them by heart, and G get worse;',
    f'{INDENT}--aug=ada helps, and so do the weights of similar images: --resume=NETWORK_FILE)')
AUGMENT_FLAGS = {'augment': '--aug', **{f'augment.{field}': f'--aug_{field}'
                                        for field in ('p', 'target', 'pipe')}}


def _table(rows):
    """Lines of columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [INDENT + '  '.join(f'{cell:{width}}' for cell, width in zip(row, widths)).rstrip()
            for row in rows]


def _flag_text(value):
    """A value as its flag takes it: 8:256,16:128 or 1,2,1 or none."""
    if isinstance(value, tuple):
        return ','.join(':'.join(f'{number:g}' for number in (
            item if isinstance(item, tuple) else (item,))) for item in value) or 'nothing'
    if isinstance(value, float):
        return f'{value:g}'
    return 'none' if value is None else str(value)


def _differences(config, standard):
    """[(option, its value, that of `standard`)], as flags; what G and D share is one row."""
    ours, theirs = flat_options(config), flat_options(standard)

    def values(name):
        return tuple(_flag_text(flat[name]) if name in flat else '-' for flat in (ours, theirs))

    rows = {}
    for name in changed_options(standard, config):
        if name in AUGMENT_FLAGS:
            rows[AUGMENT_FLAGS[name]] = values(name)
            continue
        part, _, field = name.rpartition('.')
        twin = {'G': f'D.{field}', 'D': f'G.{field}'}.get(part)
        is_own = twin in {**ours, **theirs} and values(twin) != values(name)
        rows[name if is_own else f'--{flag_name(field)}'] = values(name)
    return [(label, *pair) for label, pair in rows.items()]


def options_lines(config, preset, standard, given):
    """What differs from the RunConfig `standard` that the preset of that name alone would give.

    Where the preset alone does not fit the data (`standard` is None): {option: value} of `given`.
    """
    if standard is None:
        rows = [(f'--{flag_name(name)}', _flag_text(value)) for name, value in given.items()]
    else:
        rows = [(label, ours, f'(preset: {theirs})')
                for label, ours, theirs in _differences(config, standard)]
    return [f'Options:    those of --preset={preset}{", but" if rows else ""}', *_table(rows)]


def networks_line(config):
    """How large G and D are, and how wide at the finest level."""
    sizes = []
    for name, network_config in (('G', config.G), ('D', config.D)):
        with shapes_only():
            sizes.append(f'{name} {count_parameters(build_network(network_config)):,}')
    G, size = config.G, config.G.resolution
    channels = G.nf(G.resolution_log2 - 1)
    line = (f'Networks:   {", ".join(sizes)} parameters; finest level {size}x{size}: {channels} '
            'channels')
    if channels == G.fmap_max:
        return line
    first = next(2 ** r for r in range(2, G.resolution_log2 + 1) if G.nf(r - 1) < G.fmap_max)
    return (f'{line} of at most {G.fmap_max} (--fmap_base={G.fmap_base} gives fewer from '
            f'{first}x{first} on)')


def schedule_lines(config):
    """A row for each resolution: when it begins to fade in, minibatch, learning rates, channels."""
    schedule = dataclasses.replace(config.schedule, lrate_rampup_kimg=0)
    phase_kimg = schedule.lod_training_kimg + schedule.lod_transition_kimg
    levels = config.G.resolution_log2 - int(math.log2(schedule.lod_initial_resolution))
    rows = [('resolution', 'from kimg', 'minibatch', 'learning rates of G, D', 'channels')]
    for number in range(levels + 1 if phase_kimg else 1):
        begins = max(number * phase_kimg - schedule.lod_transition_kimg, 0) if number else 0
        if begins >= config.total_kimg:
            break
        sched = training_schedule(int(number * phase_kimg * 1000), config.G.resolution,
                                  config.num_gpus, schedule)
        channels = config.G.nf(sched.resolution.bit_length() - 2)
        rows.append((f'{sched.resolution}x{sched.resolution}', f'{begins:g}',
                     str(sched.minibatch), f'{sched.G_lrate:g}, {sched.D_lrate:g}', str(channels)))
    return ['Schedule:', *_table(rows)]


def augment_text(augment):
    """What D is shown, in words; augment: AugmentConfig or None."""
    if augment is None:
        return 'none: D is shown images as they are'
    if augment.target is None:
        return f'{augment.pipe} with probability {augment.p:g}'
    return (f'{augment.pipe} with a probability that adapts: from {augment.p:g} on, by at most 1 '
            f'in {augment.adapt_kimg:g} kimg, towards r_t = {augment.target:g}')


def frozen_lines(config, start):
    """What of D is not trained, and where that makes no sense."""
    if not config.freeze_d:
        return []
    with shapes_only():
        D = build_network(config.D)
    layers = D.finest_layers(config.freeze_d)
    frozen = sum(count_parameters(layer) for layer in layers)
    lines = [f'Frozen:     D from the image to {layers[-1].scope} (--freezed={config.freeze_d}): '
             f'{frozen:,} of its {count_parameters(D):,} parameters stay as they are']
    fates = start.fates['D'] if start.fates else {}
    made = {name for name, fate in fates.items() if fate == surgery.MADE}
    if not start.from_network or any(made & set(named_variables(layer)) for layer in layers):
        lines.append(f'{INDENT}(a warning: some of these are random, not from a trained network, '
                     'and would stay random)')
    return lines


def surgery_lines(start):
    """What became of the networks that are changed into another shape."""
    if not start.fates:
        return []
    return ['Surgery:    what became of the layers of the network file',
            *_table(surgery.table(start.fates, start.config.G))]


def plan(preset, standard, given, dataset, start):
    """The whole, as text.

    Args:
        preset, standard, given: as in `options_lines`.
        start: starting.Start, with the run's config.
    """
    config = start.config
    labels = f'{dataset.label_size} label components' if dataset.label_size else 'no labels'
    losses, loss = config.losses, config.losses.D_loss
    gamma = f' with r1_gamma {losses.r1_gamma:g}' if loss == 'D_logistic_simplegp' else ''
    return '\n'.join([
        *options_lines(config, preset, standard, given),
        f'{INDENT}(training_options.json in the run\'s directory has them all)',
        f'Data:       {dataset.directory}: {dataset.num_images} images '
        f'{dataset.resolution}x{dataset.resolution}x{dataset.num_channels}, {labels}, '
        f'{config.holdout} held out, mirror {"on" if config.mirror_augment else "off"}',
        *([] if config.mirror_augment else MIRROR_LINES),
        f'Augment:    {augment_text(config.augment)}',
        *(FEW_LINES if dataset.num_images < FEW_IMAGES and config.augment is None else ()),
        networks_line(config),
        *schedule_lines(config),
        *frozen_lines(config, start),
        f'Losses:     {losses.G_loss}, {loss}{gamma}; {config.precision}',
        f'Training:   {config.total_kimg:g} kimg (1 kimg = 1000 images shown), '
        f'seed {config.seed}',
        f'Start:      {start.description}',
        *surgery_lines(start)])
