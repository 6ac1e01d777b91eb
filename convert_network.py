"""Converts a network to a safetensors file, and lists its layers.

Takes pickles of the reference, and checkpoints of the PyTorch port whose names are like
generator.progression.4.conv1.1.conv.weight_orig. Executes nothing from either.
"""

from __future__ import annotations

import os
import re

from absl.flags import argparse_flags

from cli import startup


def _kimg(path):
    """Thousands of images shown in training, which the reference keeps in the name only."""
    number = re.search(r'network-snapshot-(\d+)', os.path.basename(path))
    return float(number.group(1)) if number else 0.0


def _lod(state):
    """Level of detail that training was at: the reference keeps it as a variable."""
    lod = state.variables.get('lod')
    return 0.0 if lod is None or lod.shape else float(lod)


def _notes(source, path, licence):
    """Where the network comes from, as metadata; of local files the name alone."""
    from formats import download
    from formats.files import file_sha256
    published = {entry.file_name: name for name, entry in download.PUBLISHED.items()}
    file_name = os.path.basename(path)
    if file_name in published:
        source = f'{file_name} ({published[file_name]}), T. Karras, S. Laine, T. Aila 2018'
    elif not re.match('https?://', source):
        source = file_name
    return {'source': source, 'source_sha256': file_sha256(path),
            'licence': licence or download.licence_of(path)}


def command_line():
    """The parser of all flags."""
    parser = argparse_flags.ArgumentParser(prog='convert_network.py', description=__doc__)
    parser.add_argument('source', metavar='IN', help='pickle or PyTorch checkpoint: a path, a URL '
                        'or a short name (ffhq, celebahq, bedrooms, cars, cats)')
    parser.add_argument('target', metavar='OUT', help='safetensors file to write')
    parser.add_argument('--cache_dir', help='where downloads are kept')
    parser.add_argument('--resolution', type=int, help='of a PyTorch checkpoint: that it was '
                        'trained to; such files hold all finer layers too, untrained. Default: '
                        'the finest in it')
    parser.add_argument('--licence', help='licence note for the metadata of OUT')
    return parser


def _check_target(target):
    from formats.file_kind import NETWORK_SUFFIX
    if not target.endswith(NETWORK_SUFFIX):
        raise ValueError(f'{target}: OUT must end in {NETWORK_SUFFIX}; write it to '
                         f'{os.path.splitext(target)[0]}{NETWORK_SUFFIX}, say')
    if os.path.exists(target):
        raise ValueError(f'{target}: exists already; delete it or name another file')
    directory = os.path.dirname(target) or '.'
    if not os.path.isdir(directory):
        raise ValueError(f'{target}: there is no folder {directory}; make it first')


def _of_pickle(path):
    """(networks, kimg, lod, {}) of a pickle of the reference."""
    from training import reference
    states = reference.read_states(path)
    networks = reference.networks_of(states, path)
    if 'Gs' not in networks:
        raise ValueError(f'{path}: holds {" and ".join(networks)} only; a network file needs Gs')
    return networks, _kimg(path), _lod(states[0]), {}


def _of_checkpoint(path, resolution):
    """(networks, kimg, lod, what lies beside them) of a checkpoint of the PyTorch port."""
    from export import torch_checkpoint
    loaded = torch_checkpoint.load(path, resolution)
    networks = dict(loaded.networks)
    if 'Gs' not in networks:   # a generator alone is for generating
        networks = {'Gs': networks['G']}
    return networks, loaded.kimg, loaded.lod, loaded.exact


def main(args):
    _check_target(args.target)
    startup.load_tensorflow()
    from formats import download, file_kind
    from training import reference, snapshot, summary
    path = download.local_path(args.source, args.cache_dir)
    is_torch = os.path.isfile(path) and file_kind.is_torch(path)
    if args.resolution is not None and not is_torch:
        raise ValueError(f'--resolution={args.resolution}: is for PyTorch checkpoints; leave it '
                         'out')
    networks, kimg, lod, beside = (_of_checkpoint(path, args.resolution) if is_torch
                                   else _of_pickle(path))
    for role in [role for role in ('Gs', 'D') if role in networks]:
        print(summary.layer_table(networks[role], role), end='\n\n')
    whole = len(networks) == len(reference.ROLES)
    notes = _notes(args.source, path, args.licence)
    G, D = (networks['G'], networks['D']) if whole else (None, None)
    snapshot.save(args.target, G, D, networks['Gs'], kimg=kimg, lod=lod, notes=notes,
                  beside=beside)
    held = 'G, D and Gs' if whole else 'Gs only: can generate, cannot resume training'
    print(f'Wrote {args.target} ({os.path.getsize(args.target) / 2**20:.1f} MB), {held}')
    print(f'kimg {kimg:g}, lod {lod:.2f}; source: {notes["source"]}')
    print(f'licence: {notes["licence"]}')


if __name__ == '__main__':
    startup.run(main, command_line)
