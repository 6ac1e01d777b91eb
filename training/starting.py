"""What a run starts from: nothing, its own checkpoint, or somebody's network."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any, NamedTuple, Optional

from formats import download
from formats.file_kind import NETWORK_SUFFIX
from runs import directory
from runs.checkpoints import newest_nimg
from training import snapshot, surgery
from training.build import ARCHITECTURES, architecture_of
from training.config import RunConfig
from training.config_json import changed_options, flat_options, run_config_from_json
from training.pipes import TRANSFER_ADAPT_KIMG
from training.schedule import chunks_of, fade_kimg, full_resolution_kimg, minibatches

# Options that decide no number of a training (batch_gpu: rounding, and the groups of the minibatch
# stddev only): a command may change them and still resume a run.
FREE = {'total_kimg', 'image_snapshot_ticks', 'network_snapshot_ticks', 'checkpoint_ticks',
        'checkpoint_minutes', 'keep_checkpoints', 'keep_snapshots', 'grid', 'grid_layout',
        'histograms', 'probe', 'batch_gpu', 'schedule.tick_kimg_base', 'schedule.tick_kimg_dict'}
DATA_FIELDS = tuple(surgery.FIELDS.values())  # what the data set decides in a network


class Start(NamedTuple):
    """How a run begins."""
    config: RunConfig
    description: str
    run_dir: Optional[str] = None   # an earlier run to resume; None = a new directory
    complete: bool = False          # whether that run has nothing left to do
    initial: Any = None             # Snapshot with the weights of a new run; None = fresh weights
    origin: Optional[directory.Origin] = None  # where those weights are from
    kimg: float = 0.0               # where in the schedule it begins
    from_network: bool = False      # whether it began with somebody's weights, now or earlier
    fates: Optional[dict] = None    # what surgery made of these: training.surgery.operated


class Loaded(NamedTuple):
    """The networks of a file that a run begins with."""
    networks: Any                   # in the shape of the run's
    config: RunConfig               # the run's, with theirs
    kimg: float                     # their own, of their training
    grown_to: Optional[int] = None  # pixels that they are trained up to, if the run's are finer
    fates: Optional[dict] = None    # what surgery made of them


def base_name(path):
    return os.path.basename(os.path.abspath(path))


def check_same(name, earlier, configs, fields=None,
               remedy='Use a data set (and options) that fit, or another network'):
    """ValueError with a table of what differs between two {part: config of a network}.

    fields: the names that are compared; None = all.
    """
    rows = []
    for part in configs:
        ours, theirs = dataclasses.asdict(configs[part]), dataclasses.asdict(earlier[part])
        for field in sorted(set(ours) | set(theirs)) if fields is None else fields:
            if ours.get(field) != theirs.get(field):
                rows.append(f'  {part}.{field}: {name}: {theirs.get(field)} | this command: '
                            f'{ours.get(field)}')
    if rows:
        raise ValueError(f'--resume: the networks of {name} and of this command differ:\n'
                         + '\n'.join(rows) + f'\n{remedy}; nothing was written.')


class Starts:
    """Where a run of these options begins, among the runs below a directory.

    For StyleGAN and ProGAN; for another kind of run a subclass overrides what stands first.
    """

    free = FREE                   # options that a command may change and still resume a run
    parse = staticmethod(run_config_from_json)

    def __init__(self, config, outdir, surgeries=(), named=()):
        """surgeries: names of surgery.FIELDS, of what may differ in the networks of a file.

        named: fields that the command itself names, which surgery has to leave as they are there.
        """
        self.config, self.outdir, self.surgeries, self.named = config, outdir, surgeries, named

    @property
    def kind(self):
        """First part of a run directory's name."""
        return ARCHITECTURES[architecture_of(self.config.G)].short_name

    @property
    def data_description(self):
        """The rest of it."""
        labels = '-cond' if self.config.G.label_size else ''
        return f'{base_name(self.config.data)}{labels}-{self.config.num_gpus}gpu'

    @staticmethod
    def networks(config):
        """{part: config of a network} that must be the same in a run that is resumed."""
        return {'G': config.G, 'D': config.D}

    @staticmethod
    def fields_to_agree(has_origin):
        """Fields of `networks` that a resumed run must have as this command has; None = all.

        has_origin: whether it began with somebody's networks, and so has their architecture.
        """
        return DATA_FIELDS if has_origin else None

    def with_networks_of(self, other):
        """The run's config with the networks of another's, or of a loaded network file."""
        return dataclasses.replace(self.config, G=other.G, D=other.D)

    def loaded(self, path):
        """The Loaded of a network file; ValueError where it does not fit."""
        networks, name, wanted = snapshot.load(path), base_name(path), self.config.G
        if networks.G is None or networks.D is None:
            raise ValueError(f'{path}: holds Gs only: it can generate, but training needs G and D '
                             'too.')
        # The architecture is the file's; only what the data set decides has to be the same.
        trained, augment = networks.G.config, self.config.augment
        differing, fates, grown_to = surgery.needed(trained, wanted), None, None
        self._check_networks(name, networks, differing)
        if differing:
            networks, fates = self._operated(name, networks, differing)
        if wanted.resolution > trained.resolution:
            grown_to = trained.resolution >> math.ceil(networks.lod)
        if augment is not None:
            augment = dataclasses.replace(augment, adapt_kimg=min(augment.adapt_kimg,
                                                                  TRANSFER_ADAPT_KIMG))
        config = dataclasses.replace(self.config, G=networks.G.config, D=networks.D.config,
                                     augment=augment)
        return Loaded(networks, config, networks.kimg, grown_to, fates)

    def _check_networks(self, name, networks, differing):
        """ValueError where a file's networks differ in more than surgery may change.

        differing: names of surgery.FIELDS.
        """
        theirs, ours = architecture_of(networks.G.config), architecture_of(self.config.G)
        remedy = 'Use a data set (and options) that fit, or another network'
        if theirs == ours:
            remedy += f', or have this one changed by --surgery={",".join(differing)}'
        check_same(name, {'G': networks.G.config}, {'G': self.config.G},
                   [surgery.FIELDS[each] for each in differing if each not in self.surgeries],
                   remedy)
        if not self.surgeries:
            return
        if theirs != ours:
            raise ValueError(f'--surgery changes networks within one architecture; received {name} '
                             f'of {theirs} and a --preset of {ours}: take a preset of {theirs}, '
                             'or another network.')
        check_same(name, {'G': networks.G.config, 'D': networks.D.config},
                   self.networks(self.config), self.named,
                   f'--surgery changes {", ".join(DATA_FIELDS)} and nothing else: leave these '
                   "options out, then they are the file's")

    def _operated(self, name, networks, surgeries):
        """The networks in the shape that the data need, and what became of them."""
        try:
            return surgery.operated(networks, self.config.G, surgeries, self.config.seed)
        except ValueError as error:
            raise ValueError(f'--surgery={",".join(surgeries)}: {name} cannot be changed: {error}'
                             ) from None

    def default_kimg(self, loaded: Loaded):
        """(where a run that begins with somebody's networks starts, why there)."""
        config, grown_to = loaded.config, loaded.grown_to
        if grown_to is None:
            return full_resolution_kimg(config.G.resolution, config.schedule), (
                ' (no --resume_kimg given: the first kimg that is wholly at full resolution; an '
                'earlier one would grow it again from coarser images)')
        first = config.schedule.lod_initial_resolution
        if first > grown_to:
            raise ValueError(f'--lod_initial_resolution must be at most {grown_to}, the resolution '
                             f'of the network, so that finer layers can fade in; received {first}. '
                             'Or say with --resume_kimg where to start.')
        return fade_kimg(2 * grown_to, config.schedule), (
            f' (no --resume_kimg given: where {2 * grown_to}x{2 * grown_to} begins to fade in)')

    # What is alike in every kind.

    @property
    def description(self):
        """Of a run directory's name, what follows the number."""
        return f'{self.kind}-{self.data_description}'

    def find(self, resume, resume_snapshot=None, resume_kimg=None) -> Start:
        """Where the run that --resume names begins.

        Raises:
            ValueError: what --resume names is not there or does not fit, in a table of both sides.
        """
        if resume in download.PUBLISHED or '://' in resume:
            resume = download.local_path(resume)
        names_network = os.path.isfile(resume)
        if self.surgeries and not names_network:
            raise ValueError(f'--surgery={",".join(self.surgeries)} needs --resume=NETWORK_FILE, '
                             f'whose networks it changes; received --resume={resume}.')
        if resume_kimg is not None and not (names_network or resume_snapshot is not None):
            raise ValueError(f'--resume_kimg={resume_kimg:g} needs --resume=NETWORK_FILE or '
                             f'--resume_snapshot; received --resume={resume}.')
        if resume_snapshot is not None:
            if names_network or resume in ('none', 'auto'):
                raise ValueError('--resume_snapshot needs --resume=RUN, a run number or directory.')
            run_dir = (self._newest_with_snapshot(resume_snapshot) if resume == 'latest'
                       else directory.find_run(self.outdir, resume))
            return self._from_network(directory.snapshot_of(run_dir, resume_snapshot), resume_kimg,
                                      own_kimg=True)
        if names_network:
            return self._from_network(resume, resume_kimg, own_kimg=False)
        if resume == 'none':
            return Start(self.config, 'fresh weights, kimg 0')
        if resume == 'auto':
            return self._auto()
        if resume == 'latest':
            return self._latest()
        if (resume.endswith((NETWORK_SUFFIX, '.pkl'))
                or os.sep in resume and not os.path.isdir(resume)):
            raise ValueError(f'--resume={resume}: there is no such file or directory.')
        return self._go_on(directory.find_run(self.outdir, resume))

    def make_run_dir(self, start):
        """Creates and returns the next run directory, such as results/00012-sgan-faces-1gpu."""
        run_dir = directory.new_run_dir(self.outdir, type(self)(start.config,
                                                                self.outdir).description)
        if start.origin is not None:
            directory.save_origin(run_dir, start.origin)
        return run_dir

    def _runs_of_data(self):
        """The runs of this data set that have a checkpoint, the newest first.

        Those of the other architecture only if they have it from a network file.
        """
        for path in reversed(directory.run_dirs(self.outdir).values()):
            name = os.path.basename(path)[6:]
            fits = name == self.description or (
                name.partition('-')[2] == self.data_description and directory.has_origin(path))
            if fits and newest_nimg(os.path.join(path, directory.CHECKPOINTS)) is not None:
                yield path

    def _newest_with_snapshot(self, kimg):
        found = next((path for path in self._runs_of_data()
                      if kimg in directory.network_snapshots(path)), None)
        if found is None:
            raise ValueError(f'--resume_snapshot={kimg}: no run *-{self.description} in '
                             f'{self.outdir!r} has a network snapshot of that kimg.')
        return found

    def _auto(self):
        run_dir, why_not = self._same_run(None)
        if run_dir is not None:
            return self._go_on(run_dir)
        none = f'there is no run *-{self.description} with a checkpoint in {self.outdir!r} yet'
        return Start(self.config, f'fresh weights, kimg 0 ({why_not or none})')

    def _latest(self):
        run_dir = next(self._runs_of_data(), None)
        if run_dir is None:
            return Start(self.config, 'fresh weights, kimg 0 (--resume=latest: there is no run '
                                      f'*-{self.description} with a checkpoint in {self.outdir!r} '
                                      'yet)')
        return self._go_on(run_dir)

    def _same_run(self, origin):
        """(newest run that a command like this one began or None, why not the newest of all)."""
        reasons = []
        for path in self._runs_of_data():
            reason = self._difference(path, origin)
            if reason is None:
                return path, ''
            reasons.append(f'{os.path.basename(path)} {reason}')
        return None, reasons[0] if reasons else ''

    def _difference(self, run_dir, origin):
        """Why a run is not one that this command began; None if it is."""
        try:
            earlier = directory.load_options(run_dir, self.parse)
            its_origin = directory.load_origin(run_dir)
        except ValueError as error:
            return f'cannot be resumed: {error}'
        if its_origin is None and origin is not None:
            return 'began with fresh weights'
        if its_origin is not None and not its_origin.same(origin):
            return f'began with {its_origin.network} at kimg {its_origin.kimg:g}'
        changed = [name for name in changed_options(earlier, self.config)
                   if name not in self.free]
        if not changed:
            return None
        more = f' and {len(changed) - 1} more' if len(changed) > 1 else ''
        theirs, ours = (flat_options(each).get(changed[0]) for each in (earlier, self.config))
        return (f'has other options: {changed[0]} {theirs} there, {ours} here{more}; '
                '--resume=latest would resume it')

    def _go_on(self, run_dir):
        """From the newest checkpoint of a run; complete where that has nothing left to do."""
        earlier = directory.load_options(run_dir, self.parse)
        has_origin = directory.has_origin(run_dir)
        check_same(f'run {os.path.basename(run_dir)}', self.networks(earlier),
                    self.networks(self.config), fields=self.fields_to_agree(has_origin))
        config = self.with_networks_of(earlier)  # a run from a network file has that one's
        nimg = newest_nimg(os.path.join(run_dir, directory.CHECKPOINTS))
        if nimg is None:
            raise ValueError(f'{run_dir}: has no checkpoint to resume from. To start a new run '
                             'from one of its network files: --resume=FILE, with --resume_kimg if '
                             'need be.')
        if directory.is_finished(run_dir) and nimg >= int(config.total_kimg * 1000):
            another = 'another --seed' if has_origin else '--resume=none'
            return Start(config, f'{run_dir}. This run is complete: {nimg / 1000:g} of '
                                 f'{config.total_kimg:g} kimg. A larger --total_kimg continues it, '
                                 f'{another} starts another.', run_dir=run_dir, complete=True,
                         from_network=has_origin)
        changes = ', '.join(changed_options(earlier, config))
        return Start(config, f'the newest checkpoint of {run_dir}, kimg {nimg / 1000:g}'
                     + (f' (changed since: {changes})' if changes else ''), run_dir=run_dir,
                     kimg=nimg / 1000, from_network=has_origin)

    def _from_network(self, path, resume_kimg, own_kimg):
        """A new run with the weights of a network file, or the one that was begun so already."""
        loaded, why = self.loaded(path), ''
        config = loaded.config
        if resume_kimg is not None:
            kimg = resume_kimg
        elif own_kimg:
            kimg = loaded.kimg
        else:
            kimg, why = self.default_kimg(loaded)
        if kimg >= config.total_kimg:
            raise ValueError(f'--total_kimg={config.total_kimg:g} must be more than the starting '
                             f'kimg, {kimg:g}{why}; received a run that would end before it '
                             'starts.')
        origin = directory.origin(path, kimg)
        with_its_networks = type(self)(config, self.outdir)
        run_dir, why_not = with_its_networks._same_run(origin)
        if run_dir is not None:
            return with_its_networks._go_on(run_dir)
        why += f'; a new run: {why_not}' if why_not else ''
        return Start(config, f'weights of {path}, kimg {kimg:g}{why}', initial=loaded.networks,
                     kimg=kimg, origin=origin, from_network=True, fates=loaded.fates)


def check_minibatches(config, num_images):
    """ValueError where minibatches do not fit the minibatch-stddev groups, or the images left."""
    group = config.D.mbstd_group_size
    for current, minibatch in minibatches(config):
        left = num_images - config.holdout
        if config.holdout and left < minibatch:
            raise ValueError(
                f'--holdout must leave a minibatch of images, {minibatch} at {current}x{current}; '
                f'received {config.holdout} of {num_images}, which leaves {left}. Hold out fewer; '
                '0 = none.')
        per_gpu = minibatch // config.num_gpus
        if not per_gpu:
            raise ValueError(
                f'--minibatch_base, --minibatch_dict: the minibatch at {current}x{current} must be '
                f'at least one image for each of the {config.num_gpus} GPUs; received less: raise '
                'it, or train with fewer GPUs (--num_gpus).')
        _check_stddev_groups(config, current, per_gpu, group)


def _check_stddev_groups(config, resolution, per_gpu, group):
    images = per_gpu // chunks_of(per_gpu, config.batch_gpu)
    if group < 2 or images <= group or not images % group:
        return
    if images < per_gpu:
        raise ValueError(
            f'--batch_gpu: the {per_gpu} images of a GPU at {resolution}x{resolution} would be '
            f'computed {images} at a time, which must be a multiple of the minibatch-stddev group '
            f'(--mbstd_group_size={group}); received --batch_gpu={config.batch_gpu}: '
            f'{max(images - images % group, 1)} may do.')
    lower = (images - images % group) * config.num_gpus
    raise ValueError(
        f'--minibatch_base, --minibatch_dict: the minibatch at {resolution}x{resolution} must be a '
        f'multiple of the minibatch-stddev group on each GPU (--mbstd_group_size={group}, '
        f'{config.num_gpus} GPU); received {per_gpu * config.num_gpus}: {lower} or '
        f'{lower + group * config.num_gpus} would do.')
