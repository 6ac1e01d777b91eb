"""Contact sheets: many images with words below each, on pages that are read at full size."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from conversion import decode
from conversion.collection import printable, read_file
from formats import sheets
from formats.png import save_png

ON_SHEET, IN_ROW = 60, 10        # images on a sheet
CELL, WORDS = 128, 16            # pixels: images, and each line of words below them
LETTERS = 17                     # that fit below an image


def cell(image, *words):
    """uint8 [H, W, 3]: an image, made to fit, on white, with lines of words below it.

    Of long words the end is shown: the end of a file's name says most.
    """
    image = image.convert('RGB')
    if max(image.size) * 2 <= CELL:
        factor = CELL // max(image.size)
        image = image.resize([length * factor for length in image.size], Image.Resampling.NEAREST)
    image.thumbnail((CELL, CELL))
    canvas = Image.new('RGB', (CELL, CELL), 'white')
    canvas.paste(image, ((CELL - image.width) // 2, (CELL - image.height) // 2))
    result = np.asarray(canvas)
    for line in words:
        shown = printable(line)
        result = sheets.caption(result, shown if len(shown) <= LETTERS else
                                '…' + shown[1 - LETTERS:], WORDS)
    return result


def cell_of(source, name, *words):
    """The cell of the image `name` of a folder or zip file; a gray one where it has no pixels."""
    try:
        image = decode.upright(read_file(source, name), decode.Rules())
    except decode.Unusable:
        image = Image.new('RGB', (CELL, CELL), 'lightgray')
    return cell(image, name, *words)


def write(path, cells, title):
    """Writes a PNG of cells of one size below a title; none where there are no cells."""
    if not cells:
        return
    columns = min(IN_ROW, len(cells))
    cells = cells + [None] * (-len(cells) % columns)
    rows = [cells[i:i + columns] for i in range(0, len(cells), columns)]
    block = sheets.arrange(rows, WORDS // 2)
    white = np.full([0, max(block.shape[1], 4 * CELL), 3], sheets.WHITE, np.uint8)
    block = sheets.beside([block, white[:, block.shape[1]:]])
    save_png(path, np.concatenate([sheets.caption(white, title, 2 * WORDS), block]))


def write_pages(directory, name, items, to_cell, title, most=None):
    """Writes NAME-01.png, NAME-02.png, ... with the cells of all items; returns their names.

    Args:
        to_cell: item -> cell; called for a page at a time.
        title: what is written above each page.
        most: pages at most; None = all.
    """
    pages = range(0, len(items), ON_SHEET)[:most]
    names = [f'{name}-{number:02d}.png' for number in range(1, len(pages) + 1)]
    for file, start in zip(names, pages):
        cells = [to_cell(item) for item in items[start:start + ON_SHEET]]
        write(os.path.join(directory, file), cells,
              f'{title}: {start + 1:,} to {start + len(cells):,} of {len(items):,}')
    return names
