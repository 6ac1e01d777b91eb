"""Every option of a translation run: what belongs to the run, not to its networks; presets."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Optional

from training.config import check_run_fields, require
from training.config_json import config_from_dict
from training.presets import belonging
from translation import config as networks_config
from translation.config import TranslationConfig

ARCHITECTURE = 'stargan2'


@dataclass(frozen=True)
class TranslationRunConfig:
    """A whole training of a translation network, apart from where it is written.

    A field without a comment means what it means in training.config.RunConfig.
    """
    data: str                          # folder of domain folders, or a labelled data set
    networks: TranslationConfig
    val: Optional[str] = None          # the same, to validate with; none = --holdout
    holdout: float = 0.1               # without --val: share of each domain's images that are not
    # trained on but validated with
    total_kimg: float = 800            # length of training: images translated, in kimg
    batch: int = 8                     # images in a minibatch, over all GPUs
    randcrop_prob: float = 0.5         # probability that an image is cropped at random
    tick_kimg: float = 4               # kimg between two progress lines
    num_gpus: int = 1
    precision: str = 'float32'
    num_fp16_res: int = 4
    allow_tf32: bool = False
    batch_gpu: Optional[int] = None
    image_snapshot_ticks: int = 10     # ticks between two sets of sheets; 0 = first and last only
    network_snapshot_ticks: int = 20
    checkpoint_ticks: int = 5
    checkpoint_minutes: float = 20
    keep_checkpoints: int = 3
    keep_snapshots: int = 0
    histograms: bool = False
    sheet_images: int = 8              # sources in a sheet, and references
    seed: int = 777

    # What the loop asks of every kind of run.
    minibatch_repeats = 1              # iterations between two looks at the clock
    WIDTH_FLAGS = '--conv_dim_base, --max_conv_dim or --img_size'

    def __post_init__(self):
        check_run_fields(self)
        require(0 < self.holdout < 1, 'holdout', 'above 0 and below 1', self.holdout)
        require(self.batch >= self.num_gpus and self.batch % self.num_gpus == 0, 'batch',
                f'a multiple of the number of GPUs, {self.num_gpus}', self.batch)
        require(0 <= self.randcrop_prob <= 1, 'randcrop_prob', 'within 0..1', self.randcrop_prob)
        require(self.tick_kimg > 0, 'tick_kimg', 'above 0', self.tick_kimg)
        require(self.sheet_images >= 2, 'sheet_images', 'at least 2', self.sheet_images)

    @property
    def group(self):
        """Images that must be computed together: any number may be computed alone."""
        return 1


RUN_PRESETS = {  # {preset: what differs from the defaults}
    'afhq': {}, 'celeba_hq': {},
    'small': {'total_kimg': 64, 'batch': 16, 'tick_kimg': 1.6},
}


def run_config(preset, data, num_domains, overrides=None, num_gpus=1):
    """The TranslationRunConfig of a preset for images of `num_domains` domains.

    Args:
        overrides: {field of either dataclass: value}.
    Raises:
        ValueError: an unknown preset or field, or a value out of its range.
    """
    if preset not in RUN_PRESETS:
        raise ValueError(f'--preset={preset}: must be one of {", ".join(RUN_PRESETS)}.')
    overrides = overrides or {}
    run, of_networks = (belonging(each, overrides)
                        for each in (TranslationRunConfig, TranslationConfig))
    unknown = set(overrides) - {*run, *of_networks}
    if unknown:
        raise ValueError(f'--{min(unknown)}: there is no such option.')
    networks = dataclasses.replace(networks_config.PRESETS[preset],
                                   **{'num_domains': num_domains, **of_networks})
    return TranslationRunConfig(data=data, networks=networks, num_gpus=num_gpus,
                                **{**RUN_PRESETS[preset], **run})


def to_json(config):
    """A TranslationRunConfig as the text of training_options.json."""
    return json.dumps({**dataclasses.asdict(config), 'architecture': ARCHITECTURE}, indent=2)


def from_json(text):
    """The inverse of `to_json`; ValueError names what misfits."""
    fields = json.loads(text)
    if fields.pop('architecture', None) != ARCHITECTURE:
        raise ValueError('it is not a run of train_translation.py')
    networks = config_from_dict(TranslationConfig, fields['networks'])
    return config_from_dict(TranslationRunConfig, {**fields, 'networks': networks})
