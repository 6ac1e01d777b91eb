"""Finds where the faces, or whatever a cascade knows, are in an image; or reads it from a table.

Cascades are those of Viola and Jones (2001), as OpenCV runs them.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import NamedTuple

import numpy as np

from conversion import metadata
from conversion.collection import nearby, printable

CASCADES = {'face': 'haarcascade_frontalface_default.xml',
            'catface': 'haarcascade_frontalcatface_extended.xml'}  # that come with OpenCV
TABLES = ('.csv', '.json')
ALIASES = {'x': 'left', 'y': 'top', 'w': 'width', 'h': 'height'}  # of a table's columns
SMALLEST = 40       # pixels a side, of the smallest object after an image was made smaller
SCALE_STEP = 1.1    # from one size of objects to the next
NEIGHBOURS = 3      # finds at nearly the same place that make one object
INSTALL = '.venv/bin/python -m pip install -r requirements-crop.txt'


class Found(NamedTuple):
    """An object in an image, in pixels of the upright image."""
    left: float
    top: float
    width: float
    height: float
    score: float    # how sure the detector is: a cascade's margin; the larger the surer


class Cascade(NamedTuple):
    """Finds objects by the cascade in the file `path`."""
    path: str
    min_side: int   # pixels, of the smallest objects

    def find(self, name, image):
        """The objects in an upright image (Pillow's), the surest first; `name` is not needed."""
        import cv2
        shrink = min(1.0, SMALLEST / self.min_side)
        size = [max(1, round(length * shrink)) for length in image.size]
        gray = image.convert('L') if shrink == 1 else image.convert('L').resize(size)
        boxes, _, scores = _loaded(self.path).detectMultiScale3(
            cv2.equalizeHist(np.asarray(gray)), scaleFactor=SCALE_STEP, minNeighbors=NEIGHBOURS,
            minSize=[round(self.min_side * shrink)] * 2, outputRejectLevels=True)
        return sorted((Found(*(float(x) / shrink for x in box), float(score))
                       for box, score in zip(boxes, np.ravel(scores))),
                      key=lambda found: -found.score)


class Boxes(NamedTuple):
    """Knows the objects from a table."""
    boxes: dict     # {path or file name: [Found, ...]}

    def find(self, name, image):
        """The objects that the table has for the image `name`, the surest first."""
        return metadata.row_of(self.boxes, name) or []


def choose(choice, min_side):
    """The detector that --detector asks for.

    Args:
        choice: one of CASCADES, the file of a cascade (.xml), or a table (.csv, .json) with the
            columns left, top, width, height and, if there is one, score.
        min_side: pixels of the smallest objects that a cascade finds.

    Raises:
        ValueError: there is no such detector, or no OpenCV to run it.
    """
    if choice.lower().endswith(TABLES):
        return Boxes(_read_boxes(choice))
    if choice not in CASCADES and not os.path.isfile(choice):
        raise ValueError(f'--detector={printable(choice)}: must be {", ".join(CASCADES)}, the file '
                         'of a cascade (.xml), or a table of boxes (.csv, .json), but there is no '
                         f'such file{nearby(choice)}')
    if importlib.util.find_spec('cv2') is None:
        raise ValueError(f'--detector={printable(choice)}: needs OpenCV; install it with {INSTALL}')
    import cv2
    path = os.path.join(cv2.data.haarcascades, CASCADES[choice]) if choice in CASCADES else choice
    try:
        _loaded(path)
    except (cv2.error, SystemError) as error:
        raise ValueError(f'--detector={printable(choice)}: is no cascade that OpenCV can read; '
                         'take the .xml file that its trainer wrote') from error
    return Cascade(path, min_side)


@functools.lru_cache(maxsize=1)
def _loaded(path):
    """The cascade, once in each process."""
    import cv2
    cv2.setNumThreads(1)   # there is a process for each core
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        raise SystemError(path)
    return cascade


def _read_boxes(path):
    """{name: [Found, ...]} of a table."""
    table = metadata.rows(path, 'detector')
    column = {ALIASES.get(name, name): name for name in table.columns}
    if not set(Found._fields[:4]) <= set(column) or any(
            table.columns[column[field]] is not float for field in Found._fields
            if field in column):
        raise ValueError(f'--detector={printable(path)}: must have the columns left, top, width, '
                         'height of numbers, pixels of the upright image (and score, if known); '
                         f'it has {", ".join(map(printable, table.columns))}')
    found = {}
    for name, row in table.rows:
        box = Found(*(row.get(column.get(field)) for field in Found._fields))
        box = box._replace(score=box.score or 0.0)
        if None in box:
            continue     # an image without any
        if box.width <= 0 or box.height <= 0:
            raise ValueError(f'--detector={printable(path)}: the box of {printable(name)} has no '
                             f'extent ({box.width:g} x {box.height:g})')
        found.setdefault(name, []).append(box)
    return {name: sorted(boxes, key=lambda box: -box.score) for name, boxes in found.items()}
