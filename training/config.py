"""Every option of networks, losses, schedule and run: frozen dataclasses that check themselves."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from dataclasses import dataclass, field
from typing import Optional, Union

NONLINEARITIES = ('lrelu', 'relu')
# Guards against nonsense in files, not limits of the method.
MAX_RESOLUTION, MAX_WIDTH, MAX_MAPPING_LAYERS = 8192, 65536, 64


def _require(condition, field_name, rule, value):
    if not condition:
        raise ValueError(f'{field_name} must be {rule}; received {value!r}.')


def is_power_of_two(value):
    """True for 1, 2, 4, 8, ..."""
    return isinstance(value, int) and value > 0 and value & (value - 1) == 0


def _check_image_fields(config):
    _require(is_power_of_two(config.resolution) and 4 <= config.resolution <= MAX_RESOLUTION,
             'resolution', 'a power of two from 4 up', config.resolution)
    for name, least in (('num_channels', 1), ('label_size', 0), ('fmap_base', 1), ('fmap_max', 1)):
        value = getattr(config, name)
        _require(isinstance(value, int) and least <= value <= MAX_WIDTH, name,
                 f'an integer within {least}..{MAX_WIDTH}', value)
    finest = config.nf(config.resolution_log2 - 1)
    _require(finest >= 1, 'fmap_base', f'large enough for one feature map at {config.resolution}x'
             f'{config.resolution}', config.fmap_base)
    _require(config.fused_scale in (True, False, 'auto'), 'fused_scale', "True, False or 'auto'",
             config.fused_scale)


def _freeze_blur_filter(config):
    """JSON has lists where the dataclass has a tuple; [1] and () mean the same as None: no blur."""
    taps = config.blur_filter
    if taps is not None:
        taps = tuple(float(tap) for tap in taps)
        _require(len(taps) % 2 == 1, 'blur_filter', 'None or an odd number of taps', taps)
    object.__setattr__(config, 'blur_filter', taps if taps and len(taps) > 1 else None)


class _Features:
    """Feature maps at each stage, for a config with fmap_base, fmap_decay and fmap_max."""

    def nf(self, stage):
        """Number of feature maps at `stage` (log2 of the resolution, minus 1)."""
        return min(int(self.fmap_base / 2.0 ** (stage * self.fmap_decay)), self.fmap_max)

    @property
    def resolution_log2(self):
        """R: log2 of the full resolution."""
        return self.resolution.bit_length() - 1


@dataclass(frozen=True)
class GeneratorConfig(_Features):
    """The style-based generator (Karras et al. 2018, section 2; rows of Tables 1, 2 and 4)."""
    resolution: int = 1024             # pixels, power of two
    num_channels: int = 3              # 1 = grayscale, 3 = RGB
    label_size: int = 0                # components of a label; 0 = unconditional
    latent_size: int = 512             # components of z
    dlatent_size: int = 512            # components of w
    mapping_layers: int = 8            # 0 = w is the (normalized) z
    mapping_fmaps: int = 512           # width of the hidden mapping layers
    mapping_lrmul: float = 0.01        # learning rate multiplier of the mapping network
    mapping_nonlinearity: str = 'lrelu'  # lrelu or relu, of the mapping network
    normalize_latents: bool = True     # pixel norm of z (and of the embedded label beside it)
    fmap_base: int = 8192              # feature maps: min(fmap_base / 2^(stage * decay), fmap_max)
    fmap_decay: float = 1.0            # log2 of the factor between two resolutions
    fmap_max: int = 512                # feature maps at most
    use_styles: bool = True            # False: w enters at the 4x4 layer only
    const_input_layer: bool = True     # False: 4x4 comes from w through a dense layer
    use_noise: bool = True             # noise inputs in every layer
    use_wscale: bool = True            # equalized learning rate
    use_pixel_norm: bool = False       # after each activation
    use_instance_norm: bool = True     # before each style (AdaIN's first half)
    nonlinearity: str = 'lrelu'        # lrelu or relu, of G's and D's convolutions
    fused_scale: Union[bool, str] = 'auto'  # up-convolution's form; 'auto' = from 128 pixels up
    blur_filter: Optional[tuple[float, ...]] = (1, 2, 1)  # after up-convolutions; None = no blur
    style_mixing_prob: Optional[float] = 0.9     # per minibatch; None = never
    dlatent_avg_beta: Optional[float] = 0.995    # decay of w's moving average; None = not tracked
    truncation_psi: Optional[float] = 0.7        # 1 or None = no truncation
    truncation_cutoff: Optional[int] = 8         # layers truncated, from the first; None = all

    def __post_init__(self):
        _check_image_fields(self)
        _freeze_blur_filter(self)
        for name in ('nonlinearity', 'mapping_nonlinearity'):
            _require(getattr(self, name) in NONLINEARITIES, name, f'one of {NONLINEARITIES}',
                     getattr(self, name))
        for name in ('latent_size', 'dlatent_size', 'mapping_fmaps'):
            _require(1 <= getattr(self, name) <= MAX_WIDTH, name, f'1..{MAX_WIDTH}',
                     getattr(self, name))
        _require(0 <= self.mapping_layers <= MAX_MAPPING_LAYERS, 'mapping_layers',
                 f'0..{MAX_MAPPING_LAYERS}', self.mapping_layers)
        if self.mapping_layers == 0:
            _require(self.mapping_input_size == self.dlatent_size, 'dlatent_size',
                     f'{self.mapping_input_size} (latent_size, twice that with labels) where '
                     'mapping_layers is 0', self.dlatent_size)
        prob = self.style_mixing_prob
        _require(prob is None or 0 <= prob <= 1, 'style_mixing_prob', 'None or 0..1', prob)

    @property
    def num_layers(self):
        """L: style layers, two at each resolution."""
        return 2 * self.resolution_log2 - 2

    @property
    def num_styles(self):
        """Rows of w that the synthesis network takes: L, or 1 without styles."""
        return self.num_layers if self.use_styles else 1

    @property
    def mapping_input_size(self):
        """Components that enter the mapping network: z, and the embedded label beside it."""
        return self.latent_size * (2 if self.label_size else 1)


@dataclass(frozen=True)
class DiscriminatorConfig(_Features):
    """StyleGAN's discriminator: ProGAN's, with blurred downscaling."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # 0 = one score; N = the score of the image's own class
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    nonlinearity: str = 'lrelu'
    use_wscale: bool = True
    mbstd_group_size: int = 4          # images of a minibatch compared with each other; 0 = off
    mbstd_num_features: int = 1        # channels that say how much they differ
    fused_scale: Union[bool, str] = 'auto'
    blur_filter: Optional[tuple[float, ...]] = (1, 2, 1)  # before down-convolutions

    def __post_init__(self):
        _check_image_fields(self)
        _freeze_blur_filter(self)
        _require(self.nonlinearity in NONLINEARITIES, 'nonlinearity', f'one of {NONLINEARITIES}',
                 self.nonlinearity)
        _require(self.mbstd_group_size >= 0, 'mbstd_group_size', 'at least 0',
                 self.mbstd_group_size)
        _require(self.mbstd_num_features >= 1 and self.nf(1) % self.mbstd_num_features == 0,
                 'mbstd_num_features', f'a divisor of {self.nf(1)}, the 4x4 feature maps',
                 self.mbstd_num_features)


@dataclass(frozen=True)
class ProganGeneratorConfig(_Features):
    """Progressive GAN's generator (Karras et al. 2017, Table 2)."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # labels are concatenated to z
    latent_size: int = 512
    normalize_latents: bool = True
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    use_wscale: bool = True
    use_pixelnorm: bool = True         # ProGAN: after each activation
    pixelnorm_epsilon: float = 1e-8    # ProGAN: added to the mean square
    use_leakyrelu: bool = True         # False: ReLU
    fused_scale: Union[bool, str] = True  # True = at all sizes; variables are named by it

    def __post_init__(self):
        _check_image_fields(self)
        _require(1 <= self.latent_size <= MAX_WIDTH, 'latent_size', f'1..{MAX_WIDTH}',
                 self.latent_size)


@dataclass(frozen=True)
class ProganDiscriminatorConfig(_Features):
    """Progressive GAN's discriminator: no blur, one score whatever the labels."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # labels are accepted and not looked at
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    use_wscale: bool = True
    mbstd_group_size: int = 4
    fused_scale: Union[bool, str] = True

    def __post_init__(self):
        _check_image_fields(self)
        _require(self.mbstd_group_size >= 0, 'mbstd_group_size', 'at least 0',
                 self.mbstd_group_size)


NETWORK_CONFIGS = {'stylegan': (GeneratorConfig, DiscriminatorConfig),
                   'progan': (ProganGeneratorConfig, ProganDiscriminatorConfig)}


G_LOSSES = ('G_logistic_nonsaturating', 'G_logistic_saturating', 'G_wgan')
D_LOSSES = ('D_logistic_simplegp', 'D_logistic', 'D_wgan', 'D_wgan_gp', 'D_hinge', 'D_hinge_gp')


@dataclass(frozen=True)
class LossConfig:
    """Which losses, and the weights of their penalties (spec section 5)."""
    G_loss: str = 'G_logistic_nonsaturating'
    # G_logistic_nonsaturating, G_logistic_saturating or G_wgan
    D_loss: str = 'D_logistic_simplegp'
    # D_logistic, D_logistic_simplegp, D_wgan, D_wgan_gp, D_hinge or D_hinge_gp
    r1_gamma: float = 10.0             # D_logistic_simplegp: twice the penalty's weight on reals
    r2_gamma: float = 0.0              # the same on fakes
    wgan_lambda: float = 10.0          # *_gp: weight of (||gradient|| - target)^2
    wgan_epsilon: float = 0.001        # D_wgan, D_wgan_gp: weight of the drift term D(x)^2
    wgan_target: float = 1.0           # *_gp: the gradient norm aimed at

    def __post_init__(self):
        _require(self.G_loss in G_LOSSES, 'G_loss', f'one of {G_LOSSES}', self.G_loss)
        _require(self.D_loss in D_LOSSES, 'D_loss', f'one of {D_LOSSES}', self.D_loss)
        for name in ('r1_gamma', 'r2_gamma', 'wgan_lambda', 'wgan_epsilon'):
            _require(getattr(self, name) >= 0, name, 'at least 0', getattr(self, name))


Pairs = tuple[tuple[int, float], ...]  # ((resolution, value), ...)


def _freeze_pairs(config, name):
    """Accepts {resolution: value} and JSON's lists; keeps ((resolution, value), ...), sorted."""
    value = getattr(config, name)
    items = value.items() if isinstance(value, dict) else value
    pairs = tuple(sorted((int(resolution), number) for resolution, number in items))
    for resolution, number in pairs:
        _require(is_power_of_two(resolution), f'{name}: resolution', 'a power of two', resolution)
        _require(number > 0, f'{name}: value at {resolution}', 'above 0', number)
    object.__setattr__(config, name, pairs)


@dataclass(frozen=True)
class ScheduleConfig:
    """How lod, minibatch and learning rates follow from the number of images shown (spec 6)."""
    lod_initial_resolution: int = 4    # pixels, the resolution that training begins at
    lod_training_kimg: float = 600     # thousands of images at one resolution, before a fade
    lod_transition_kimg: float = 600   # thousands of images that a fade takes; 0 = abrupt
    minibatch_base: int = 16           # images, where minibatch_dict has no entry
    minibatch_dict: Pairs = ()         # ((resolution, images), ...)
    max_minibatch_per_gpu: Pairs = ()  # ((resolution, images), ...)
    G_lrate_base: float = 0.001        # learning rate of G, where G_lrate_dict has no entry
    G_lrate_dict: Pairs = ()           # ((resolution, learning rate), ...)
    D_lrate_base: float = 0.001        # learning rate of D, where D_lrate_dict has no entry
    D_lrate_dict: Pairs = ()           # ((resolution, learning rate), ...)
    lrate_rampup_kimg: float = 0       # learning rates rise from 0 over this many thousand images
    tick_kimg_base: float = 160        # thousands of images between two progress lines
    tick_kimg_dict: Pairs = ((4, 160), (8, 140), (16, 120), (32, 100), (64, 80), (128, 60),
                             (256, 40), (512, 30), (1024, 20))  # ((resolution, kimg), ...)

    def __post_init__(self):
        for name in ('minibatch_dict', 'max_minibatch_per_gpu', 'G_lrate_dict', 'D_lrate_dict',
                     'tick_kimg_dict'):
            _freeze_pairs(self, name)
        _require(is_power_of_two(self.lod_initial_resolution) and self.lod_initial_resolution >= 4,
                 'lod_initial_resolution', 'a power of two from 4 up', self.lod_initial_resolution)
        _require(self.minibatch_base >= 1, 'minibatch_base', 'at least 1', self.minibatch_base)
        for name in ('lod_training_kimg', 'lod_transition_kimg', 'lrate_rampup_kimg'):
            _require(getattr(self, name) >= 0, name, 'at least 0', getattr(self, name))
        for name in ('G_lrate_base', 'D_lrate_base', 'tick_kimg_base'):
            _require(getattr(self, name) > 0, name, 'above 0', getattr(self, name))


PRECISIONS = {'float32': 'float32', 'mixed_bfloat16': 'bfloat16', 'mixed_float16': 'float16'}


@dataclass(frozen=True)
class Precision:
    """The type of activations at each resolution. Variables, norms and losses are float32."""
    name: str = 'float32'
    num_fp16_res: int = 4              # mixed_float16: how many of the highest resolutions

    def dtype_at(self, r, config):
        """The type's name at 2^r pixels of a network with this config."""
        if self.name == 'mixed_float16' and r <= max(config.resolution_log2 - self.num_fp16_res, 2):
            return 'float32'
        return PRECISIONS[self.name]


FLOAT32 = Precision()
GRID_LAYOUTS = ('random', 'row_per_class', 'col_per_class', 'class4x4')


@dataclass(frozen=True)
class RunConfig:
    """A whole training run, apart from where it is written and what it starts from."""
    data: str                          # directory of TFRecord files
    G: Union[GeneratorConfig, ProganGeneratorConfig]
    D: Union[DiscriminatorConfig, ProganDiscriminatorConfig]
    losses: LossConfig = LossConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    total_kimg: float = 25000          # thousands of images shown at the end of training
    mirror_augment: bool = False       # flip each real image left-right with probability 1/2
    minibatch_repeats: int = 4         # iterations between two readings of the schedule
    D_repeats: int = 1                 # D steps for each G step
    num_gpus: int = 1                  # devices that share the minibatch
    precision: str = 'float32'         # float32, mixed_bfloat16 or mixed_float16, of activations
    num_fp16_res: int = 4              # mixed_float16: only in this many of the highest resolutions
    batch_gpu: Optional[int] = None    # images that a GPU computes at a time, gradients added up
    # until its share of the minibatch is complete; none = all of its share
    G_smoothing_kimg: float = 10.0     # half-life of the moving average Gs, thousands of images
    image_snapshot_ticks: int = 1      # ticks between two fakes*.png; 0 = never
    network_snapshot_ticks: int = 10   # ticks between two network-snapshot-*; 0 = at the end only
    checkpoint_ticks: int = 1          # ticks between two checkpoints
    checkpoint_minutes: float = 20     # one within a tick too when the last is so old; 0 = never
    keep_checkpoints: int = 3          # the newest so many checkpoints stay
    keep_snapshots: int = 0            # the newest so many network-snapshot-* stay; 0 = all
    histograms: bool = False           # of all weights, at each tick, for TensorBoard
    probe: Optional[bool] = None       # try one step at the last resolution before training starts;
    # none = with a GPU; a CPU's step there may take a minute
    grid: str = '1080p'                # size of the sample grids: '1080p', '4k' or COLUMNSxROWS
    grid_layout: str = 'random'        # 'random', 'row_per_class', 'col_per_class', 'class4x4'
    seed: int = 1000                   # of everything random in the run

    def __post_init__(self):
        for name, least in (('minibatch_repeats', 1), ('D_repeats', 1), ('checkpoint_ticks', 1),
                            ('image_snapshot_ticks', 0), ('network_snapshot_ticks', 0),
                            ('checkpoint_minutes', 0), ('keep_checkpoints', 1),
                            ('keep_snapshots', 0), ('seed', 0), ('num_fp16_res', 0),
                            ('num_gpus', 1)):
            _require(getattr(self, name) >= least, name, f'at least {least}', getattr(self, name))
        _require(re.fullmatch(r'1080p|4k|[1-9]\d{0,2}x[1-9]\d{0,2}', self.grid), 'grid',
                 "'1080p', '4k' or COLUMNSxROWS such as 20x10", self.grid)
        _require(self.precision in PRECISIONS, 'precision', f'one of {tuple(PRECISIONS)}',
                 self.precision)
        _require(self.batch_gpu is None or self.batch_gpu >= 1, 'batch_gpu', 'at least 1, or none',
                 self.batch_gpu)
        _require(self.grid_layout in GRID_LAYOUTS, 'grid_layout', f'one of {GRID_LAYOUTS}',
                 self.grid_layout)
        for name in ('total_kimg', 'G_smoothing_kimg'):
            _require(getattr(self, name) > 0, name, 'above 0', getattr(self, name))
        for name in ('resolution', 'num_channels', 'label_size'):
            _require(getattr(self.G, name) == getattr(self.D, name), name, 'the same in G and D',
                     (getattr(self.G, name), getattr(self.D, name)))
        _require(self.schedule.lod_initial_resolution <= self.G.resolution,
                 'lod_initial_resolution', f'at most that of the data, {self.G.resolution}',
                 self.schedule.lod_initial_resolution)

    @property
    def architecture(self):
        """'stylegan' or 'progan'."""
        return architecture_of(self.G)


def architecture_of(config):
    """'stylegan' or 'progan': which pair a network's config belongs to."""
    return next(name for name, types in NETWORK_CONFIGS.items() if type(config) in types)


def to_json(config):
    """A config as JSON text, complete and reloadable; the inverse of `run_config_from_json`."""
    fields = dataclasses.asdict(config)
    if isinstance(config, RunConfig):
        fields['architecture'] = config.architecture
    return json.dumps(fields, indent=2)


def network_config_from_dict(architecture, part, fields):
    """The config of 'G' or 'D' from a dict read from a file; ValueError names what misfits."""
    if architecture not in NETWORK_CONFIGS:
        raise ValueError(f'architecture must be one of {tuple(NETWORK_CONFIGS)}; '
                         f'received {architecture!r}.')
    return _from_dict(NETWORK_CONFIGS[architecture]['GD'.index(part)], fields)


def run_config_from_json(text):
    """A RunConfig from the text of training_options.json; ValueError names what misfits."""
    fields = json.loads(text)
    architecture = fields.pop('architecture', 'stylegan')
    for part in ('G', 'D'):
        fields[part] = network_config_from_dict(architecture, part, fields[part])
    fields['losses'] = _from_dict(LossConfig, fields['losses'])
    fields['schedule'] = _from_dict(ScheduleConfig, fields['schedule'])
    return _from_dict(RunConfig, fields)


def _from_dict(config_class, fields):
    known = {item.name for item in dataclasses.fields(config_class)}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise ValueError(f'{config_class.__name__} has no field {unknown[0]!r}; the file comes '
                         f'from another version. Known: {", ".join(sorted(known))}.')
    try:
        return config_class(**fields)
    except TypeError as error:
        raise ValueError(f'{config_class.__name__}: a value of the wrong type ({error}).'
                         ) from error


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


def _stylegan(description, G=None, schedule_by_gpus=_STYLEGAN, losses=None):
    return Preset(description, G=G or {}, losses=losses or {}, schedule_by_gpus=schedule_by_gpus,
                  run={'total_kimg': 25000, 'mirror_augment': True})


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
    'auto': _stylegan('The default: the paper\'s final configuration, any resolution, any GPUs'),
    **{f'stylegan-{n}gpu': _stylegan(f'The same, with the minibatches for {_gpus(n)}',
                                     schedule_by_gpus={n: schedule})
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
                                 growing=False),
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
             'grid': '20x10'}),
}


def find_preset(name):
    """The preset of that name; ValueError says which known name is nearest."""
    if name not in PRESETS:
        nearest = max(PRESETS, key=lambda known: difflib.SequenceMatcher(None, name, known).ratio())
        raise ValueError(f'--preset={name}: there is no such preset; the nearest name is '
                         f'{nearest}. --list_presets shows them all.')
    return PRESETS[name]


def run_config(preset, data, resolution, num_channels, label_size, overrides=None, num_gpus=1):
    """The RunConfig of a preset for a data set.

    Args:
        preset: a name in PRESETS.
        data: directory of the data set.
        overrides: {field name: value}; a name that G and D share is set in both.
        num_gpus: devices that share the minibatch.
    Raises:
        ValueError: an unknown preset or field, or a value out of its range.
    """
    chosen, overrides = find_preset(preset), dict(overrides or {})
    shape = {'resolution': resolution, 'num_channels': num_channels, 'label_size': label_size}
    G_class, D_class = NETWORK_CONFIGS[chosen.architecture]
    parts = {}
    for name, part_class, fields in (('G', G_class, {**chosen.G, **shape}),
                                     ('D', D_class, {**chosen.D, **shape}),
                                     ('losses', LossConfig, chosen.losses),
                                     ('schedule', ScheduleConfig,
                                      chosen.schedule_for(resolution, num_gpus))):
        parts[name] = part_class(**{**fields, **_belonging(part_class, overrides)})
    run = {**chosen.run, **_belonging(RunConfig, overrides)}
    unknown = set(overrides) - {item.name for part in (G_class, D_class, LossConfig, ScheduleConfig,
                                                       RunConfig)
                                for item in dataclasses.fields(part)}
    if unknown:
        raise ValueError(f'--{min(unknown)}: the {chosen.architecture} networks of the preset '
                         f'{preset!r} have no such option.')
    return RunConfig(data=data, num_gpus=num_gpus, **parts, **run)


def _belonging(config_class, overrides):
    names = {item.name for item in dataclasses.fields(config_class)}
    return {name: value for name, value in overrides.items() if name in names}
