"""What lies beside an exported network: about.json for programs, README.md for people."""

from __future__ import annotations

import json
import os
import re

from formats import folders
from formats.files import write_atomically
from training.build import architecture_of

FOLDER = folders.Contents('an export', re.compile(
    r'about\.json|README\.md|\w+\.(onnx|tflite|pt|pb)|variables|assets'))
ABOUT, README = 'about.json', 'README.md'
NAMES = {'stylegan': 'StyleGAN', 'progan': 'ProGAN'}
HEAD = """\
# {network}, exported as {title}

A {architecture} generator of {size}x{size} images ({channels}).

- Licence of the weights: {licence}
- sha256 of the network file: `{sha256}`

{words}
"""


def about(config, resolution, notes, signatures=()):
    """What metadata says of an export, ready for JSON.

    Args:
        config: of the generator. resolution: of its images.
        notes: {str: str} about the network file: network, sha256, licence.
    """
    return {**notes, 'architecture': architecture_of(config), 'resolution': resolution,
            'num_channels': config.num_channels, 'signatures': {signature.name: {
                'words': signature.words,
                'inputs': [_described(value) for value in signature.inputs],
                'output': _described(signature.output)} for signature in signatures}}


def _described(value):
    return {'name': value.name, 'shape': list(value.shape), 'dtype': value.dtype,
            'words': value.words}


def _table(signature):
    """Markdown: a row for each input and the output."""
    rows = [(value, 'in') for value in signature.inputs] + [(signature.output, 'out')]
    lines = [f'| `{value.name}` | {way} | {value.dtype} '
             f'[{", ".join("N" if size is None else str(size) for size in value.shape)}] | '
             f'{value.words} |' for value, way in rows]
    words = signature.words[0].upper() + signature.words[1:]
    return '\n'.join([f'## `{signature.name}`\n', f'{words}.\n', '| name | | type | meaning |',
                      '| --- | --- | --- | --- |', *lines])


def example(signature, lines):
    """Python that runs a Signature: `lines`, with INPUTS replaced by its example's inputs."""
    inputs = ',\n          '.join(f"'{value.name}': {value.example}" for value in signature.inputs)
    return lines.replace('INPUTS', f'{{{inputs}}}')


def write(directory, content, title, words, lines, signatures=()):
    """Writes about.json and README.md.

    Args:
        content: as from `about`. title, words: of the form.
        lines: Python that loads and runs the first signature (see `example`), run in `directory`.
    """
    write_atomically(os.path.join(directory, ABOUT), json.dumps(content, indent=2).encode())
    channels = 'gray' if content['num_channels'] == 1 else 'RGB'
    text = [HEAD.format(title=title, words=words, size=content['resolution'], channels=channels,
                        architecture=NAMES[content['architecture']],
                        **{name: content[name] for name in ('network', 'sha256', 'licence')}),
            f'```python\n{example(signatures[0], lines) if signatures else lines}\n```\n',
            *(f'{_table(signature)}\n' for signature in signatures)]
    write_atomically(os.path.join(directory, README), '\n'.join(text).encode())
