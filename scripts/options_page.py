"""Writes docs/options.md: every option, preset and flag, as the code itself has them.

  scripts/options_page.py            writes the page
  scripts/options_page.py --check    exit code 1 where the page is not what it would write
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from absl import flags  # noqa: E402

from cli import options  # noqa: E402
from training import config  # noqa: E402
from training.build import ARCHITECTURES  # noqa: E402
from training.field_types import field_types  # noqa: E402
from training.presets import PRESETS  # noqa: E402

PAGE = ROOT / 'docs' / 'options.md'
SCRIPTS = ('train', 'dataset_tool', 'generate', 'generate_figures', 'generate_video', 'edit',
           'explore', 'pretrained_example', 'run_metrics', 'rank_images', 'train_translation',
           'translate', 'convert_network', 'export_network',
           'plot_run', 'demo_digits')
GROUPS = (('The run', config.RunConfig), ('Schedule', config.ScheduleConfig),
          ('Losses', config.LossConfig), ('StyleGAN: generator', config.GeneratorConfig),
          ('StyleGAN: discriminator', config.DiscriminatorConfig),
          ('ProGAN: generator', config.ProganGeneratorConfig),
          ('ProGAN: discriminator', config.ProganDiscriminatorConfig))
DEFAULT = ' (default: %(default)s)'  # as it stands in the help of argparse's flags
ABSL_TYPES = {'string': 'text', 'int': 'whole number', 'float': 'number', 'bool': 'switch',
              'comma separated list of strings': 'names, separated by commas'}
HEAD = """\
# Options

<!-- Made by `make docs` from the code; what is changed here by hand is lost. -->

A flag is written `--name=value`, a switch `--name` or `--noname`; dashes do as well as underscores
(`--batch-gpu=4`). What is given by resolution is pairs: `--minibatch_dict=8:256,16:128` means 256
at 8x8 and 128 at 16x16. 1 kimg = 1000 real images shown to the discriminator; a tick is the time
between two progress lines.

- [Options of training](#options-of-training): flags of `train.py`, fields of the configs in Python
- [Presets](#presets)
- [Scripts and their flags](#scripts-and-their-flags)
"""
TRAINING = """\
## Options of training

Options not given come from the preset; the defaults here are those of the configs, in
`training/config.py`. A flag that two networks share is set in both. What stands without dashes
follows from the data set, or from the flags of [train.py](#trainpy) itself.
"""
PRESETS_TEXT = """\
## Presets

`train.py --preset=NAME`. Each is what differs from the defaults above; flags override it.
"""
GPUS_TEXT = """\
### Schedules by number of GPUs

A preset takes the row of the most GPUs that there are. Minibatches are of all GPUs together.
"""


def table(head, rows):
    """A Markdown table, a blank line after it."""
    lines = [head, ['---'] * len(head),
             *([cell.replace('|', '\\|').replace('<', '&lt;') for cell in row] for row in rows)]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines) + '\n'


def plain(text):
    """A text whose stars and line breaks mean nothing in Markdown."""
    return ' '.join(text.split()).replace('*', '\\*')


def text_of(value):
    """A value as a flag takes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        return ','.join(':'.join(map(str, part)) if isinstance(part, tuple) else str(part)
                        for part in value)
    return str(value)


def code(text):
    return f'`{text}`' if text else ''


# Options of training

def config_section(title, config_class):
    """The options of one config."""
    texts, rows = options.meanings(config_class), []
    defaults = {item.name: item.default for item in dataclasses.fields(config_class)}
    for name, kind in field_types(config_class).items():
        value, default = defaults[name], ''
        if value is not dataclasses.MISSING:
            default = ({True: 'on', False: 'off', None: 'none'}[value] if kind.is_switch
                       else text_of(value))
        flag = name if name in options.NOT_OPTIONS else f'--{config.flag_name(name)}'
        rows.append([code(flag), kind.wanted.removeprefix('a '), code(default),
                     plain(texts[name])])
    return (f'### {title} (`{config_class.__name__}`)\n\n'
            + table(['Option', 'Type', 'Default', 'Meaning'], rows))


# Presets

def flags_of(fields, config_class):
    """['--name=value', ...] of the fields that differ from a config's defaults."""
    defaults = {item.name: item.default for item in dataclasses.fields(config_class)}
    kinds = field_types(config_class)
    given = []
    for name, value in fields.items():
        if text_of(value) != text_of(defaults[name]):
            flag = config.flag_name(name)
            given.append(f'--{"" if value else "no"}{flag}' if kinds[name].is_switch
                         else f'--{flag}={text_of(value)}')
    return given


def differences(preset, schedule):
    """What of a preset differs from the defaults; schedule: words for its schedule_by_gpus."""
    G, D = ARCHITECTURES[preset.architecture].configs
    given = dict.fromkeys([*flags_of(preset.G, G), *flags_of(preset.D, D),
                           *flags_of(preset.losses, config.LossConfig),
                           *flags_of(preset.schedule, config.ScheduleConfig),
                           *flags_of(preset.run, config.RunConfig)])
    if preset.max_label_size != '0':
        given[f'--max_label_size={preset.max_label_size}'] = None
    words = ['ProGAN'] if preset.architecture == 'progan' else []
    words += [code(flag) for flag in given]
    words += [] if preset.growing else ['full resolution from the start']
    return ', '.join(words + [schedule] if schedule else words)


def presets_section():
    """All presets, and the schedules that depend on the number of GPUs, each once."""
    first, rows, schedules = {}, [], {}
    for name, preset in PRESETS.items():
        words = ''
        for number, fields in preset.schedule_by_gpus.items():
            owner = first.setdefault((number, repr(fields)), name)
            if owner == name:
                schedules.setdefault(name, []).append(
                    [str(number), ' '.join(map(code, flags_of(fields, config.ScheduleConfig)))])
            one = f' for {number} GPU{"s" * (number > 1)}'
            words = f'schedule of `{owner}`' + (one if len(preset.schedule_by_gpus) == 1 else '')
        rows.append([code(name), plain(preset.description), differences(preset, words)])
    tables = ''.join(f'Schedule of `{name}`:\n\n' + table(['GPUs', 'Options'], found)
                     for name, found in schedules.items())
    return (PRESETS_TEXT + '\n' + table(['Preset', 'What it is for', 'What differs'], rows)
            + GPUS_TEXT + '\n' + tables)


# Scripts

def is_required(flag):
    """Whether a script refuses to start without this flag of absl's."""
    def accepts(validator):
        try:
            validator.verify(flags.FLAGS)
            return True
        except flags.ValidationError:
            return False
    return flag.default is None and not all(map(accepts, flag.validators))


def absl_rows(found):
    """A row for each of absl's flags."""
    rows = []
    for flag in found:
        kind, default, meaning = flag.flag_type(), flag.default, flag.help
        if kind == 'bool':
            default = {True: 'on', False: 'off', None: None}[default]
        elif isinstance(default, list):
            default = ','.join(default)
        if kind == 'string enum':  # whose help begins with <one|another>:
            meaning = meaning.partition('>:')[2]
        rows.append([code(f'--{flag.name}'),
                     ', '.join(map(code, flag.parser.enum_values)) if kind == 'string enum'
                     else ABSL_TYPES[kind],
                     'required' if is_required(flag) else
                     '' if default is None else code(str(default)), plain(meaning)])
    return rows


def parser_rows(parser):
    """A row for each argument of an argparse parser, subcommands and its own help apart."""
    rows = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action.choices, dict) or set(
                action.option_strings) & {'--help', '--helpfull'}:
            continue
        kind = 'whole number' if action.type is int or action.metavar == 'N' else 'text'
        kind = 'number' if action.type is float else kind
        if action.choices:
            kind = ', '.join(code(str(choice)) for choice in action.choices)
        elif action.nargs == 0:
            kind = 'switch'
        elif action.metavar and '|' in action.metavar:
            kind = ' or '.join(map(code, action.metavar.split('|')))
        names = action.option_strings or [action.metavar or action.dest]
        default = 'required' if action.required or not action.option_strings else ''
        if DEFAULT in action.help:
            default = code(str(action.default))
        rows.append([code(names[-1]), kind, default, plain(action.help.replace(DEFAULT, ''))])
    return rows


def flag_table(rows):
    return table(['Flag', 'Type', 'Default', 'Meaning'], rows) if rows else ''


def parser_section(parser):
    """The flags of a script with argparse, those of each command for itself."""
    section = flag_table(parser_rows(parser))
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, command in action.choices.items():
                section += f'#### `{name}`: {plain(command.description)}\n\n'
                section += flag_table(parser_rows(command))
    return section


def docstring_section(text):
    """A script's docstring; the examples in it as code."""
    section = ''
    for paragraph in text.strip().split('\n\n'):
        lines = paragraph.split('\n')
        if all(line.startswith('  ') for line in lines):
            section += '```\n' + ''.join(f'{line[2:]}\n' for line in lines) + '```\n\n'
        else:
            section += paragraph.replace('*', '\\*') + '\n\n'
    return section


def script_section(name):
    """What a script says of itself, and its flags; train.py's options are told above."""
    module = importlib.import_module(name)
    section = f'### {name}.py\n\n' + docstring_section(module.__doc__)
    if hasattr(module, 'command_line'):
        return section + parser_section(module.command_line())
    found = flags.FLAGS.get_key_flags_for_module(name)
    known = {option.name for option in options.all_options().values()} if name == 'train' else ()
    section += flag_table(absl_rows([flag for flag in found if flag.name not in known]))
    for flag in found:
        delattr(flags.FLAGS, flag.name)  # the next script has flags of the same names
    return section


def page():
    """The text of docs/options.md."""
    sections = [HEAD, TRAINING, *(config_section(*group) for group in GROUPS), presets_section(),
                '## Scripts and their flags\n', *map(script_section, SCRIPTS)]
    return '\n'.join(section.rstrip('\n') + '\n' for section in sections)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--check', action='store_true', help='compare, write nothing')
    parser.add_argument('--output', type=pathlib.Path, default=PAGE, help='the page')
    args, text = parser.parse_args(), page()
    if not args.check:
        args.output.write_text(text, encoding='utf-8')
        return 0
    written = args.output.read_text(encoding='utf-8')
    if text == written:
        return 0
    differing = sorted(set(text.splitlines()) ^ set(written.splitlines()))
    print(f'{args.output.name} is not what the code says; run make docs. Differing:',
          *differing[:10], sep='\n', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
