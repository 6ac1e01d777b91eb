"""Flags of what D is shown instead of images: adaptive augmentation."""

from __future__ import annotations

from absl import flags

from training.pipes import PIPES, AugmentConfig

flags.disclaim_key_flags()  # --help lists them with the script's own

FIELDS = {  # {field of AugmentConfig: (how absl defines its flag, help)}
    'p': (flags.DEFINE_float, 'Probability of each transformation: that of --aug=fixed, or where '
                              '--aug=ada starts. Default of the latter: 0.'),
    'target': (flags.DEFINE_float, 'What --aug=ada steers r_t to, the mean sign of D on reals: 0 = '
                                   'D is in doubt, 1 = sure of each. Default: 0.6.'),
    'pipe': (flags.DEFINE_string, f'Transformations: {", ".join(PIPES)}, or single ones joined by '
                                  'commas, such as xflip,rotate. Default: bgc.')}


def define():
    """Defines --aug, --aug_p, --aug_target and --aug_pipe."""
    flags.DEFINE_enum('aug', None, ['none', 'ada', 'fixed'], 'Show D nothing but augmented images, '
                      'so that it does not learn few of them by heart: ada = with a probability '
                      'that adapts, fixed = with --aug_p. Default: ada up to 30,000 images with '
                      'the presets auto and stylegan-Ngpu, else none.')
    for field, (define_one, text) in FIELDS.items():
        define_one(f'aug_{field}', None, text)


def given(values, default, preset_fields):
    """{'augment': AugmentConfig or None} if a flag of it is given, else {}.

    Args:
        values: absl's FLAGS; default: the AugmentConfig, or None, where --aug is not given.
        preset_fields: {field of AugmentConfig: value} that the preset says.
    Raises:
        ValueError: flags that contradict each other, or a value out of its range.
    """
    fields = {field: values[f'aug_{field}'].value for field in FIELDS}
    fields = {field: value for field, value in fields.items() if value is not None}
    if values.aug is None and not fields:
        return {}
    kind = values.aug or (default.kind if default else 'none')
    if kind == 'none':
        if fields:
            raise ValueError(f'--aug_{min(fields)} needs --aug=ada or --aug=fixed; received '
                             f'{"--aug=none" if values.aug else "none, the default here"}.')
        return {'augment': None}
    if kind == 'fixed':
        if 'target' in fields:
            raise ValueError(f'--aug_target={fields["target"]:g} needs --aug=ada; received '
                             '--aug=fixed.')
        if 'p' not in fields:
            raise ValueError('--aug=fixed needs a probability; received none: add --aug_p, such as '
                             '--aug_p=0.3.')
        fields['target'] = None
    try:
        return {'augment': AugmentConfig(**{**preset_fields, **fields})}
    except ValueError as error:
        raise ValueError(f'--aug_{error}') from None
