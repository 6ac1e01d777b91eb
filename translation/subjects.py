"""What translation's metrics measure: a network, with images to translate and to compare with."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Optional

from formats import download
from formats.files import file_sha256
from metrics.features import FeatureNetworks
from metrics.reals import FOLDER, Reals
from metrics.sources import DatasetSource
from metrics.subjects import Subject
from metrics.task import Task
from translation.data import DomainImages
from translation.domain_sets import in_order_of, sets_of
from translation.fakes import BATCH, Fakes
from translation.metrics import METRICS, TrainingImages
from translation.sampler import Translator


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is the same for all networks of a command or of a training."""
    networks: FeatureNetworks
    images: Optional[DomainImages]        # training images, to compare with; None = none
    val: DomainImages                     # to translate, and to take styles from
    seed: int = 0
    cache_dir: Optional[str] = None       # None = the one for downloads
    opened: dict[Any, Any] = dataclasses.field(default_factory=dict)  # {what for: what is kept}

    def kept(self, what, compute):
        """compute(), or what it gave the last time."""
        if what not in self.opened:
            self.opened[what] = compute()
        return self.opened[what]


def _val_sets(setting, config, domains):
    return sets_of(in_order_of(domains, setting.val, 'val'), config.img_size)


def _training_images(setting, config, domains):
    """TrainingImages of a network's domains at its size; None where there are none."""
    if setting.images is None:
        return None
    images = in_order_of(domains, setting.images, 'reals')
    folder = os.path.join(download.cache_directory(setting.cache_dir), FOLDER)
    return TrainingImages(images, tuple(
        Reals(DatasetSource(one, BATCH), setting.networks, folder, network='inception_v3')
        for one in sets_of(images, config.img_size)))


def _translator(held, setting, mask_fn):
    """A Translator of the networks: the last one, where it is theirs, as it is in training."""
    last = setting.opened.get(Translator)
    if last is None or last.Gs is not held.Gs:
        setting.opened[Translator] = Translator(held, mask_fn)
    return setting.opened[Translator]


def _about(val, reals, setting):
    """What a result notes of the images."""
    about = {'val': setting.val.path, 'num_val': sum(one.num_images for one in val)}
    if reals is not None:
        about.update(reals=reals.source.path, num_reals=reals.source.count)
    return about


def of_networks(held, path, setting, mask_fn=None):
    """Subject for the averages of a Snapshot, which the network file `path` holds.

    Raises:
        ValueError: a domain of the network without images.
    """
    config, domains = held.config, tuple(held.domains)
    key = config.img_size, domains
    val = setting.kept(('val', *key), lambda: _val_sets(setting, config, domains))
    reals = setting.kept(('reals', *key), lambda: _training_images(setting, config, domains))
    about = {'kimg': held.kimg, 'network': os.path.basename(path),
             'network_sha256': file_sha256(path), **_about(val, reals, setting)}
    if config.w_hpf:
        about['masks'] = mask_fn is not None
    fakes = Fakes(_translator(held, setting, mask_fn), val, setting.seed)
    task = Task(fakes, reals, setting.networks, setting.seed)
    return Subject(os.path.basename(path), task, about, METRICS)
