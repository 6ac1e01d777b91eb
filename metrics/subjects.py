"""What is measured: a network, or a set of images, with the reals to compare with."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any, NamedTuple, Optional

from conversion import cache, decode, from_images
from formats import download
from formats.files import file_sha256
from metrics.features import FeatureNetworks
from metrics.real_statistics import CachedStatistics, check_graph, read_statistics
from metrics.registry import Task
from metrics.sources import DatasetSource, GeneratorSource
from runs import directory
from training import snapshot
from training.dataset import TFRecordDataset


class Subject(NamedTuple):
    """Something to measure."""
    label: str             # how a table calls it
    task: Task
    about: dict[str, Any]  # for the file of results: names and hashes


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
    kept: dict[Any, Any] = dataclasses.field(default_factory=dict)  # what was computed of reals


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


def _kept(setting, dataset, what, compute):
    """compute(), or what it gave for another network and the same data set."""
    key = (dataset.fingerprint(), dataset.resolution, what)
    if key not in setting.kept:
        setting.kept[key] = compute()
    return setting.kept[key]


def _given_statistics(setting, statistics, count, compute):
    """`statistics`, those of the setting's file, if they are of the features in use."""
    del count, compute
    check_graph(setting.real_statistics, setting.networks.sha256('inception'))
    return statistics


def _task_of_reals(setting, dataset):
    """A Task with the reals' side filled in, and what to note about it."""
    options = {'networks': setting.networks, 'seed': setting.seed, 'reals': None, 'num_reals': 0}
    about = {'minibatch': setting.minibatch}
    if dataset is not None:
        source = DatasetSource(dataset, setting.minibatch, setting.mirror, setting.seed)
        options.update(reals=source.images, num_reals=dataset.num_images,
                       real_statistics=CachedStatistics(dataset, setting.mirror, setting.seed,
                                                        setting.networks, setting.cache_dir),
                       of_reals=functools.partial(_kept, setting, dataset))
        about.update(reals=dataset.directory, reals_fingerprint=dataset.fingerprint(),
                     num_reals=dataset.num_images, mirror=setting.mirror)
    if setting.real_statistics:
        options['real_statistics'] = functools.partial(
            _given_statistics, setting, read_statistics(setting.real_statistics))
        about.update(real_stats=setting.real_statistics,
                     real_stats_sha256=file_sha256(setting.real_statistics))
    return Task(fakes=None, **options), about


def of_generator(Gs, path, kimg, lod, dataset, setting):
    """Subject for a generator, which is that of the network file `path`.

    Args:
        kimg, lod: of the network.
        dataset: TFRecordDataset of the reals; None = none.
    """
    task, about = _task_of_reals(setting, dataset)
    source = GeneratorSource(Gs, setting.minibatch, setting.seed, dataset and dataset.labels, lod,
                             setting.networks.devices)
    about = {'kimg': kimg, 'network': os.path.basename(path), 'network_sha256': file_sha256(path),
             **about}
    return Subject(os.path.basename(path),
                   dataclasses.replace(task, fakes=source.images, source=source), about)


def of_network(path, setting):
    """Subject for a network file."""
    networks = snapshot.load(path)
    dataset = open_images(setting.reals, setting, networks.Gs.config) if setting.reals else None
    return of_generator(networks.Gs, path, networks.kimg, networks.lod, dataset, setting)


def of_images(path, setting):
    """Subject for a set of images in place of a network's."""
    fakes = open_images(path, setting)
    dataset = open_images(setting.reals, setting) if setting.reals else None
    shapes = [(item.resolution, item.resolution, item.num_channels)
              for item in (fakes, dataset or fakes)]
    if shapes[0] != shapes[1]:
        raise ValueError(f'--fakes={path}: its images must be as those of --reals, {shapes[1]}; '
                         f'received {shapes[0]}. --resolution scales images of folders.')
    task, about = _task_of_reals(setting, dataset)
    source = DatasetSource(fakes, setting.minibatch)
    about = {'fakes': fakes.directory, 'fakes_fingerprint': fakes.fingerprint(), **about}
    return Subject(fakes.name, dataclasses.replace(task, fakes=source.images,
                                                   num_fakes=fakes.num_images), about)


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
