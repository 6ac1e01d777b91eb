"""Configs as JSON text, complete and reloadable, and back; what differs between two."""

from __future__ import annotations

import dataclasses
import json
import os

from training.build import ARCHITECTURES, architecture_of
from training.config import LossConfig, RunConfig, ScheduleConfig
from training.pipes import AugmentConfig


def config_from_dict(config_class, fields):
    """A config from a dict read from a file; ValueError names the field that misfits."""
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


def to_json(config: RunConfig):
    """A RunConfig as the text of training_options.json; the inverse of `run_config_from_json`."""
    fields = dataclasses.asdict(config)
    fields['architecture'] = architecture_of(config.G)
    return json.dumps(fields, indent=2)


def network_config_from_dict(architecture, part, fields):
    """The config of 'G' or 'D' from a dict read from a file; ValueError names what misfits."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f'architecture must be one of {tuple(ARCHITECTURES)}; '
                         f'received {architecture!r}.')
    return config_from_dict(ARCHITECTURES[architecture].configs['GD'.index(part)], fields)


def run_config_from_json(text):
    """A RunConfig from the text of training_options.json; ValueError names what misfits."""
    fields = json.loads(text)
    architecture = fields.pop('architecture', 'stylegan')
    for part in ('G', 'D'):
        fields[part] = network_config_from_dict(architecture, part, fields[part])
    fields['losses'] = config_from_dict(LossConfig, fields['losses'])
    fields['schedule'] = config_from_dict(ScheduleConfig, fields['schedule'])
    if fields.get('augment') is not None:
        fields['augment'] = config_from_dict(AugmentConfig, fields['augment'])
    return config_from_dict(RunConfig, fields)


def flat_options(config: RunConfig):
    """{'seed': 1000, 'schedule.minibatch_base': 16, ...}: a RunConfig as one level of names."""
    flat = {}
    for name, value in dataclasses.asdict(config).items():
        if not isinstance(value, dict):
            flat[name] = value
            continue
        flat.update({f'{name}.{field}': item for field, item in value.items()})
        if hasattr(getattr(config, name), 'kind'):  # where None would be a kind too
            flat[name] = getattr(config, name).kind
    return {**flat, 'data': os.path.realpath(config.data)}


def changed_options(earlier: RunConfig, config: RunConfig):
    """The names of the options that differ between two RunConfigs.

    Where only one of them has a part at all, such as augment, that is one name.
    """
    theirs, ours = flat_options(earlier), flat_options(config)
    in_one = {name.partition('.')[0] for name in set(ours) ^ set(theirs)
              if name.partition('.')[0] in {**ours, **theirs}}
    return [name for name in {**ours, **theirs} if name in in_one
            or name.partition('.')[0] not in in_one and ours.get(name) != theirs.get(name)]
