"""What `dataset_tool.py clean` finds and what it costs, on a folder with planted faults.

Makes a folder of pictures, something like photographs (smooth colours, shapes with edges, grain;
JPEG and PNG, 96 to 256 pixels), of which 1% each have one fault: too small, too long, transparent,
one colour, gray, blurred, letterboxed, damaged, an exact copy (the file, or its pixels in another
format), a near copy (smaller, recompressed, brighter, cropped by a hundredth). Cleans it, killed
half-way and started again. Prints, for each check, the share of the planted that it found and its
false alarms; whether each copy was found with the picture that it was made of; images a second, and
peak memory. `--split` prints what each part costs, of images of 256x256, in processor time, and how
many of them the whole command looks at in a second.

    python benchmarks/clean_recall.py [--num_images=20000] [--folder=/tmp/photos]
    python benchmarks/clean_recall.py --split
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path[:0] = [ROOT, os.path.dirname(os.path.abspath(__file__))]

from benchmark_dataset_tool import make_folder as make_pngs  # noqa: E402
from benchmark_dataset_tool import make_image  # noqa: E402

from conversion import decode, measuring  # noqa: E402

SHARE = 0.01
WORDS = {'small': 'too small', 'aspect': 'too long and narrow', 'transparent': 'mostly transparent',
         'plain': 'nearly one colour', 'gray': 'gray among colour', 'blurred': 'blurred',
         'bars': 'letterboxed', 'damaged': 'damaged', 'same': 'the same as another',
         'near': 'nearly the same as another'}


def picture(random):
    """An RGB image of 96 to 256 pixels a side."""
    size = tuple(int(length) for length in random.integers(96, 257, 2))
    size = size if max(size) < 1.9 * min(size) else (size[0], size[0])
    cells = int(random.integers(3, 9))
    coarse = random.integers(0, 256, [cells, cells, 3], dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 12))):
        box = [int(x) for x in random.integers(0, max(size), 2)]
        box += [box[0] + int(random.integers(8, size[0] // 2)),
                box[1] + int(random.integers(8, size[1] // 2))]
        shape = (draw.ellipse, draw.rectangle)[int(random.integers(2))]
        shape(box, fill=tuple(int(x) for x in random.integers(0, 256, 3)))
    grain = random.normal(0, random.uniform(2, 6), [size[1], size[0], 3])
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def with_fault(image, fault, random):
    """The image with one of the faults that concern it alone."""
    width, height = image.size
    if fault == 'small':
        return image.resize((int(random.integers(16, 64)), int(random.integers(64, 90))))
    if fault == 'aspect':
        return image.resize((80, int(random.integers(176, 400))))
    if fault == 'plain':
        colour = random.integers(0, 256, 3)
        noise = random.normal(0, 3, [height, width, 3])
        return Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8))
    if fault == 'gray':
        return image.convert('L').convert('RGB')
    if fault == 'blurred':
        return image.filter(ImageFilter.GaussianBlur(random.uniform(3, 6)))
    if fault == 'transparent':
        alpha = np.zeros([height, width], np.uint8)
        alpha[:int(height * random.uniform(0.1, 0.45))] = 255
        image.putalpha(Image.fromarray(alpha))
        return image
    grey, share = (int(random.choice([0, 255])),) * 3, random.uniform(0.05, 0.2)
    across, down = int(width * share), int(height * share)
    boxes = [(0, 0, width, down), (0, height - down, width, height)] if random.integers(2) else [
        (0, 0, across, height), (width - across, 0, width, height)]
    for box in boxes:
        image.paste(grey, box)
    return image


def near_copy(image, random):
    """The image, smaller, brighter, cropped by little, or as it is (and then recompressed)."""
    kind = int(random.integers(4))
    if kind == 0:
        return image.resize([length * 3 // 4 for length in image.size], Image.Resampling.LANCZOS)
    if kind == 1:
        return ImageEnhance.Brightness(image).enhance(1.05)
    if kind == 2:
        return image.crop((1, 1, image.width - 1, image.height - 1))
    return image


def make_folder(folder, count):
    """Writes the pictures; returns {fault: {name of an image: name of what it is a copy of}}."""
    os.makedirs(folder)
    random, planted = np.random.default_rng(0), {fault: {} for fault in WORDS}
    kinds = np.full(count, '', dtype=object)
    each = max(1, int(count * SHARE))
    places = random.permutation(np.arange(each, count))[:each * len(WORDS)]
    for number, fault in enumerate(WORDS):
        kinds[places[number * each:(number + 1) * each]] = fault
    good = []
    for number, fault in enumerate(kinds):
        source = good[int(random.integers(len(good)))] if fault in ('same', 'near') else None
        name = _write(folder, number, fault, source, random)
        if fault:
            planted[fault][name] = source
        else:
            good.append(name)
    return planted


def _write(folder, number, fault, source, random):
    """Writes one image; returns its name."""
    def save(image, kind, **options):
        image.save(os.path.join(folder, name := f'{number:06d}.{kind}'), **options)
        return name

    if fault in ('same', 'near'):
        with Image.open(os.path.join(folder, source)) as file:
            image = file.convert('RGB')
        if fault == 'near':
            return save(near_copy(image, random), 'jpg', quality=int(random.integers(40, 80)))
        if source.endswith('.jpg') and random.integers(2):
            return save(image, 'png', compress_level=1)
        name = f'{number:06d}{os.path.splitext(source)[1]}'
        shutil.copyfile(os.path.join(folder, source), os.path.join(folder, name))
        return name
    image = picture(random)
    if fault and fault != 'damaged':
        image = with_fault(image, fault, random)
    jpeg = random.random() < 0.7 and fault != 'transparent'
    name = save(image, 'jpg', quality=90) if jpeg else save(image, 'png', compress_level=1)
    if fault == 'damaged':
        path = os.path.join(folder, name)
        os.truncate(path, os.path.getsize(path) // 2)
    return name


def clean(folder, report, stop_at=None):
    """Runs the command; returns (seconds, peak MB of a process). stop_at: SIGKILL at so many."""
    start, journal = time.perf_counter(), os.path.join(report, 'measured.jsonl')
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, 'dataset_tool.py'), 'clean',
                                folder, f'--report={report}'], stdout=subprocess.DEVNULL)
    while stop_at and process.poll() is None:
        if os.path.exists(journal) and _lines(journal) >= stop_at:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.2)
    if process.wait() and not stop_at:
        raise SystemExit(f'clean ended with exit code {process.returncode}.')
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return time.perf_counter() - start, peak


def _lines(path):
    with open(path, 'rb') as file:
        return sum(1 for _ in file)


def table(planted, report):
    """Markdown: of each check what it found; and the copies that were not found with their source.

    False alarms are faults of pictures that none was planted in, nor copied.
    """
    with open(os.path.join(report, 'clean.csv'), encoding='utf-8', newline='') as file:
        rows = {row['path']: row for row in csv.DictReader(file)}
    lines = ['| fault | planted | found | false alarms, of the good ones |',
             '| --- | --- | --- | --- |']
    copies = {**planted['same'], **planted['near']}
    good = set(rows) - set().union(*planted.values())
    for fault, words in WORDS.items():
        reported = {name for name, row in rows.items() if words in row['reasons'].split('; ') or
                    fault == 'damaged' and 'is damaged' in row['reasons']}
        wanted, false = set(planted[fault]), (reported & good) - set(copies.values())
        if fault in ('same', 'near'):   # the one that is kept need not be that which was copied
            found = {name for name in wanted if reported & {name, copies[name]}}
        else:
            found = wanted & reported
        lines.append(f'| {words} | {len(wanted):,} | {len(found) / max(1, len(wanted)):.1%} | '
                     f'{len(false):,} ({len(false) / len(good):.2%}) |')

    def best(name):
        return rows[name]['same_as'] or name

    apart = [name for name, source in copies.items() if best(name) != best(source)]
    return '\n'.join(lines) + (f'\n\nCopies that are not in one group with what they were made of: '
                               f'{len(apart)} of {len(copies)} {apart[:5]}')


def print_speed(count=2000):
    """Images of 256x256 that the whole command looks at in a second, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        make_pngs(os.path.join(folder, 'images'), count)
        seconds = [clean(os.path.join(folder, 'images'), os.path.join(folder, f'report{number}'))[0]
                   for number in range(3)]
    print(f'{count:,} PNG files of 256x256: {count / statistics.median(seconds):.0f} images a '
          f'second (the whole command, three times: {", ".join(f"{x:.1f}" for x in seconds)} s)')


def print_split():
    """What each part takes for one image of 256x256, in processor time."""
    images = [Image.fromarray(make_image(seed)) for seed in range(100)]
    for kind, options in (('PNG', {}), ('JPEG', {'quality': 90})):
        files = []
        for image in images:
            file = io.BytesIO()
            image.save(file, kind, **options)
            files.append(file.getvalue())
        parts = {'decode': lambda data: decode.upright(data, decode.Rules(num_channels=3)),
                 'all': measuring.of_file}
        found = {}
        measuring.of_file(files[0])     # imports what it needs
        for name, part in parts.items():
            start = time.process_time()
            for data in files:
                part(data)
            found[name] = (time.process_time() - start) / len(files) * 1000
        print(f'{kind}: decode {found["decode"]:.2f} ms, all of it {found["all"]:.2f} ms, which is '
              f'{1000 / found["all"]:.0f} images a second on a core')
    print_measures(images)


def print_measures(images):
    """What each measure takes."""
    bases = [image.convert('L') for image in images]
    small = [np.asarray(image.resize([measuring.SMALL] * 2, Image.Resampling.BOX), np.float32)
             for image in images]
    for name, items, function in (
            ('hash of all pixels', images, measuring.hash_of),
            ('gray', images, lambda image: image.convert('L')),
            ('sharpness', bases, measuring.sharpness), ('bars', small, measuring.bars),
            ('perceptual hash', bases, measuring.looks)):
        start = time.process_time()
        for item in items:
            function(item)
        print(f'  {name}: {(time.process_time() - start) / len(items) * 1000:.2f} ms')


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--num_images', type=int, default=20000)
    parser.add_argument('--folder', help='where the pictures go; default: a temporary one')
    parser.add_argument('--split', action='store_true')
    args = parser.parse_args()
    if args.split:
        print_split()
        print_speed()
        return
    with contextlib.ExitStack() as stack:
        folder = args.folder or stack.enter_context(tempfile.TemporaryDirectory())
        images, report = os.path.join(folder, 'images'), os.path.join(folder, 'report')
        planted = make_folder(images, args.num_images)
        first, _ = clean(images, report, stop_at=args.num_images // 2)
        known = _lines(os.path.join(report, 'measured.jsonl'))
        second, peak = clean(images, report)
        again, _ = clean(images, report)
        print(table(planted, report))
        print(f'\nKilled after {first:.0f} s with {known:,} measured; the rest took {second:.0f} s '
              f'({(args.num_images - known) / second:.0f} images a second), the same again with '
              f'nothing to measure {again:.0f} s. Peak memory of a process: {peak:.0f} MB.')


if __name__ == '__main__':
    main()
