"""Which style layers are meant: by number, by resolution (4x4-8x8), or coarse, middle and fine."""

from __future__ import annotations

import re

COARSE_END, MIDDLE_END = 4, 8  # layers: coarse = up to 8x8, middle = 16x16 and 32x32, fine = more
PAPER_LAYERS = 18
NAMES = ('coarse', 'middle', 'fine')


def style_ranges(num_layers):
    """(coarse, middle, fine): ranges of a network's style layers, 3 or more in all.

    Coarse styles are those up to 8x8, middle ones of 16x16 and 32x32, fine ones from 64x64 on (the
    paper's section 3.1). A network below 64x64 has no fine ones in that sense: its layers are
    parted as the paper's 18 are, by whole resolutions where possible.
    """
    if num_layers > MIDDLE_END:
        first, second = COARSE_END, MIDDLE_END
    else:
        ends = [2 * round(num_layers / 2 * end / PAPER_LAYERS) for end in (COARSE_END, MIDDLE_END)]
        first = min(max(ends[0], 1), num_layers - 2)
        second = min(max(ends[1], first + 1), num_layers - 1)
    return range(0, first), range(first, second), range(second, num_layers)


def _ends(text, rule):
    """(first, last) layer of 'A' or 'A-B', where A and B are layers or resolutions."""
    match = re.fullmatch(r'(\d{1,4})(x\1)?(?:-(\d{1,4})(x\3)?)?', text, re.ASCII)
    if not match or match[3] and bool(match[2]) != bool(match[4]):
        raise ValueError(f'{rule}; {text!r} is none of these.')
    first, last = int(match[1]), int(match[3] or match[1])
    if match[2]:
        for side in (first, last):
            if side < 4 or side & (side - 1):
                raise ValueError(f'{rule}; {side}x{side} is no resolution: these are 4x4, 8x8, '
                                 '16x16 and so on.')
        first, last = 2 * first.bit_length() - 6, 2 * last.bit_length() - 5
    if last < first:
        raise ValueError(f'{rule}; {text!r} runs backwards.')
    return first, last


def _layers_of(part, num_layers, rule, flag):
    """The layers that one part of the text means."""
    if part not in NAMES:
        first, last = _ends(part, rule)
        return range(first, last + 1)
    if num_layers < len(NAMES):
        raise ValueError(f'--{flag}={part}: the network has {num_layers} style layers, too few for '
                         f'coarse, middle and fine; choose among 0..{num_layers - 1}.')
    return style_ranges(num_layers)[NAMES.index(part)]


def chosen_layers(num_layers, text=None, flag='styles'):
    """The style layers that the text of a flag means, a list of int; None = the coarse ones.

    Args:
        num_layers: style layers in use, two at each resolution from 4x4 up; 0 = no styles.
        text: numbers, resolutions, ranges of either and names, such as '0-3', '4x4-8x8,fine'.
        flag: without dashes.
    Raises:
        ValueError: naming the flag.
    """
    if num_layers < 2:
        raise ValueError('style mixing: the network has no style layers to choose from; take a '
                         'StyleGAN network.')
    text = 'coarse' if text is None else text
    rule = (f'--{flag}={text}: must be layers, resolutions or ranges of either, such as 0-3 or '
            '4x4-8x8, or coarse, middle, fine, separated by commas')
    layers = []
    for part in map(str.strip, text.split(',')):
        found = _layers_of(part, num_layers, rule, flag)
        if found[-1] >= num_layers:
            raise ValueError(f'--{flag}: layer {found[-1]} must be within 0..{num_layers - 1}, the '
                             f'style layers of this network (4x4 to {2 << num_layers // 2}x'
                             f'{2 << num_layers // 2}).')
        layers.extend(found)
    return list(dict.fromkeys(layers))
