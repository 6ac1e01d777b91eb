"""Turns a folder or zip of images into a dataset; checks all of them before it writes any."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from typing import Optional

from conversion import choosing, decode, kept, labels, scan, workers, writing
from conversion.collection import find_collection, printable, read_file
from formats import folders
from formats.records import LevelFiles, dataset_bytes, pyramid

LOOK_AT = 100  # images, for one whose size says what the dataset's will be


@dataclasses.dataclass(frozen=True)
class Options:
    """How a collection of images becomes a dataset."""
    rules: decode.Rules = decode.Rules()
    labels: Optional[str] = None    # 'folders', 'none', a file; None = dataset.json if there is one
    shuffle: bool = True            # the reference's order; else that of the sorted names
    max_images: Optional[int] = None  # only the first so many, in the order of writing
    skip_bad: bool = False          # leave unusable images out instead of stopping
    check_only: bool = False        # report, write nothing
    overwrite: bool = False         # replace an existing dataset
    workers: Optional[int] = None   # processes; None = one a core, if there is enough to do
    choice: choosing.Choice = choosing.Choice()  # which of the images


def create(directory, source, options=Options()):
    """Writes the images of `source`, a folder or zip file, as the dataset `directory`.

    Reports on standard output what it finds and does.

    Raises:
        ValueError: an image cannot be used, and not options.skip_bad; all such are then listed on
            standard error.
    """
    if not options.check_only:
        folders.check(directory, options.overwrite)
    _check_options(options)
    collection = choosing.chosen(find_collection(source), options.choice)
    found_labels = labels.find(collection, options.labels)
    collection = choosing.limited_per_class(
        collection, found_labels, options.choice.max_per_class,
        lambda names: _in_order(names, options.shuffle))
    collection = _limited(collection, options)
    total = len(collection.names)
    with workers.Workers(workers.count_for(total, options.workers)) as pool, \
            _slots(directory, collection, options) as slots:
        _report_source(collection)
        result = scan.scan(collection, options.rules, found_labels, pool,
                           lambda checks: writing.progress(checks, total, 'Checking'), slots)
        _report_conversions(result)
        _stop_if_unusable(source, collection, result, options)
        names = _in_order(result.names, options.shuffle)
        label_array = found_labels.array(names) if found_labels else None
        _report_labels(names, found_labels, label_array)
        writing.report_size(directory, len(names), result.side, result.rules.num_channels,
                            found_labels.size if found_labels else 0)
        if not options.check_only:
            with writing.new_dataset(directory, result.side, result.rules.num_channels,
                                     options.overwrite) as writer:
                _fill(writer, pool, source, result, names, slots)
                writing.write_skipped(writer, result.unusable)
                writer.write_sources(names)
                if found_labels:
                    writer.write_labels(label_array, found_labels.class_names)


def _slots(directory, collection, options):
    """A context manager: the kept.Slots for the pixels of this collection; None if of no use."""
    side = None if options.check_only else _expected_side(collection, options.rules)
    if side is None:
        return contextlib.nullcontext()
    count, num_channels = len(collection.names), options.rules.num_channels or 3
    parent, free = writing.free_space(directory)
    return kept.slots(parent, count, num_channels, side,
                      disk_bytes=(free - dataset_bytes(count, side, num_channels)) // 2)


def _expected_side(collection, rules):
    """The side that the first image comes to that can come to one; None = look no further."""
    for name in collection.names[:LOOK_AT]:
        with contextlib.suppress(decode.Unusable):
            size = decode.upright_size(read_file(collection.path, name))
            if not decode.size_problem(size, rules):
                return decode.result_side(size, rules)
    return None


def _fill(writer, pool, source, result, names, slots):
    """Writes the images `names`, in the worker processes; decodes those that are not kept."""
    place = (writer.directory, writer.name, result.side, result.rules.num_channels)
    kept_at = result.kept if slots and slots.side == result.side else {}
    problems = pool.map(functools.partial(_convert, place, source, result.rules, slots),
                        ((index, name, kept_at.get(name)) for index, name in enumerate(names)))
    for name, problem in zip(names, writing.progress(problems, len(names), 'Writing')):
        if problem:
            raise ValueError(f'{printable(name)}: {problem}, although it passed the check: '
                             'the file has changed since; run the conversion again')
        writer.num_images += 1


def _convert(place, path, rules, slots, chunk):
    """Writes a chunk of (index, name, index in the slots or None). Runs in a worker.

    Returns for each None, or why not.
    """
    problems = []
    with LevelFiles(*place) as level_files:
        for index, name, slot in chunk:
            try:
                pixels = decode.decode(read_file(path, name), rules) if slot is None else \
                    slots.get(slot, rules.num_channels)
                level_files.put(index, pyramid(pixels))
                problems.append(None)
            except decode.Unusable as error:
                problems.append(str(error))
    return problems


def _check_options(options):
    resolution = options.rules.resolution
    if resolution is not None and (resolution < 4 or resolution & (resolution - 1)):
        raise ValueError(f'--resolution must be a power of two of at least 4, got {resolution}')
    decode.check_background(options.rules.background)
    if options.max_images is not None and options.max_images < 1:
        raise ValueError(f'--max_images must be at least 1, got {options.max_images}')


def _in_order(names, shuffle):
    return [names[index] for index in writing.shuffled(len(names), shuffle)]


def _limited(collection, options):
    """The collection cut to options.max_images: those that would be written first."""
    chosen = _in_order(collection.names, options.shuffle)[:options.max_images]
    return dataclasses.replace(collection, names=tuple(sorted(chosen)))


def _stop_if_unusable(source, collection, result, options):
    """Lists what cannot be used; an error unless it may be left out and something remains."""
    bad, total = len(result.unusable), len(collection.names)
    if not bad:
        return
    print(f'{bad} of {total} images cannot be used:', file=sys.stderr)
    for line in writing.problem_lines(result.unusable):
        print(f'  {line}', file=sys.stderr)
    if options.skip_bad and result.names:
        print(f'Skipped  {bad} of {total} images'
              + ('' if options.check_only else ', listed in skipped.txt'))
        return
    remedies = [remedy for remedy, fits in (
        (f'--resolution={result.suggestion} --crop=center gives all one size', result.misfits),
        ('--skip_bad leaves them out', result.names)) if fits]
    raise ValueError(f'{bad} of {total} files in {printable(source)} cannot be used (listed '
                     f'above); nothing was written' + ''.join(f'; {text}' for text in remedies))


def _report_source(collection):
    """Prints what there is in the folder or zip file."""
    folders = {name.rpartition('/')[0] for name in collection.names}
    print(f'Found    {len(collection.names):,} images in {printable(collection.path)}'
          + (f' ({len(folders)} folders)' if len(folders) > 1 else ''))
    if collection.others:
        print('Ignored  ' + ', '.join(f'{count:,} {printable(what)}'
                                      for what, count in sorted(collection.others.items())))


def _report_conversions(result):
    """Prints what has to be done to images that are not as the dataset wants them."""
    if result.conversions:
        print('Convert  ' + ', '.join(f'{count:,} {what}'
                                      for what, count in sorted(result.conversions.items())))
    if result.enlarged:
        print(f'Enlarge  {result.enlarged:,} images smaller than {result.side}x{result.side}: '
              'they will look soft')


def _report_labels(names, found_labels, label_array):
    """Prints which classes there are."""
    if found_labels is None:
        hint = '; --labels=folders would make each sub-folder a class' \
            if len({name.partition('/')[0] for name in names if '/' in name}) > 1 else ''
        print(f'Labels   none{hint}')
    else:
        print(f'Labels   {labels.describe(label_array, found_labels.class_names)}, from the '
              f'{found_labels.source}')
        unbalanced = labels.balance(label_array, found_labels.class_names)
        if unbalanced:
            print(f'Balance  {unbalanced}')
