"""What is measured: a network, or a set of images, with the reals to compare with."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple, Optional

from conversion import cache, decode, from_images
from formats import download
from formats.files import file_sha256
from metrics.features import FeatureNetworks
from metrics.reals import FOLDER, Reals
from metrics.registry import METRICS, Metric
from metrics.sources import DatasetSource, GeneratorSource
from metrics.task import Task
from runs import directory
from training import snapshot
from training.dataset import TFRecordDataset


class Subject(NamedTuple):
    """Something to measure."""
    label: str             # how a table calls it
    task: Task
    about: dict[str, Any]  # for the file of results: names and hashes
    metrics: dict[str, Metric] = METRICS  # that may be asked of it


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is the same for all subjects of a command or of a training."""
    networks: FeatureNetworks
    reals: Optional[str] = None           # data set, folder or zip of images; None = none
    real_statistics: Optional[str] = None  # .npz file in place of the reals' own
    resolution: Optional[int] = None      # of sets of images; None = their own
    mirror: bool = False                  # flip reals
    seed: int = 0
    minibatch: int = 32
    cache_dir: Optional[str] = None       # None = the one for downloads
    opened: dict[Any, Any] = dataclasses.field(default_factory=dict)  # {what was asked for: Reals}


def open_images(path, setting, config=None):
    """TFRecordDataset at `path`, of the shape and labels of a generator's `config` if given.

    Folders and zips are converted once; those for a network are cropped and scaled to its size.
    """
    resolution = setting.resolution if config is None else config.resolution
    rules = decode.Rules(resolution, config and config.num_channels,
                         crop='center' if resolution else 'none')
    label_size = config.label_size if config else 0
    directory = cache.ensure_dataset(
        path, os.path.join(download.cache_directory(setting.cache_dir), 'converted'),
        from_images.Options(rules, labels='folders' if label_size else None))
    dataset = TFRecordDataset(directory, resolution, label_size)
    if config and dataset.num_channels != config.num_channels:
        raise ValueError(f'{path}: its images have {dataset.num_channels} channels, those of the '
                         f'network {config.num_channels}; name the data set that it was trained '
                         'on.')
    return dataset


def reals_of(dataset, setting):
    """The Reals of a TFRecordDataset, or of `setting.real_statistics`, or both; None of neither."""
    if dataset is None and not setting.real_statistics:
        return None
    source = None if dataset is None else DatasetSource(dataset, setting.minibatch, setting.mirror,
                                                        setting.seed)
    folder = os.path.join(download.cache_directory(setting.cache_dir), FOLDER)
    return Reals(source, setting.networks, folder, setting.real_statistics)


def open_reals(setting, config=None):
    """The Reals that `setting` names, for a generator's `config` if given; opened once for each."""
    shape = config and (config.resolution, config.num_channels, config.label_size)
    key = setting.reals, setting.mirror, shape
    if key not in setting.opened:
        dataset = open_images(setting.reals, setting, config) if setting.reals else None
        setting.opened[key] = reals_of(dataset, setting)
    return setting.opened[key]


def _about(reals, setting):
    """What a result notes of the reals and the setting."""
    about = {'minibatch': setting.minibatch}
    if reals is not None and reals.source is not None:
        dataset = reals.source.dataset
        about.update(reals=dataset.directory, reals_fingerprint=dataset.fingerprint(),
                     num_reals=dataset.num_images, mirror=setting.mirror)
    if setting.real_statistics:
        about.update(real_stats=setting.real_statistics,
                     real_stats_sha256=file_sha256(setting.real_statistics))
    return about


def of_generator(Gs, path, kimg, lod, reals, setting):
    """Subject for a generator, which is that of the network file `path`.

    Args:
        kimg, lod: of the network.
        reals: Reals; None = none.
    """
    fakes = GeneratorSource(Gs, setting.minibatch, setting.seed, reals and reals.labels, lod,
                            setting.networks.devices)
    about = {'kimg': kimg, 'network': os.path.basename(path), 'network_sha256': file_sha256(path),
             **_about(reals, setting)}
    return Subject(os.path.basename(path), Task(fakes, reals, setting.networks, setting.seed),
                   about)


def of_network(path, setting):
    """Subject for a network file."""
    networks = snapshot.load(path)
    reals = open_reals(setting, networks.Gs.config)
    return of_generator(networks.Gs, path, networks.kimg, networks.lod, reals, setting)


def of_images(path, setting):
    """Subject for a set of images in place of a network's."""
    fakes = open_images(path, setting)
    reals = open_reals(setting)
    others = fakes if reals is None or reals.source is None else reals.source.dataset
    shapes = [(item.resolution, item.resolution, item.num_channels) for item in (fakes, others)]
    if shapes[0] != shapes[1]:
        raise ValueError(f'--fakes={path}: its images must be as those of --reals, {shapes[1]}; '
                         f'received {shapes[0]}. --resolution scales images of folders.')
    about = {'fakes': fakes.directory, 'fakes_fingerprint': fakes.fingerprint(),
             **_about(reals, setting)}
    return Subject(fakes.name, Task(DatasetSource(fakes, setting.minibatch), reals,
                                    setting.networks, setting.seed), about)


def networks_of_run(run_dir, which):
    """Paths of the network snapshots of a run that `which` names: 'latest', 'all' or a kimg."""
    found = directory.network_snapshots(run_dir)
    if which == 'all' and found:
        return list(found.values())
    if which == 'latest' and found:
        return [list(found.values())[-1]]
    if which.isdigit() and int(which) in found:
        return [found[int(which)]]
    raise ValueError(f"--snapshot={which}: must be 'latest', 'all' or the kimg of a network "
                     f'snapshot; {run_dir} has {", ".join(map(str, found)) or "none"}.')
