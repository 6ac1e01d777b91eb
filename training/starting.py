"""What a run starts from: nothing, its own checkpoint, or somebody's network."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple, Optional

from formats import download
from formats.file_kind import NETWORK_SUFFIX
from runs import directory
from runs.checkpoints import newest_nimg
from training import snapshot
from training.build import ARCHITECTURES, architecture_of
from training.config import RunConfig
from training.config_json import changed_options, flat_options, run_config_from_json
from training.schedule import chunks_of, full_resolution_kimg, training_schedule

# Options that decide no number of a training (batch_gpu: rounding, and the groups of the minibatch
# stddev only): a command may change them and still resume a run.
FREE = {'total_kimg', 'image_snapshot_ticks', 'network_snapshot_ticks', 'checkpoint_ticks',
        'checkpoint_minutes', 'keep_checkpoints', 'keep_snapshots', 'grid', 'grid_layout',
        'histograms', 'probe', 'batch_gpu', 'schedule.tick_kimg_base', 'schedule.tick_kimg_dict'}
DATA_FIELDS = ('resolution', 'num_channels', 'label_size')  # what the data set decides in a network


class Start(NamedTuple):
    """How a run begins."""
    config: RunConfig
    description: str
    run_dir: Optional[str] = None   # an earlier run to resume; None = a new directory
    complete: bool = False          # whether that run has nothing left to do
    initial: Any = None             # Snapshot with the weights of a new run; None = fresh weights
    origin: Optional[directory.Origin] = None  # where those weights are from
    kimg: float = 0.0               # where in the schedule it begins


def find_start(config, outdir, resume, resume_snapshot=None, resume_kimg=None) -> Start:
    """Where the run that --resume names begins.

    Raises:
        ValueError: what --resume names is not there or does not fit, in a table of both sides.
    """
    if resume in download.PUBLISHED or '://' in resume:
        resume = download.local_path(resume)
    names_network = os.path.isfile(resume)
    if resume_kimg is not None and not (names_network or resume_snapshot is not None):
        raise ValueError(f'--resume_kimg={resume_kimg:g} needs --resume=NETWORK_FILE or '
                         f'--resume_snapshot; received --resume={resume}.')
    if resume_snapshot is not None:
        if names_network or resume in ('none', 'auto'):
            raise ValueError('--resume_snapshot needs --resume=RUN, a run number or directory.')
        run_dir = (_newest_with_snapshot(config, outdir, resume_snapshot) if resume == 'latest'
                   else directory.find_run(outdir, resume))
        return _from_network(config, outdir, directory.snapshot_of(run_dir, resume_snapshot),
                             resume_kimg, own_kimg=True)
    if names_network:
        return _from_network(config, outdir, resume, resume_kimg, own_kimg=False)
    if resume == 'none':
        return Start(config, 'fresh weights, kimg 0')
    if resume == 'auto':
        return _auto(config, outdir)
    if resume == 'latest':
        return _latest(config, outdir)
    if resume.endswith((NETWORK_SUFFIX, '.pkl')) or os.sep in resume and not os.path.isdir(resume):
        raise ValueError(f'--resume={resume}: there is no such file or directory.')
    return _go_on(config, directory.find_run(outdir, resume))


def make_run_dir(start, outdir):
    """Creates and returns the next run directory, such as results/00012-sgan-faces-1gpu."""
    run_dir = directory.new_run_dir(outdir, _description(start.config))
    if start.origin is not None:
        directory.save_origin(run_dir, start.origin)
    return run_dir


def check_minibatches(config):
    """ValueError where what a GPU computes at a time does not fit the minibatch-stddev groups."""
    group, resolution, schedule = config.D.mbstd_group_size, config.G.resolution, config.schedule
    nimg, step = 0, (schedule.lod_training_kimg + schedule.lod_transition_kimg) * 1000
    current = schedule.lod_initial_resolution
    while current <= resolution:
        minibatch = training_schedule(nimg, resolution, config.num_gpus, schedule).minibatch
        per_gpu = minibatch // config.num_gpus
        if not per_gpu:
            raise ValueError(
                f'--minibatch_base, --minibatch_dict: the minibatch at {current}x{current} must be '
                f'at least one image for each of the {config.num_gpus} GPUs; received less: raise '
                'it, or train with fewer GPUs (--num_gpus).')
        _check_stddev_groups(config, current, per_gpu, group)
        nimg, current = nimg + int(step), current * 2


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


def _description(config):
    kind = ARCHITECTURES[architecture_of(config.G)].short_name
    return f'{kind}-{_data_description(config)}'


def _data_description(config):
    labels = '-cond' if config.G.label_size else ''
    return f'{os.path.basename(os.path.abspath(config.data))}{labels}-{config.num_gpus}gpu'


def _runs_of_data(config, outdir):
    """The runs of this data set that have a checkpoint, the newest first.

    Those of the other architecture only if they have it from a network file.
    """
    own, data = _description(config), _data_description(config)
    for path in reversed(directory.run_dirs(outdir).values()):
        name = os.path.basename(path)[6:]
        fits = name == own or name.partition('-')[2] == data and directory.has_origin(path)
        if fits and newest_nimg(os.path.join(path, directory.CHECKPOINTS)) is not None:
            yield path


def _newest_with_snapshot(config, outdir, kimg):
    found = next((path for path in _runs_of_data(config, outdir)
                  if kimg in directory.network_snapshots(path)), None)
    if found is None:
        raise ValueError(f'--resume_snapshot={kimg}: no run *-{_description(config)} in {outdir!r} '
                         'has a network snapshot of that kimg.')
    return found


def _auto(config, outdir):
    run_dir, why_not = _same_run(config, outdir, None)
    if run_dir is not None:
        return _go_on(config, run_dir)
    return Start(config, 'fresh weights, kimg 0 (' + (
        why_not or f'there is no run *-{_description(config)} with a checkpoint in {outdir!r} yet')
        + ')')


def _latest(config, outdir):
    run_dir = next(_runs_of_data(config, outdir), None)
    if run_dir is None:
        return Start(config, f'fresh weights, kimg 0 (--resume=latest: there is no run '
                             f'*-{_description(config)} with a checkpoint in {outdir!r} yet)')
    return _go_on(config, run_dir)


def _same_run(config, outdir, origin):
    """(the newest run that a command like this one began or None, why not the newest of all)."""
    reasons = []
    for path in _runs_of_data(config, outdir):
        reason = _difference(path, config, origin)
        if reason is None:
            return path, ''
        reasons.append(f'{os.path.basename(path)} {reason}')
    return None, reasons[0] if reasons else ''


def _difference(run_dir, config, origin):
    """Why a run is not one that this command began; None if it is."""
    try:
        earlier = directory.load_options(run_dir, run_config_from_json)
        its_origin = directory.load_origin(run_dir)
    except ValueError as error:
        return f'cannot be resumed: {error}'
    if its_origin is None and origin is not None:
        return 'began with fresh weights'
    if its_origin is not None and not its_origin.same(origin):
        return f'began with {its_origin.network} at kimg {its_origin.kimg:g}'
    changed = [name for name in changed_options(earlier, config) if name not in FREE]
    if not changed:
        return None
    more = f' and {len(changed) - 1} more' if len(changed) > 1 else ''
    return (f'has other options: {changed[0]} {flat_options(earlier).get(changed[0])} there, '
            f'{flat_options(config).get(changed[0])} here{more}; --resume=latest would resume it')


def _go_on(config, run_dir):
    """From the newest checkpoint of a run; complete where that has nothing left to do."""
    earlier = directory.load_options(run_dir, run_config_from_json)
    networks = {'G': config.G, 'D': config.D}
    _check_same(f'run {os.path.basename(run_dir)}', {'G': earlier.G, 'D': earlier.D}, networks,
                fields=DATA_FIELDS if directory.has_origin(run_dir) else None)
    # One that began with a network file has the architecture of that.
    config = dataclasses.replace(config, G=earlier.G, D=earlier.D)
    nimg = newest_nimg(os.path.join(run_dir, directory.CHECKPOINTS))
    if nimg is None:
        raise ValueError(f'{run_dir}: has no checkpoint to resume from. To start a new run from '
                         'one of its network files: --resume=FILE, with --resume_kimg if need be.')
    if directory.is_finished(run_dir) and nimg >= int(config.total_kimg * 1000):
        another = 'another --seed' if directory.has_origin(run_dir) else '--resume=none'
        return Start(config, f'{run_dir}. This run is complete: {nimg / 1000:g} of '
                             f'{config.total_kimg:g} kimg. A larger --total_kimg continues it, '
                             f'{another} starts another.', run_dir=run_dir, complete=True)
    changes = ', '.join(changed_options(earlier, config))
    return Start(config, f'the newest checkpoint of {run_dir}, kimg {nimg / 1000:g}'
                 + (f' (changed since: {changes})' if changes else ''), run_dir=run_dir,
                 kimg=nimg / 1000)


def _from_network(config, outdir, path, resume_kimg, own_kimg):
    """A new run with the weights of a network file, or the one that this command began already."""
    networks = snapshot.load(path)
    if networks.G is None or networks.D is None:
        raise ValueError(f'{path}: holds Gs only: it can generate, but training needs G and D too.')
    # The architecture is the file's; only what the data set decides has to be the same.
    _check_same(os.path.basename(path), {'G': networks.G.config}, {'G': config.G},
                fields=DATA_FIELDS)
    config = dataclasses.replace(config, G=networks.G.config, D=networks.D.config)
    full = full_resolution_kimg(config.G.resolution, config.schedule)
    kimg = resume_kimg if resume_kimg is not None else networks.kimg if own_kimg else full
    why = ''
    if resume_kimg is None and not own_kimg:
        why = (' (no --resume_kimg given: the first kimg that is wholly at full resolution; an '
               'earlier one would grow it again from coarser images)')
    if kimg >= config.total_kimg:
        raise ValueError(f'--total_kimg={config.total_kimg:g} must be more than the starting kimg, '
                         f'{kimg:g}{why}; received a run that would end before it starts.')
    origin = directory.origin(path, kimg)
    run_dir, why_not = _same_run(config, outdir, origin)
    if run_dir is not None:
        return _go_on(config, run_dir)
    why += f'; a new run: {why_not}' if why_not else ''
    return Start(config, f'weights of {path}, kimg {kimg:g}{why}', initial=networks, kimg=kimg,
                 origin=origin)


def _check_same(name, earlier, configs, fields=None):
    """ValueError with a table of what differs between two {part: config of a network}.

    fields: the names that are compared; None = all.
    """
    rows = []
    for part in configs:
        ours, theirs = dataclasses.asdict(configs[part]), dataclasses.asdict(earlier[part])
        for field in fields or sorted(set(ours) | set(theirs)):
            if ours.get(field) != theirs.get(field):
                rows.append(f'  {part}.{field}: {name}: {theirs.get(field)} | this command: '
                            f'{ours.get(field)}')
    if rows:
        raise ValueError(f'--resume: the networks of {name} and of this command differ:\n'
                         + '\n'.join(rows) + '\nUse a data set (and options) that fit, or another '
                         'network; nothing was written.')
