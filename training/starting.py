"""What a run starts from: nothing, its own checkpoint, or somebody's network."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, NamedTuple, Optional

from training import download, runs, snapshot
from training.config import RunConfig
from training.schedule import chunks_of, full_resolution_kimg, training_schedule
from training.state import has_checkpoint


class Start(NamedTuple):
    """How a run begins."""
    config: RunConfig
    description: str
    run_dir: Optional[str] = None   # an earlier run to go on with; None = a new directory
    initial: Any = None             # Snapshot with the weights of a new run; None = fresh weights
    kimg: float = 0.0               # where in the schedule a new run starts


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
        if names_network or resume == 'none':
            raise ValueError('--resume_snapshot needs --resume=RUN, a run number or directory.')
        run_dir = _newest_run(config, outdir) if resume == 'latest' else runs.find_run(outdir,
                                                                                      resume)
        return _from_network(config, runs.snapshot_of(run_dir, resume_snapshot), resume_kimg,
                             own_kimg=True)
    if names_network:
        return _from_network(config, resume, resume_kimg, own_kimg=False)
    if resume == 'none':
        return Start(config, 'fresh weights, kimg 0')
    if resume == 'latest':
        return _latest(config, outdir)
    if resume.endswith((snapshot.SUFFIX, '.pkl')) or os.sep in resume and not os.path.isdir(resume):
        raise ValueError(f'--resume={resume}: there is no such file or directory.')
    return _go_on(config, runs.find_run(outdir, resume))


def make_run_dir(config, outdir):
    """Creates and returns the next run directory, such as results/00012-sgan-faces-1gpu."""
    return runs.new_run_dir(outdir, _description(config))


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
    kind = {'stylegan': 'sgan', 'progan': 'pgan'}[config.architecture]
    labels = '-cond' if config.G.label_size else ''
    return f'{kind}-{os.path.basename(os.path.abspath(config.data))}{labels}-{config.num_gpus}gpu'


def _newest_run(config, outdir):
    """The newest run of this data set that has a checkpoint, or None."""
    description = _description(config)
    fitting = [path for path in runs.run_dirs(outdir).values()
               if os.path.basename(path)[6:] == description
               and (has_checkpoint(os.path.join(path, runs.CHECKPOINTS)))]
    return fitting[-1] if fitting else None


def _latest(config, outdir):
    run_dir = _newest_run(config, outdir)
    if run_dir is None:
        return Start(config, f'fresh weights, kimg 0 (--resume=latest: there is no run '
                             f'*-{_description(config)} with a checkpoint in {outdir!r} yet)')
    return _go_on(config, run_dir)


def _go_on(config, run_dir):
    earlier = runs.load_options(run_dir)
    _check_same(f'run {os.path.basename(run_dir)}', {'G': earlier.G, 'D': earlier.D},
                {'G': config.G, 'D': config.D})
    if not has_checkpoint(os.path.join(run_dir, runs.CHECKPOINTS)):
        raise ValueError(f'{run_dir}: has no checkpoint to go on from. To start a new run from one '
                         'of its network files: --resume=FILE, with --resume_kimg if need be.')
    return Start(config, f'the newest checkpoint of {run_dir}{_changes(earlier, config)}',
                 run_dir=run_dir)


def _from_network(config, path, resume_kimg, own_kimg):
    networks = snapshot.load(path)
    if networks.G is None or networks.D is None:
        raise ValueError(f'{path}: holds Gs only: it can generate, but training needs G and D too.')
    # The architecture is the file's; only what the data set decides has to be the same.
    _check_same(os.path.basename(path), {'G': networks.G.config}, {'G': config.G},
                fields=('resolution', 'num_channels', 'label_size'))
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
    return Start(config, f'weights of {path}, kimg {kimg:g}{why}', initial=networks, kimg=kimg)


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


def _changes(earlier, config):
    ours, theirs = (dataclasses.asdict(item) for item in (config, earlier))
    changed = [f'{part}{name}' for part, a, b in (
        ('', ours, theirs), ('losses.', ours['losses'], theirs['losses']),
        ('schedule.', ours['schedule'], theirs['schedule']))
        for name in a if a[name] != b[name] and not isinstance(a[name], dict)]
    return f' (changed since: {", ".join(changed)})' if changed else ''
