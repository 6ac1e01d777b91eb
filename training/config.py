"""Every option of networks, losses, schedule and run: frozen dataclasses that check themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Union

from training.pipes import AugmentConfig

NONLINEARITIES = ('lrelu', 'relu')
# Guards against nonsense in files, not limits of the method.
MAX_RESOLUTION, MAX_WIDTH, MAX_MAPPING_LAYERS = 8192, 65536, 64
FLAG_NAMES = {'freeze_d': 'freezed'}  # {field: its flag} where they are not called the same


def flag_name(field_name):
    """What the flag of a field is called, without dashes."""
    return FLAG_NAMES.get(field_name, field_name)


def require(condition, field_name, rule, value):
    """ValueError that a field must be what `rule` says, unless `condition` holds."""
    if not condition:
        raise ValueError(f'{field_name} must be {rule}; received {value!r}.')


def is_power_of_two(value):
    """True for 1, 2, 4, 8, ..."""
    return isinstance(value, int) and value > 0 and value & (value - 1) == 0


def _check_image_fields(config):
    require(is_power_of_two(config.resolution) and 4 <= config.resolution <= MAX_RESOLUTION,
            'resolution', 'a power of two from 4 up', config.resolution)
    for name, least in (('num_channels', 1), ('label_size', 0), ('fmap_base', 1), ('fmap_max', 1)):
        value = getattr(config, name)
        require(isinstance(value, int) and least <= value <= MAX_WIDTH, name,
                f'an integer within {least}..{MAX_WIDTH}', value)
    finest = config.nf(config.resolution_log2 - 1)
    require(finest >= 1, 'fmap_base', f'large enough for one feature map at {config.resolution}x'
            f'{config.resolution}', config.fmap_base)
    require(config.fused_scale in (True, False, 'auto'), 'fused_scale', "True, False or 'auto'",
            config.fused_scale)


def _freeze_blur_filter(config):
    """JSON has lists where the dataclass has a tuple; [1] and () mean the same as None: no blur."""
    taps = config.blur_filter
    if taps is not None:
        taps = tuple(float(tap) for tap in taps)
        require(len(taps) % 2 == 1, 'blur_filter', 'None or an odd number of taps', taps)
    object.__setattr__(config, 'blur_filter', taps if taps and len(taps) > 1 else None)


@dataclass(frozen=True)
class NetworkConfig:
    """What configs of G and D, which have fmap_base, fmap_decay and fmap_max, tell of them."""

    def nf(self, stage):
        """Number of feature maps at `stage` (log2 of the resolution, minus 1)."""
        return min(int(self.fmap_base / 2.0 ** (stage * self.fmap_decay)), self.fmap_max)

    @property
    def resolution_log2(self):
        """R: log2 of the full resolution."""
        return self.resolution.bit_length() - 1


@dataclass(frozen=True)
class GeneratorConfig(NetworkConfig):
    """The style-based generator (Karras et al. 2018, section 2; rows of Tables 1, 2 and 4)."""
    resolution: int = 1024             # width and height in pixels, a power of two
    num_channels: int = 3              # 1 = grayscale, 3 = RGB
    label_size: int = 0                # components of a label; 0 = no labels
    latent_size: int = 512             # components of z
    dlatent_size: int = 512            # components of w
    mapping_layers: int = 8            # dense layers from z to w; 0 = w is the (normalized) z
    mapping_fmaps: int = 512           # width of the mapping network's hidden layers
    mapping_lrmul: float = 0.01        # the mapping network's learning rate, relative to G's
    mapping_nonlinearity: str = 'lrelu'  # activation of the mapping network: lrelu or relu
    normalize_latents: bool = True     # normalize z (and the embedded label) to unit mean square
    fmap_base: int = 8192              # feature maps at a resolution of 2^(stage + 1) pixels:
    # min(fmap_base / 2^(stage * fmap_decay), fmap_max)
    fmap_decay: float = 1.0            # log2 of the factor between two resolutions' feature maps
    fmap_max: int = 512                # most feature maps of any layer
    use_styles: bool = True            # w styles every layer; off: it enters at the 4x4 layer only
    const_input_layer: bool = True     # begin with a learned constant; off: with a dense layer of w
    use_noise: bool = True             # add noise in every layer
    use_wscale: bool = True            # scale weights at run time (equalized learning rate)
    use_pixel_norm: bool = False       # normalize each pixel's features after each activation
    use_instance_norm: bool = True     # instance norm before each style (AdaIN's first half)
    instance_norm_epsilon: float = 1e-8  # what instance norm adds to the variance; 1e-5 in networks
    # that come from PyTorch
    nonlinearity: str = 'lrelu'        # activation of the convolutions: lrelu or relu
    fused_scale: Union[bool, str] = 'auto'  # scale and convolve in one operation; auto = from
    # 128 pixels up
    blur_filter: Optional[tuple[float, ...]] = (1, 2, 1)  # taps of the blur where resolutions
    # change; none = no blur
    bias_before_blur: bool = False     # add the bias of upscaling layers before the blur, as
    # networks that come from PyTorch do
    style_mixing_prob: Optional[float] = 0.9     # share of minibatches with mixed styles; none = 0
    dlatent_avg_beta: Optional[float] = 0.995    # decay of w's moving average; none = no average
    truncation_psi: Optional[float] = 0.7        # truncation psi where none is asked for when
    # images are generated; 1 or none = no truncation
    truncation_cutoff: Optional[int] = 8         # number of layers truncated, the coarsest first;
    # none = all, 0 = none (a reference network's None is read as 0: there it meant no truncation)

    def __post_init__(self):
        _check_image_fields(self)
        _freeze_blur_filter(self)
        for name in ('nonlinearity', 'mapping_nonlinearity'):
            require(getattr(self, name) in NONLINEARITIES, name, f'one of {NONLINEARITIES}',
                    getattr(self, name))
        for name in ('latent_size', 'dlatent_size', 'mapping_fmaps'):
            require(1 <= getattr(self, name) <= MAX_WIDTH, name, f'1..{MAX_WIDTH}',
                    getattr(self, name))
        require(0 <= self.mapping_layers <= MAX_MAPPING_LAYERS, 'mapping_layers',
                f'0..{MAX_MAPPING_LAYERS}', self.mapping_layers)
        if self.mapping_layers == 0:
            require(self.mapping_input_size == self.dlatent_size, 'dlatent_size',
                    f'{self.mapping_input_size} (latent_size, twice that with labels) where '
                    'mapping_layers is 0', self.dlatent_size)
        require(self.instance_norm_epsilon > 0, 'instance_norm_epsilon', 'above 0',
                self.instance_norm_epsilon)
        prob = self.style_mixing_prob
        require(prob is None or 0 <= prob <= 1, 'style_mixing_prob', 'None or 0..1', prob)

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
class DiscriminatorConfig(NetworkConfig):
    """StyleGAN's discriminator: ProGAN's, with blurred downscaling."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # components of a label: D gives the score of the image's
    # own class; 0 = one score
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    nonlinearity: str = 'lrelu'
    use_wscale: bool = True
    mbstd_group_size: int = 4          # images in a group of the minibatch stddev layer; 0 = off
    mbstd_num_features: int = 1        # channels that the minibatch stddev layer adds
    fused_scale: Union[bool, str] = 'auto'
    blur_filter: Optional[tuple[float, ...]] = (1, 2, 1)
    widen_first: bool = False          # the first of a block's convolutions, not the second,
    # changes the number of feature maps, as in networks that come from PyTorch
    rgb_activation: bool = True        # activation after fromRGB; off in some of these

    def __post_init__(self):
        _check_image_fields(self)
        _freeze_blur_filter(self)
        require(self.nonlinearity in NONLINEARITIES, 'nonlinearity', f'one of {NONLINEARITIES}',
                self.nonlinearity)
        require(self.mbstd_group_size >= 0, 'mbstd_group_size', 'at least 0',
                self.mbstd_group_size)
        require(self.mbstd_num_features >= 1 and self.nf(1) % self.mbstd_num_features == 0,
                'mbstd_num_features', f'a divisor of {self.nf(1)}, the 4x4 feature maps',
                self.mbstd_num_features)


@dataclass(frozen=True)
class ProganGeneratorConfig(NetworkConfig):
    """Progressive GAN's generator (Karras et al. 2017, Table 2)."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # components of a label, which is appended to z; 0 = none
    latent_size: int = 512
    normalize_latents: bool = True
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    use_wscale: bool = True
    use_pixelnorm: bool = True         # ProGAN: normalize each pixel's features after activations
    pixelnorm_epsilon: float = 1e-8    # ProGAN: what pixel norm adds to the mean square
    use_leakyrelu: bool = True         # ProGAN: activation is leaky ReLU; off: ReLU
    fused_scale: Union[bool, str] = True  # scale and convolve in one operation; true = at all
    # sizes, auto = from 128 pixels up; variables are named by it

    def __post_init__(self):
        _check_image_fields(self)
        require(1 <= self.latent_size <= MAX_WIDTH, 'latent_size', f'1..{MAX_WIDTH}',
                self.latent_size)


@dataclass(frozen=True)
class ProganDiscriminatorConfig(NetworkConfig):
    """Progressive GAN's discriminator: no blur, one score whatever the labels."""
    resolution: int = 1024
    num_channels: int = 3
    label_size: int = 0                # components of a label, which D accepts and ignores
    fmap_base: int = 8192
    fmap_decay: float = 1.0
    fmap_max: int = 512
    use_wscale: bool = True
    mbstd_group_size: int = 4
    fused_scale: Union[bool, str] = True

    def __post_init__(self):
        _check_image_fields(self)
        require(self.mbstd_group_size >= 0, 'mbstd_group_size', 'at least 0',
                self.mbstd_group_size)


G_LOSSES = ('G_logistic_nonsaturating', 'G_logistic_saturating', 'G_wgan')
D_LOSSES = ('D_logistic_simplegp', 'D_logistic', 'D_wgan', 'D_wgan_gp', 'D_hinge', 'D_hinge_gp')


@dataclass(frozen=True)
class LossConfig:
    """Which losses, and the weights of their penalties (spec section 5)."""
    G_loss: str = 'G_logistic_nonsaturating'  # loss of G:
    # G_logistic_nonsaturating, G_logistic_saturating or G_wgan
    D_loss: str = 'D_logistic_simplegp'  # loss of D:
    # D_logistic, D_logistic_simplegp, D_wgan, D_wgan_gp, D_hinge or D_hinge_gp
    r1_gamma: float = 10.0             # D_logistic_simplegp: weight of R1, the gradient penalty on
    # reals: (gamma / 2) * |gradient|^2
    r2_gamma: float = 0.0              # D_logistic_simplegp: the same on fakes (R2)
    wgan_lambda: float = 10.0          # D_wgan_gp, D_hinge_gp: weight of the gradient penalty,
    # (|gradient| - target)^2
    wgan_epsilon: float = 0.001        # D_wgan, D_wgan_gp: weight of the drift term D(x)^2
    wgan_target: float = 1.0           # D_wgan_gp, D_hinge_gp: target of the gradient's norm

    def __post_init__(self):
        require(self.G_loss in G_LOSSES, 'G_loss', f'one of {G_LOSSES}', self.G_loss)
        require(self.D_loss in D_LOSSES, 'D_loss', f'one of {D_LOSSES}', self.D_loss)
        for name in ('r1_gamma', 'r2_gamma', 'wgan_lambda', 'wgan_epsilon'):
            require(getattr(self, name) >= 0, name, 'at least 0', getattr(self, name))


Pairs = tuple[tuple[int, float], ...]  # ((resolution, value), ...)


def _freeze_pairs(config, name):
    """Accepts {resolution: value} and JSON's lists; keeps ((resolution, value), ...), sorted."""
    value = getattr(config, name)
    items = value.items() if isinstance(value, dict) else value
    pairs = tuple(sorted((int(resolution), number) for resolution, number in items))
    for resolution, number in pairs:
        require(is_power_of_two(resolution), f'{name}: resolution', 'a power of two', resolution)
        require(number > 0, f'{name}: value at {resolution}', 'above 0', number)
    object.__setattr__(config, name, pairs)


@dataclass(frozen=True)
class ScheduleConfig:
    """How lod, minibatch and learning rates follow from the number of images shown (spec 6)."""
    lod_initial_resolution: int = 4    # resolution at which training begins, pixels
    lod_training_kimg: float = 600     # kimg at each resolution before the next one fades in
    lod_transition_kimg: float = 600   # kimg that a fade takes; 0 = it comes at once
    minibatch_base: int = 16           # images in a minibatch where minibatch_dict has no entry
    minibatch_dict: Pairs = ()         # images in a minibatch, by resolution
    max_minibatch_per_gpu: Pairs = ()  # most images on each GPU, by resolution
    G_lrate_base: float = 0.001        # learning rate of G where G_lrate_dict has no entry
    G_lrate_dict: Pairs = ()           # learning rate of G, by resolution
    D_lrate_base: float = 0.001        # learning rate of D where D_lrate_dict has no entry
    D_lrate_dict: Pairs = ()           # learning rate of D, by resolution
    lrate_rampup_kimg: float = 0       # kimg over which learning rates rise from 0; 0 = at once
    tick_kimg_base: float = 160        # kimg of a tick where tick_kimg_dict has no entry
    tick_kimg_dict: Pairs = ((4, 160), (8, 140), (16, 120), (32, 100), (64, 80), (128, 60),
                             (256, 40), (512, 30), (1024, 20))  # kimg of a tick, by resolution

    def __post_init__(self):
        for name in ('minibatch_dict', 'max_minibatch_per_gpu', 'G_lrate_dict', 'D_lrate_dict',
                     'tick_kimg_dict'):
            _freeze_pairs(self, name)
        require(is_power_of_two(self.lod_initial_resolution) and self.lod_initial_resolution >= 4,
                'lod_initial_resolution', 'a power of two from 4 up', self.lod_initial_resolution)
        require(self.minibatch_base >= 1, 'minibatch_base', 'at least 1', self.minibatch_base)
        for name in ('lod_training_kimg', 'lod_transition_kimg', 'lrate_rampup_kimg'):
            require(getattr(self, name) >= 0, name, 'at least 0', getattr(self, name))
        for name in ('G_lrate_base', 'D_lrate_base', 'tick_kimg_base'):
            require(getattr(self, name) > 0, name, 'above 0', getattr(self, name))


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


def check_run_fields(config):
    """ValueError for a value out of its range of the fields that runs of every kind have."""
    for name, least in (('checkpoint_ticks', 1), ('image_snapshot_ticks', 0),
                        ('network_snapshot_ticks', 0), ('checkpoint_minutes', 0),
                        ('keep_checkpoints', 1), ('keep_snapshots', 0), ('seed', 0),
                        ('num_fp16_res', 0), ('num_gpus', 1)):
        require(getattr(config, name) >= least, name, f'at least {least}', getattr(config, name))
    require(config.precision in PRECISIONS, 'precision', f'one of {tuple(PRECISIONS)}',
            config.precision)
    require(config.batch_gpu is None or config.batch_gpu >= 1, 'batch_gpu', 'at least 1, or none',
            config.batch_gpu)
    require(config.total_kimg > 0, 'total_kimg', 'above 0', config.total_kimg)


@dataclass(frozen=True)
class RunConfig:
    """A whole training run, apart from where it is written and what it starts from."""
    data: str                          # directory of TFRecord files
    G: NetworkConfig
    D: NetworkConfig
    losses: LossConfig = LossConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    total_kimg: float = 25000          # length of training: images shown, in kimg
    mirror_augment: bool = False       # flip each real image left-right with probability 1/2
    augment: Optional[AugmentConfig] = None  # what D is shown instead of images; none = images
    holdout: int = 0                   # images that are never trained on: by D's scores of them a
    # run tells whether it learns the others by heart
    minibatch_repeats: int = 4         # iterations for each reading of the schedule
    D_repeats: int = 1                 # D steps for each G step
    num_gpus: int = 1                  # devices that share the minibatch
    precision: str = 'float32'         # type of activations: float32, mixed_bfloat16 or
    # mixed_float16
    num_fp16_res: int = 4              # mixed_float16: number of resolutions, from the highest
    # down, that are computed in half precision
    allow_tf32: bool = False           # let a GPU's tensor cores compute what is float32, with
    # inputs rounded to 10 bits (TF32): faster, but no longer float32
    batch_gpu: Optional[int] = None    # images that a GPU computes at a time; it adds up gradients
    # until its share of the minibatch is complete; none = its whole share
    G_smoothing_kimg: float = 10.0     # half-life of the moving average Gs, kimg; 0 = none: Gs is
    # G one step before
    reset_opt_for_new_lod: bool = True  # forget Adam's moments when a new resolution begins to fade
    # in, and when it is there
    image_snapshot_ticks: int = 1      # ticks between two fakes*.png; 0 = first and last only
    network_snapshot_ticks: int = 10   # ticks between two network-snapshot-*; 0 = first and last
    # only
    checkpoint_ticks: int = 1          # ticks between two checkpoints
    checkpoint_minutes: float = 20     # save within a tick too, once the last checkpoint is so many
    # minutes old; 0 = never
    keep_checkpoints: int = 3          # number of checkpoints kept, the newest
    keep_snapshots: int = 0            # number of network-snapshot-* kept, the newest; 0 = all
    freeze_d: int = 0                  # FreezeD: so many layers of D stay as they are loaded, from
    # the image on: 1 = FromRGB, then the two convolutions of each resolution in turn, the finest
    # first; 0 = all are trained
    histograms: bool = False           # write histograms of all weights at each tick (TensorBoard)
    probe: Optional[bool] = None       # try one step at the last resolution before training starts;
    # none = only with a GPU, because a CPU's step there may take a minute
    grid: str = '1080p'                # size of the sample grids: 1080p, 4k or COLUMNSxROWS
    grid_layout: str = 'random'        # what a grid shows: random, or one class in each row
    # (row_per_class), column (col_per_class) or block of 4x4 images (class4x4)
    seed: int = 1000                   # seed of everything random in the run

    WIDTH_FLAGS = '--fmap_base, --fmap_max or --resolution'  # what makes networks smaller

    @property
    def group(self):
        """Images that D's minibatch stddev needs together."""
        return max(self.D.mbstd_group_size, 1)

    def __post_init__(self):
        check_run_fields(self)
        for name, least in (('minibatch_repeats', 1), ('D_repeats', 1), ('G_smoothing_kimg', 0),
                            ('holdout', 0)):
            require(getattr(self, name) >= least, name, f'at least {least}', getattr(self, name))
        require(re.fullmatch(r'1080p|4k|[1-9]\d{0,2}x[1-9]\d{0,2}', self.grid), 'grid',
                "'1080p', '4k' or COLUMNSxROWS such as 20x10", self.grid)
        require(self.grid_layout in GRID_LAYOUTS, 'grid_layout', f'one of {GRID_LAYOUTS}',
                self.grid_layout)
        for name in ('resolution', 'num_channels', 'label_size'):
            require(getattr(self.G, name) == getattr(self.D, name), name, 'the same in G and D',
                    (getattr(self.G, name), getattr(self.D, name)))
        require(self.schedule.lod_initial_resolution <= self.G.resolution,
                'lod_initial_resolution', f'at most {self.G.resolution}, as the data have',
                self.schedule.lod_initial_resolution)
        if self.augment is not None:
            self.augment.transformations(self.G.num_channels)
        most = 1 + 2 * (self.D.resolution_log2 - 2)
        require(0 <= self.freeze_d <= most, '--freezed', f'within 0..{most} at '
                f'{self.D.resolution}x{self.D.resolution} (FromRGB and two convolutions at each '
                'resolution above 4x4; what is at 4x4 is always trained)', self.freeze_d)
