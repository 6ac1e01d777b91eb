"""Cuts squares around faces, or whatever a detector finds, out of a collection of images."""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import posixpath
from typing import NamedTuple, Optional

import numpy as np
from PIL import Image

from conversion import contact_sheets, decode, detectors, workers, writing
from conversion.collection import find_collection, printable, read_file
from formats import folders
from formats.tables import write_csv

PER_IMAGE, OUTSIDE = ('largest', 'all'), ('inside', 'pad')
COLUMNS = ('source', 'file', 'left', 'top', 'side', 'score', 'found', 'note')
ON_SHEET = contact_sheets.ON_SHEET
TOO_SMALL = 'smaller than --min_side'


@dataclasses.dataclass(frozen=True)
class Options:
    """Which squares are cut out."""
    detector: str = 'face'         # as detectors.choose takes it
    margin: float = 0.3            # added on each side of what was found, in shares of its size
    min_side: int = 128            # pixels of a square; smaller ones are left out
    per_image: str = 'largest'     # one of PER_IMAGE
    outside: str = 'inside'        # a square that leaves the image: moved inside, or padded
    background: str = 'white'      # colour of the padding, and behind transparent pixels
    workers: Optional[int] = None  # processes; None = one a core, if there is enough to do

    def __post_init__(self):
        if not 0 <= self.margin <= 10:
            raise ValueError(f'--margin={self.margin:g}: must be within 0..10, a share of the size '
                             'of what was found')
        decode.check_background(self.background)


class Crop(NamedTuple):
    """A square of an image, or why there is none."""
    source: str              # name of the image
    file: str                # of the square, below the output directory; '' = not written
    left: float
    top: float
    side: float              # pixels of the upright image
    score: float             # of the detector
    found: int               # objects in the image
    note: str                # why it was not written; '' = it was


def square(found, margin, size, outside):
    """(left, top, side) in whole pixels around a detectors.Found in an image (width, height).

    With outside='inside' it lies in the image, moved and, if need be, smaller than asked for.
    """
    side = max(1, round(max(found.width, found.height) * (1 + 2 * margin)))
    if outside == 'inside':
        side = min(side, *size)
    corner = [round(first + length / 2 - side / 2) for first, length in
              ((found.left, found.width), (found.top, found.height))]
    if outside == 'inside':
        corner = [min(max(0, at), length - side) for at, length in zip(corner, size)]
    return *corner, side


def crop(source, outdir, options=Options()):
    """Writes the squares of a folder or zip as PNG files into `outdir`.

    crop.csv and two sheets go into the directory OUTDIR-report, beside it, where they are not taken
    for squares. Both directories appear when all is there. Sub-folders stay what they are; the
    second and further squares of an image get -2, -3, ... after its name.

    Raises:
        ValueError: the directories are not free, the detector is none, nothing was found at all.
    """
    report = f'{os.path.normpath(outdir)}-report'
    for path in (outdir, report):
        if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
            raise ValueError(f'{printable(str(path))}: is there already; remove it or choose '
                             'another directory')
    detector = detectors.choose(options.detector, max(1, round(
        options.min_side / (1 + 2 * options.margin))))
    collection = find_collection(source)
    with folders.replacing(report) as new_report, folders.replacing(outdir) as new_outdir:
        crops = _crop_all(collection, detector, options, new_outdir)
        write_csv(os.path.join(new_report, 'crop.csv'), COLUMNS, (
            [one.source, one.file, *map('{:g}'.format, one[2:6]), *one[6:]] for one in crops))
        _write_sheets(new_report, new_outdir, collection.path, crops)
    _report(outdir, report, crops, len(collection.names))


def _crop_all(collection, detector, options, outdir):
    """The Crops of all images, written to `outdir`; ValueError where there is none."""
    stems, total = _stems(collection.names), len(collection.names)
    for folder in sorted({posixpath.dirname(stem) for stem in stems.values()}):
        os.makedirs(os.path.join(outdir, folder), exist_ok=True)
    work = functools.partial(_crop_some, collection.path, detector, options, outdir)
    with workers.Workers(workers.count_for(total, options.workers)) as pool:
        results = pool.map(work, ((name, stems[name]) for name in collection.names))
        crops = [one for result in writing.progress(results, total, 'Cropping') for one in result]
    if not any(one.file for one in crops):
        raise ValueError(f'{printable(str(collection.path))}: no square came of its {total:,} '
                         f'images ({_reasons(crops)}); try another --detector, or a smaller '
                         '--min_side')
    _remove_empty_folders(outdir)
    return crops


def _stems(names):
    """{name: where its square goes, without .png}; names that differ in their extension keep it."""
    counts = collections.Counter(posixpath.splitext(name)[0] for name in names)
    return {name: stem if counts[stem := posixpath.splitext(name)[0]] == 1 else name
            for name in names}


def _crop_some(path, detector, options, outdir, chunk):
    """For each (name, stem) the list of its Crops, at least one. Runs in a worker."""
    return [_crop_one(path, detector, options, outdir, name, stem) for name, stem in chunk]


def _crop_one(path, detector, options, outdir, name, stem):
    try:
        image = decode.upright(read_file(path, name),
                               decode.Rules(background=options.background))
    except decode.Unusable as error:
        return [Crop(name, '', 0, 0, 0, 0, 0, str(error))]
    found = detector.find(name, image)
    chosen = found if options.per_image == 'all' else \
        sorted(found, key=lambda one: -one.width * one.height)[:1]
    result, number = [], 0
    for one in chosen:
        left, top, side = square(one, options.margin, image.size, options.outside)
        if side < options.min_side:
            result.append(Crop(name, '', left, top, side, one.score, len(found), TOO_SMALL))
            continue
        number += 1
        file = f'{stem}{f"-{number}" if number > 1 else ""}.png'
        _cut(image, left, top, side, options.background).save(os.path.join(outdir, file))
        result.append(Crop(name, file, left, top, side, one.score, len(found), ''))
    return result or [Crop(name, '', 0, 0, 0, 0, 0, 'nothing found')]


def _cut(image, left, top, side, background):
    """The square of an image, with the background where it lies outside."""
    inside = (max(0, left), max(0, top), min(image.width, left + side),
              min(image.height, top + side))
    piece = image.crop(inside)
    if piece.size == (side, side):
        return piece
    canvas = Image.new(image.mode, (side, side), background)
    canvas.paste(piece, (inside[0] - left, inside[1] - top))
    return canvas


def _remove_empty_folders(directory):
    for folder, _, _ in os.walk(directory, topdown=False):
        if folder != directory and not os.listdir(folder):
            os.rmdir(folder)


def _write_sheets(directory, squares, source, crops):
    """doubtful.png: the squares of the lowest scores; without.png: images without any."""
    written = sorted((one for one in crops if one.file), key=lambda one: one.score)
    cells = []
    for one in written[:ON_SHEET]:
        with Image.open(os.path.join(squares, one.file)) as image:
            cells.append(contact_sheets.cell(image, one.file, f'score {one.score:.1f}'))
    contact_sheets.write(os.path.join(directory, 'doubtful.png'), cells,
                         f'The {len(cells)} squares of the lowest scores, of {len(written):,}')
    without = sorted({one.source: one.note for one in crops if not one.file}.items())
    some = [without[i] for i in np.unique(np.linspace(0, len(without) - 1, ON_SHEET).astype(int))] \
        if without else []
    cells = [contact_sheets.cell_of(source, name, note) for name, note in some]
    contact_sheets.write(os.path.join(directory, 'without.png'), cells,
                         f'{len(cells)} of the {len(without):,} images without a square')


def _reasons(crops):
    """'12 nothing found, 3 smaller than --min_side' of the images without a square."""
    counts = collections.Counter(one.note for one in crops if one.note)
    return ', '.join(f'{count:,} {note}' for note, count in counts.most_common(5))


def _report(outdir, report, crops, total):
    """Prints what came of it."""
    found = collections.Counter(min(count, 2) for count in
                                {one.source: one.found for one in crops}.values())
    print('Found    ' + ', '.join(f'{what} in {found[number]:,} images '
                                  f'({found[number] / total:.0%})' for number, what in
                                  enumerate(['none', 'one', 'several'])))
    if any(one.note for one in crops):
        print(f'Without  {_reasons(crops)}')
    written = sum(bool(one.file) for one in crops)
    print(f'Written  {printable(str(outdir))}: {written:,} squares\n'
          f'Written  {printable(report)}: crop.csv, doubtful.png (the {min(ON_SHEET, written)} of '
          'the lowest scores), without.png: look at both')
