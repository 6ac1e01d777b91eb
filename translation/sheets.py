"""Sheets of translations: by latents, by references, and there and back again."""

from __future__ import annotations

import numpy as np

from formats import sheets
from translation.sampler import to_still

LATENTS, MAX_DOMAINS = 10, 5   # of a latent sheet: rows of a domain; domains
LATENT_SEED = 0
LARGEST = 2048                 # pixels across, up to which small images are enlarged
SHOWN = 32                     # images of each side on the published sheets


def arranged(blocks, lead=0):
    """One sheet of blocks of rows, set apart: blocks[k][row][column], uint8 [S, S, 3] or None.

    Small images are enlarged where that leaves the sheet a sensible size, and have gaps.

    Args:
        lead: more white after the first row and column of each block, in gaps.
    """
    some = next(cell for cell in blocks[0][0] if cell is not None)
    side, columns = some.shape[0], len(blocks[0][0])
    factor = max(1, min(sheets.VISIBLE // side, LARGEST // (columns * side)))
    gap = sheets.gap(side * factor)
    between = 0 if side >= sheets.VISIBLE else gap
    parts = []
    for rows in blocks:
        cells = [[cell if cell is None else sheets.enlarge(cell, factor) for cell in row]
                 for row in rows]
        parts.append(sheets.arrange(cells, between, lead * gap))
        parts.append(np.full([4 * gap, *parts[0].shape[1:]], sheets.WHITE, np.uint8))
    return np.concatenate(parts[:-1])


def by_styles(translator, sources, groups):
    """A row of sources, then for each group of styles a block with a row for each style.

    Args:
        sources: float32 [N, S, S, 3], [-1, 1].
        groups: float32 [M, style_dim] each.
    """
    rows = (translator.combinations(sources, styles).swapaxes(0, 1) for styles in groups)
    return arranged([[[*to_still(sources)]], *(list(map(list, block)) for block in rows)])


def latent_sheet(translator, sources, psi, averages=None):
    """Sources, and below them for each domain ten rows, a latent each: the same ten for all.

    Args:
        sources: float32 [N, S, S, 3], [-1, 1].
        psi, averages: see `Translator.styles_of_latents`.
    """
    z = np.random.RandomState(LATENT_SEED).randn(LATENTS, translator.config.latent_dim)
    return by_styles(translator, sources, [
        translator.styles_of_latents(z, domain, psi, averages)
        for domain in range(min(translator.config.num_domains, MAX_DOMAINS))])


def reference_sheet(translator, sources, references, styles):
    """A white corner and the sources; below, each reference and every source in its style.

    Args:
        sources, references: float32 [N, S, S, 3] and [M, S, S, 3], [-1, 1].
        styles: float32 [M, style_dim], of the references.
    """
    rows = translator.combinations(sources, styles).swapaxes(0, 1)
    return arranged([[[None, *to_still(sources)],
                      *([image, *row] for image, row in zip(to_still(references), rows))]], lead=1)


def cycle_sheet(translator, sources, y_src, references, y_ref):
    """Four rows: sources, references, sources in the styles of these, and those turned back.

    Args:
        sources, references: float32 [N, S, S, 3] each, [-1, 1].
        y_src, y_ref: int [N], their domains.
    """
    fakes = translator.images(sources, translator.styles_of_images(references, y_ref))
    back = translator.images(fakes, translator.styles_of_images(sources, y_src))
    return arranged([[list(to_still(row)) for row in (sources, references, fakes, back)]])
