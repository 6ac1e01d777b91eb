"""Presets: named sets of options as data, and the RunConfig that one makes for a data set."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass, field

from training.build import ARCHITECTURES
from training.config import LossConfig, RunConfig, ScheduleConfig
from training.pipes import AugmentConfig
from training.schedule import minibatches

FEW_IMAGES = 30000  # up to here adaptive augmentation helps: Karras et al. 2020 (ADA), figure 7
HOLDOUT_FROM, HOLDOUT_SHARE, HOLDOUT_MOST = 200, 0.05, 500  # images, of them, and of these


@dataclass(frozen=True)
class Preset:
    """A named set of options: only what differs from the defaults."""
    description: str                   # one line for --list_presets: what it is for
    G: dict = field(default_factory=dict)
    D: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)
    schedule: dict = field(default_factory=dict)
    schedule_by_gpus: dict = field(default_factory=dict)  # {number of GPUs: more of the schedule}
    run: dict = field(default_factory=dict)
    architecture: str = 'stylegan'
    growing: bool = True               # False: at full resolution from the start
    max_label_size: str = '0'          # of the data's labels: '0' = none, 'full' = all
    augments: bool = False             # adaptive augmentation, up to FEW_IMAGES
    augment: dict = field(default_factory=dict)  # of AugmentConfig, where there is any

    def schedule_for(self, resolution, num_gpus):
        """Fields of ScheduleConfig; those of the largest number of GPUs that is within num_gpus."""
        fields = dict(self.schedule)
        if self.schedule_by_gpus:
            fields.update(self.schedule_by_gpus[max(
                (number for number in self.schedule_by_gpus if number <= num_gpus),
                default=min(self.schedule_by_gpus))])
        if not self.growing:
            fields.update(lod_initial_resolution=resolution, lod_training_kimg=0,
                          lod_transition_kimg=0)
        return fields


_MINIBATCHES = {  # {number of GPUs: (base, {resolution: images over all GPUs})}
    1: (4, {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}),
    2: (8, {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8}),
    4: (16, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16}),
    8: (32, {4: 512, 8: 256, 16: 128, 32: 64, 64: 32})}
_LRATES = {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003}
_WGAN_GP_LRATES = {resolution: min(lrate, 0.002) for resolution, lrate in _LRATES.items()}
_PROGAN_LRATES = {1: {1024: 0.0015}, 2: {512: 0.0015, 1024: 0.002},
                  4: {256: 0.0015, 512: 0.002, 1024: 0.003}, 8: _LRATES}


def _by_gpus(lrates, fields):
    """{number of GPUs: schedule}, of {number of GPUs: {resolution: learning rate}}."""
    return {number: {'minibatch_base': base, 'minibatch_dict': minibatches,
                     'G_lrate_dict': lrates[number], 'D_lrate_dict': lrates[number], **fields}
            for number, (base, minibatches) in _MINIBATCHES.items()}


_FROM_8 = {'lod_initial_resolution': 8}
_STYLEGAN = _by_gpus(dict.fromkeys(_MINIBATCHES, _LRATES), _FROM_8)
_WGAN_GP = _by_gpus(dict.fromkeys(_MINIBATCHES, _WGAN_GP_LRATES), _FROM_8)
_PROGAN = _by_gpus(_PROGAN_LRATES, {'max_minibatch_per_gpu': {256: 16, 512: 8, 1024: 4}})
_PROGAN_FP16 = _by_gpus(_PROGAN_LRATES, {'max_minibatch_per_gpu': {512: 16, 1024: 8}})
_WGAN_GP_LOSSES = {'G_loss': 'G_wgan', 'D_loss': 'D_wgan_gp'}


def _stylegan(description, G=None, schedule_by_gpus=_STYLEGAN, losses=None, mirror=True):
    """mirror: as for the faces of the paper's tables; else the images may be anything, or few."""
    return Preset(description, G=G or {}, losses=losses or {}, schedule_by_gpus=schedule_by_gpus,
                  run={'total_kimg': 25000, **({'mirror_augment': True} if mirror else {})},
                  augments=not mirror)


def _progan(description, G=None, D=None, schedule_by_gpus=_PROGAN, run=None, growing=True,
            max_label_size='0'):
    return Preset(description, G=G or {}, D=D or {}, losses=_WGAN_GP_LOSSES,
                  schedule_by_gpus=schedule_by_gpus, run={'total_kimg': 12000, **(run or {})},
                  architecture='progan', growing=growing, max_label_size=max_label_size)


def _gpus(number):
    return f'{number} GPU' if number == 1 else f'{number} GPUs'


_TRADITIONAL = {'use_styles': False, 'const_input_layer': False, 'use_noise': False,
                'use_pixel_norm': True, 'use_instance_norm': False, 'style_mixing_prob': 0.0,
                'truncation_psi': None}
_DIGITS_WIDTHS = {'fmap_base': 512, 'fmap_max': 64}

# FIDs are the paper's, on FFHQ at 1024x1024, trained to the end on 8 GPUs.
PRESETS = {
    'auto': _stylegan('The default: the paper\'s final one, any resolution and GPUs, no mirroring',
                      mirror=False),
    **{f'stylegan-{n}gpu': _stylegan(f'The same, with the minibatches for {_gpus(n)}',
                                     schedule_by_gpus={n: schedule}, mirror=False)
       for n, schedule in _STYLEGAN.items()},
    'stylegan-wgan-gp': _stylegan('WGAN-GP loss, lower learning rates: the paper\'s on CelebA-HQ',
                                  schedule_by_gpus=_WGAN_GP, losses=_WGAN_GP_LOSSES),
    'table1-a': _progan('Table 1, A: Progressive GAN, the baseline (FID 8.04)',
                        run={'mirror_augment': True}),
    'table1-b': _stylegan('Table 1, B: blurred up- and downscaling, R1, longer training (FID 5.25)',
                          {**_TRADITIONAL, 'mapping_layers': 0}),
    'table1-c': _stylegan('Table 1, C: with the mapping network and styles (FID 4.85)',
                          {'const_input_layer': False, 'use_noise': False,
                           'style_mixing_prob': 0.0}),
    'table1-d': _stylegan('Table 1, D: from a learned constant, not from the latent (FID 4.88)',
                          {'use_noise': False, 'style_mixing_prob': 0.0}),
    'table1-e': _stylegan('Table 1, E: with noise inputs (FID 4.42)', {'style_mixing_prob': 0.0}),
    'table1-f': _stylegan('Table 1, F: with style mixing, the final configuration (FID 4.40)'),
    **{f'table2-mixing-{percent}': _stylegan(
        f'Table 2: styles mixed in {percent}% of minibatches (FID {fid})',
        {'style_mixing_prob': percent / 100})
       for percent, fid in ((0, '4.42'), (50, '4.41'), (90, '4.40'), (100, '4.83'))},
    **{f'table4-traditional-{depth}': _stylegan(
        f'Table 4: no styles, mapping network of depth {depth} (FID {fid})',
        {**_TRADITIONAL, 'mapping_layers': depth}) for depth, fid in ((0, '5.25'), (8, '4.87'))},
    **{f'table4-style-{depth}': _stylegan(
        f'Table 4: styles, mapping network of depth {depth} (FID {fid})', {'mapping_layers': depth})
       for depth, fid in ((0, '5.06'), (1, '4.60'), (2, '4.43'), (8, '4.40'))},
    'progan-v1-1gpu': Preset(
        'Progressive GAN as in its paper: small minibatches, slow growing, 1 GPU',
        D={'mbstd_group_size': 16}, losses=_WGAN_GP_LOSSES, architecture='progan',
        schedule={'minibatch_base': 16, 'minibatch_dict': {256: 14, 512: 6, 1024: 3},
                  'lod_training_kimg': 800, 'lod_transition_kimg': 800},
        run={'total_kimg': 19000}),
    **{f'progan-v2-{n}gpu': _progan(f'Progressive GAN, faster, with the minibatches for {_gpus(n)}',
                                    schedule_by_gpus={n: schedule})
       for n, schedule in _PROGAN.items()},
    'progan-fp16': _progan('Progressive GAN v2 in half precision, with its minibatch limits',
                           {'pixelnorm_epsilon': 1e-4}, schedule_by_gpus=_PROGAN_FP16,
                           run={'precision': 'mixed_float16'}),
    'progan-conditional': _progan('Progressive GAN v2 with all labels of the data',
                                  max_label_size='full'),
    'progan-no-growing': _progan('Progressive GAN v2 at full resolution from the start',
                                 growing=False, run={'total_kimg': 10000}),
    'progan-no-mbstd': _progan('Progressive GAN v2 without minibatch stddev',
                               D={'mbstd_group_size': 0}),
    'progan-no-pixel-norm': _progan('Progressive GAN v2 without pixel norm in G',
                                    {'use_pixelnorm': False}),
    'progan-no-latent-norm': _progan('Progressive GAN v2 without pixel norm of z',
                                     {'normalize_latents': False}),
    'progan-no-wscale': _progan('Progressive GAN v2 without the equalized learning rate',
                                {'use_wscale': False}, {'use_wscale': False}),
    'progan-relu': _progan('Progressive GAN v2 with ReLU, not leaky ReLU, in G',
                           {'use_leakyrelu': False}),
    'progan-no-fused-scale': _progan('Progressive GAN v2 with scaling apart from convolutions',
                                     {'fused_scale': False}, {'fused_scale': False}),
    'progan-no-smoothing': _progan('Progressive GAN v2 without the moving average of G: Gs is G',
                                   run={'G_smoothing_kimg': 0.0}),
    'progan-no-optimizer-reset': _progan('Progressive GAN v2 whose Adam goes on at new resolutions',
                                         run={'reset_opt_for_new_lod': False}),
    'progan-no-repeats': _progan('Progressive GAN v2 with the schedule read in every iteration',
                                 run={'minibatch_repeats': 1}),
    'digits': Preset(
        'Small: 32x32 pictures on two CPU cores in ten minutes (the demo)',
        G={**_DIGITS_WIDTHS, 'latent_size': 64, 'dlatent_size': 64, 'mapping_fmaps': 64,
           'mapping_layers': 4},
        D=_DIGITS_WIDTHS, losses={'r1_gamma': 1.0},
        # At this size many small steps do more than a few large ones: 70 kimg are 4,400 iterations.
        schedule={'lod_initial_resolution': 8, 'lod_training_kimg': 20, 'lod_transition_kimg': 10,
                  'minibatch_base': 16, 'G_lrate_base': 0.003, 'D_lrate_base': 0.003,
                  'tick_kimg_base': 5, 'tick_kimg_dict': {}},
        run={'total_kimg': 70, 'G_smoothing_kimg': 2.0, 'network_snapshot_ticks': 5,
             'grid': '20x10'},
        # Measured (benchmarks/README.md): so small a D never comes to r_t = 0.6 in so short a run.
        augment={'target': 0.05}),
}


def find_preset(name):
    """The preset of that name; ValueError says which known name is nearest."""
    if name not in PRESETS:
        nearest = max(PRESETS, key=lambda known: difflib.SequenceMatcher(None, name, known).ratio())
        raise ValueError(f'--preset={name}: there is no such preset; the nearest name is '
                         f'{nearest}. --list_presets shows them all.')
    return PRESETS[name]


def default_augment(preset, num_images):
    """The AugmentConfig of a preset, or None, where the command line says nothing of it."""
    chosen = find_preset(preset)
    return AugmentConfig(**chosen.augment) if chosen.augments and num_images <= FEW_IMAGES else None


def default_holdout(config, num_images):
    """How many images a run holds out where the command line says nothing of it."""
    count = min(int(num_images * HOLDOUT_SHARE), HOLDOUT_MOST) if num_images >= HOLDOUT_FROM else 0
    fits = num_images - count >= max(size for _, size in minibatches(config))
    return count if fits else 0


def run_config(preset, data, resolution, num_channels, label_size, overrides=None, num_gpus=1,
               num_images=None):
    """The RunConfig of a preset for a data set.

    Args:
        preset: a name in PRESETS.
        data: directory of the data set.
        overrides: {field name: value}; a name that G and D share is set in both.
        num_gpus: devices that share the minibatch.
        num_images: of the data set: with few of them some are held out, and images are augmented;
            None = neither, unless `overrides` says so.
    Raises:
        ValueError: an unknown preset or field, or a value out of its range.
    """
    chosen, overrides = find_preset(preset), dict(overrides or {})
    shape = {'resolution': resolution, 'num_channels': num_channels, 'label_size': label_size}
    G_class, D_class = ARCHITECTURES[chosen.architecture].configs
    parts = {}
    for name, part_class, fields in (('G', G_class, {**chosen.G, **shape}),
                                     ('D', D_class, {**chosen.D, **shape}),
                                     ('losses', LossConfig, chosen.losses),
                                     ('schedule', ScheduleConfig,
                                      chosen.schedule_for(resolution, num_gpus))):
        parts[name] = part_class(**{**fields, **belonging(part_class, overrides)})
    run = {**chosen.run, **belonging(RunConfig, overrides)}
    unknown = set(overrides) - {item.name for part in (G_class, D_class, LossConfig, ScheduleConfig,
                                                       RunConfig)
                                for item in dataclasses.fields(part)}
    if unknown:
        raise ValueError(f'--{min(unknown)}: the {chosen.architecture} networks of the preset '
                         f'{preset!r} have no such option.')
    config = RunConfig(data=data, num_gpus=num_gpus, **parts, **run)
    if num_images is None:
        return config
    by_data = {'augment': default_augment(preset, num_images),
               'holdout': default_holdout(config, num_images)}
    return dataclasses.replace(config, **{**by_data, **belonging(RunConfig, overrides)})


def belonging(config_class, overrides):
    """Those of {field: value} that are fields of this config."""
    names = {item.name for item in dataclasses.fields(config_class)}
    return {name: value for name, value in overrides.items() if name in names}
