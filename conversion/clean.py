"""Finds the images of a folder that are not good ones: a table, a list to exclude, and pictures."""

from __future__ import annotations

import base64
import collections
import contextlib
import functools
import json
import os
import zipfile

from conversion import contact_sheets, measuring, workers, writing
from conversion.collection import find_collection, printable, read_file, write_names
from conversion.decode import Unusable
from conversion.quality import CHECKS, judge
from formats.files import writable_folder
from formats.tables import write_csv

JOURNAL, TABLE, LIST = 'measured.jsonl', 'clean.csv', 'exclude.txt'
UNUSABLE = 'unusable'
MOST_PAGES = 50      # of each kind of fault
COLUMNS = ('path', 'kept', 'reasons', 'same_as', 'width', 'height', 'transparent', 'spread',
           'colour', 'sharpness', 'bars')


def clean(source, report, limits, num_workers=None):
    """Measures all images of a folder or zip, and writes the folder `report`; touches no image.

    report/clean.csv has a row for each image, report/exclude.txt the names of those that are not
    good, for create_from_images --exclude, report/FAULT-01.png, ... show them. measured.jsonl keeps
    what was measured: a run that was stopped goes on there, and one with other limits measures
    nothing again. An image that has changed is measured anew.

    Args:
        limits: quality.Limits.
        num_workers: processes; None = one a core, if there is enough to do.
    """
    _check_report(source, report)
    collection = find_collection(source)
    writable_folder(report, 'report')
    found = _measure_all(collection, report, num_workers)
    names = [name for name in collection.names if not isinstance(found[name], str)]
    unusable = {name: found[name] for name in collection.names if isinstance(found[name], str)}
    verdicts = judge([found[name] for name in names], limits)
    _remove_old_pages(report)
    write_csv(os.path.join(report, TABLE), COLUMNS, _rows(names, unusable, found, verdicts))
    bad = sorted({*unusable, *(names[number] for numbers in verdicts.reasons.values()
                               for number in numbers)})
    write_names(os.path.join(report, LIST), bad)
    _write_pages(report, collection.path, names, unusable, verdicts)
    _print_report(report, source, len(collection.names), names, unusable, verdicts, bad)


def _check_report(source, report):
    """ValueError where the report would be taken for images, or something else is there."""
    inside = os.path.commonpath([os.path.realpath(source), os.path.realpath(report)])
    if os.path.isdir(source) and inside == os.path.realpath(source):
        raise ValueError(f'--report={printable(str(report))}: lies in the folder of the images; '
                         'choose a directory elsewhere')
    if os.path.isdir(report):
        foreign = sorted(name for name in os.listdir(report) if not _is_ours(name))
        if foreign:
            raise ValueError(f'--report={printable(str(report))}: holds more than a report '
                             f'({printable(foreign[0])}); choose another directory')


def _is_ours(name):
    kinds = (UNUSABLE, *(check.name for check in CHECKS))
    return name in (JOURNAL, TABLE, LIST) or name.endswith('.png') and \
        name.rpartition('-')[0] in kinds


def _remove_old_pages(report):
    for name in os.listdir(report):
        if name.endswith('.png'):
            os.remove(os.path.join(report, name))


def _stamps(collection):
    """{name: what changes when the image does}."""
    if collection.is_zip:
        with zipfile.ZipFile(collection.path) as file:
            members = {member.filename: member for member in file.infolist()}
        return {name: [members[name].file_size, members[name].CRC] for name in collection.names}
    stamps = {}
    for name in collection.names:
        with contextlib.suppress(OSError):  # a broken link, which will be unusable
            status = os.stat(os.path.join(collection.path, name))
            stamps[name] = [status.st_size, status.st_mtime_ns]
    return stamps


def _measure_all(collection, report, num_workers):
    """{name: Measured, or why it cannot be used}; reads the journal and adds to it."""
    path, stamps = os.path.join(report, JOURNAL), _stamps(collection)
    found = _read_journal(path, stamps)
    missing = [name for name in collection.names if name not in found]
    if len(missing) < len(collection.names):
        print(f'Known    {len(collection.names) - len(missing):,} images were measured before')
    count = workers.count_for(len(missing), num_workers)
    with workers.Workers(count) as pool, open(path, 'a', encoding='utf-8') as journal:
        results = pool.map(functools.partial(_measure, collection.path), missing)
        for name, result in zip(missing, writing.progress(results, len(missing), 'Measuring')):
            found[name] = result
            values = result if isinstance(result, str) else [
                *result[:-1], base64.b64encode(result.thumbnail).decode()]
            journal.write(json.dumps([name, stamps.get(name), values]) + '\n')
    return found


def _measure(path, names):
    """For each image its Measured, or why (str) it cannot be used. Runs in a worker."""
    results = []
    for name in names:
        try:
            results.append(measuring.of_file(read_file(path, name)))
        except Unusable as error:
            results.append(str(error))
    return results


def _read_journal(path, stamps):
    """{name: what was measured} of the images that have not changed since.

    A line that was not finished, the last one of a run that was killed, ends the reading: what
    follows is cut off.
    """
    found, whole = {}, 0
    if not os.path.exists(path):
        return found
    with open(path, 'rb') as file:
        for line in file:
            try:
                name, stamp, values = json.loads(line)
                result = values if isinstance(values, str) else measuring.Measured(
                    *values[:-1], base64.b64decode(values[-1]))
            except (ValueError, TypeError):
                break
            if not line.endswith(b'\n'):
                break
            whole += len(line)
            if stamp is not None and stamps.get(name) == stamp:
                found[name] = result
    os.truncate(path, whole)
    return found


def _rows(names, unusable, found, verdicts):
    """Yields a row of the table for each image, in the order of their names."""
    numbers = {name: number for number, name in enumerate(names)}
    for name in sorted(found):
        if name in unusable:
            yield [name, 0, unusable[name], *[''] * (len(COLUMNS) - 3)]
            continue
        number, one = numbers[name], found[name]
        reasons = [check.words for check in CHECKS if number in verdicts.reasons[check.name]]
        best = verdicts.kept[number]
        yield [name, int(not reasons), '; '.join(reasons), names[best] if best != number else '',
               one.width, one.height, *(f'{value:.4g}' for value in one[2:7])]


def _write_pages(report, source, names, unusable, verdicts):
    """The pages of each kind of fault; duplicates stand behind the one that is kept."""
    def page(kind, title, items):
        contact_sheets.write_pages(report, kind, items, lambda item: contact_sheets.cell_of(
            source, *item), title, MOST_PAGES)

    page(UNUSABLE, 'Unusable', list(unusable.items()))
    for check in CHECKS:
        bad = verdicts.reasons[check.name]
        if check.name in ('same', 'near'):
            of = collections.defaultdict(list)
            for number in bad:
                of[verdicts.kept[number]].append(number)
            items = [item for best, others in sorted(of.items()) for item in
                     [(names[best], 'KEPT'), *((names[other], 'left out') for other in others)]]
        else:
            items = [(names[number], words) for number, words in bad.items()]
        page(check.name, check.words.capitalize(), items)


def _print_report(report, source, total, names, unusable, verdicts, bad):
    """What was found, and what to do with it."""
    if unusable:
        print(f'Found    {len(unusable):,} unusable, for example '
              f'{printable(next(iter(unusable)))}: {next(iter(unusable.values()))}')
    for check in CHECKS:
        numbers = verdicts.reasons[check.name]
        if numbers:
            groups = len({verdicts.kept[number] for number in numbers})
            more = f' (of {groups:,} groups)' if check.name in ('same', 'near') else ''
            print(f'Found    {len(numbers):,} {check.words}{more}, for example '
                  f'{printable(names[next(iter(numbers))])}')
    print(f'Good     {total - len(bad):,} of {total:,} images')
    where = printable(str(report))
    print(f'Written  {where}: {TABLE}, {LIST} and pages of each kind. Look at the pages, take out '
          f'of {LIST} what is good; then\n         dataset_tool.py create_from_images DATASET '
          f'{printable(str(source))} --exclude={os.path.join(where, LIST)}')
