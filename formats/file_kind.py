"""What kind of file this is: by its name, by its first bytes, in words."""

from __future__ import annotations

import os

NETWORK_SUFFIX = '.safetensors'  # of this project's network files
HEAD_BYTES = 4096
TORCH_LEGACY_MAGIC = b'\x80\x02\x8a\x0al\xfc\x9cF\xf9\x20j\xa8P\x19.'  # torch.save before 1.6
TORCH_FILE = ('a PyTorch file (translate.py takes those of StarGAN v2, convert_network.py those of '
              'the StyleGAN port)')
MAGIC_NUMBERS = (
    (b'PK\x03\x04', 'a zip archive'),
    (TORCH_LEGACY_MAGIC, TORCH_FILE),
    (b'\x89HDF\r\n', 'an HDF5 file'),
    (b'\x1f\x8b', 'a gzip archive: unpack it first'),
    (b'\x89PNG', 'a PNG image'),
    (b'version https://git-lfs', 'a Git LFS pointer: fetch the file itself with `git lfs pull`'),
)


def is_html(head):
    """True where the bytes `head` begin a web page."""
    return head.lstrip(b'\xef\xbb\xbf \t\r\n')[:1] == b'<'


def is_safetensors(head, size):
    """True for a safetensors file: the length of a JSON text, and the text."""
    length = int.from_bytes(head[:8], 'little')
    return 8 <= len(head) and length <= size - 8 and head[8:9] == b'{'


def is_torch(path):
    """True for a file that torch.save wrote, in either of its forms."""
    with open(path, 'rb') as file:
        head = file.read(HEAD_BYTES)
    return head.startswith(TORCH_LEGACY_MAGIC) or _is_torch_zip(head)


def _is_torch_zip(head):
    return head.startswith(b'PK\x03\x04') and b'/data.pkl' in head


def not_a_pickle(path):
    """What the file at `path` is, in words; None where its first bytes do not tell."""
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        head = file.read(HEAD_BYTES)
    if not size:
        return 'an empty file (a download that never began?)'
    if is_html(head):
        return ('an HTML page, not a network (a quota or sign-in page saved in its place?): '
                'download the file again, or later')
    if _is_torch_zip(head):
        return TORCH_FILE
    if is_safetensors(head, size):
        return 'a safetensors file, not a pickle'
    return next((words for magic, words in MAGIC_NUMBERS if head.startswith(magic)), None)
