"""Shows a dataset as a contact sheet, and extracts its images as PNG files."""

from __future__ import annotations

import json
import os
import re

from PIL import Image, ImageShow

from conversion import contact_sheets, workers, writing
from conversion.labels import DEFAULT_FILE, class_numbers
from formats.behind import Behind
from formats.png import grid, grid_size, pillow, save_png
from training.dataset import TFRecordDataset

KEPT = 60      # characters of a file's name that are kept in that of an extracted image


def display(directory, output=None, window=False, pages=False):
    """Writes a PNG with the first images of a dataset, a screen full; may show it in a window.

    Args:
        output: path of the PNG, or the directory of the pages; None = `NAME-sheet.png` or
            `NAME-pages` in the current directory.
        pages: all images instead, on pages, with the names of their files and their numbers.
    """
    data = TFRecordDataset(directory, verify=False)
    if pages:
        shown = _write_pages(data, output or f'{data.name}-pages')
    else:
        shown = _write_sheet(data, output or f'{data.name}-sheet.png')
    if window and not _show(shown):
        raise ValueError('--window: found no program to show images, or no screen; '
                         f'open {shown} yourself')


def _make_new(directory):
    """Makes a directory; ValueError where there is one that holds something."""
    if os.path.isdir(directory) and os.listdir(directory):
        raise ValueError(f'{directory}: is not empty; choose a new directory')
    os.makedirs(directory, exist_ok=True)


def _write_sheet(data, output):
    columns, rows = grid_size(data.resolution, data.resolution)
    rows = min(rows, -(-data.num_images // columns))
    shown = range(min(columns * rows, data.num_images))
    save_png(output, grid(data.read(data.resolution, shown), columns, rows))
    print(f'Written  {output}, {len(shown)} of {data.num_images:,} images, in rows of {columns}')
    return output


def _write_pages(data, directory):
    """Contact sheets of all images in a new directory; returns the path of the first."""
    _make_new(directory)
    names = data.source_names()

    def cell(index):
        [pixels] = data.read(data.resolution, [index])
        name = names[index:index + 1] if names else []
        return contact_sheets.cell(pillow(pixels), *name, str(index))

    pages = contact_sheets.write_pages(directory, data.name, range(data.num_images), cell,
                                       data.name)
    print(f'Written  {directory}: {data.num_images:,} images on {len(pages)} pages')
    return os.path.join(directory, pages[0])


def extract(directory, output_dir):
    """Writes each image as `imgINDEX-NAME.png`, and the labels as JSON.

    NAME is that of the image's file where the dataset knows it, else its class. The names sort in
    the order of the records, and the JSON file has the form and the name that create_from_images
    looks for: with --shuffle=0 it makes the same dataset again.
    """
    data = TFRecordDataset(directory, max_label_size='full')
    _make_new(output_dir)
    classes = class_numbers(data.labels)
    sources = data.source_names()
    known = [os.path.splitext(name)[0] for name in sources] if sources else \
        _class_names(data, classes)
    names = [_file_name(index, *known[index:index + 1]) for index in range(data.num_images)]

    def save(index):
        save_png(os.path.join(output_dir, names[index]),
                 data.read(data.resolution, [index])[0])

    with Behind(workers.available()) as behind:
        for index in writing.progress(range(data.num_images), data.num_images, 'Extracting'):
            behind.run(save, index)
    if data.label_size:
        _write_labels(os.path.join(output_dir, DEFAULT_FILE), names, data, classes)
    print(f'Written  {data.num_images:,} images to {output_dir}')


def _write_labels(path, names, data, classes):
    """JSON with a line for each image: its class number or, where that says less, its vector."""
    numbers_do = classes is not None and (
        data.class_names or classes.max() + 1 == data.label_size)  # else the size would be lost
    labels = (classes if numbers_do else data.labels).tolist()
    lines = (json.dumps(pair, ensure_ascii=False) for pair in zip(names, labels))
    with open(path, 'w', encoding='utf-8') as file:
        file.write('{"labels": [\n' + ',\n'.join(lines) + '\n]')
        if data.class_names:
            file.write(',\n"classes": ' + json.dumps(data.class_names, ensure_ascii=False))
        file.write('}\n')


def _class_names(data, classes):
    """The name of each image's class, or its number; [] where there are no classes."""
    if classes is None:
        return []
    return [data.class_names[number] if data.class_names else str(number) for number in classes]


def _file_name(index, *known):
    """'img00000012.png', or with the end of what else is known of the image."""
    return '-'.join([f'img{index:08d}', *(re.sub(r'[^A-Za-z0-9_.-]', '_', word)[-KEPT:]
                                          for word in known)]) + '.png'


def _show(path):
    """Opens the system's image viewer; False where there is none or no screen for it."""
    if os.name == 'posix' and os.uname().sysname != 'Darwin' and not (
            os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return False
    with Image.open(path) as image:
        return ImageShow.show(image)
