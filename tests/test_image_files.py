"""Many images: the same files however the work is parted, carried on with where it stopped."""

import dataclasses
import threading
import tracemalloc

import numpy as np
import pytest
from test_pictures import small_generator

from formats import png
from pictures.image_files import Files, Job, check_existing, write_images
from pictures.latents import latents_of
from training.sampler import Sampler

COUNT = 70


@pytest.fixture(scope='module')
def sampler():
    return Sampler(small_generator(), noise='random', minibatch=3)


def job_of(sampler, count=COUNT, seed=0):
    def w_of(start, stop):
        return sampler.w(latents_of(range(seed + start, seed + stop), 6))

    return Job(count, 'seed{:04d}'.format, w_of)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize('ending, quality', [('.png', None), ('.jpg', 80)])
def test_a_job_that_was_stopped_goes_on_to_the_same_files(sampler, tmp_path, ending, quality):
    job, folders = job_of(sampler), [tmp_path / name for name in ('whole', 'parts')]
    for folder in folders:
        folder.mkdir()
    whole, parts = (Files(str(folder), ending, quality) for folder in folders)
    assert write_images(sampler, job, whole) == COUNT
    for name, data in contents(folders[0]).items():  # all but some, and half of one
        if name[:8] not in ('seed0004', 'seed0050', 'seed0069'):
            (folders[1] / name).write_bytes(data if '0051' not in name else data[:len(data) // 2])
    check_existing(sampler, job, parts)
    before = (folders[1] / f'seed0000{ending}').stat().st_mtime_ns
    assert write_images(sampler, job, parts, skip_existing=True) == 4
    assert contents(folders[1]) == contents(folders[0])
    assert (folders[1] / f'seed0000{ending}').stat().st_mtime_ns == before


def test_random_noise_is_that_of_the_sampler_that_draws_all_at_once(sampler, tmp_path):
    write_images(sampler, job_of(sampler, 10), Files(str(tmp_path)))
    fresh = Sampler(sampler.Gs, noise='random', minibatch=3)
    expected = fresh.images(fresh.w(latents_of(range(10), 6)))
    for i, image in enumerate(expected):
        np.testing.assert_array_equal(
            png.pixels((tmp_path / f'seed{i:04d}.png').read_bytes()), image)


def test_files_of_other_options_are_not_taken_for_the_jobs_own(sampler, tmp_path):
    files = Files(str(tmp_path))
    write_images(sampler, job_of(sampler, 10), files)
    (tmp_path / 'seed0000.png').unlink()
    check_existing(sampler, job_of(sampler, 20), files)
    with pytest.raises(ValueError, match='^--skip_existing: .*seed0001.png is not the image'):
        check_existing(sampler, job_of(sampler, 20, seed=100), files)


def test_all_w_come_out_in_turn_also_of_images_that_are_there(sampler, tmp_path):
    parts, files = [], Files(str(tmp_path))
    for _ in range(2):
        parts.clear()
        write_images(sampler, job_of(sampler), files, True, parts.append)
        np.testing.assert_array_equal(np.concatenate(parts),
                                      sampler.w(latents_of(range(COUNT), 6)))


def test_memory_does_not_grow_with_the_number_of_images(sampler, tmp_path):
    class Nothing(Files):
        def save(self, name, image):
            pass

    class Flat:
        minibatch = 64

        def numbered(self, w, number, noise, convert):
            return np.zeros([len(w), 8, 8, 1], np.uint8)

    def peak(count):
        job = Job(count, str, lambda start, stop: np.zeros([stop - start, 100], np.float32))
        tracemalloc.start()
        write_images(Flat(), job, Nothing(str(tmp_path)))
        bytes_at_most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return bytes_at_most

    peak(2000)
    assert peak(50000) < peak(2000) * 1.5 + 1e5


def test_the_next_minibatch_is_drawn_while_files_are_written(sampler, tmp_path):
    drawn_next = threading.Event()

    class Slow(Files):
        def save(self, name, image):
            assert drawn_next.wait(30), 'the second minibatch was never drawn'
            return super().save(name, image)

    def w_of(start, stop):
        return sampler.w(latents_of(range(start, stop), 6))

    def noise_of(start, count):  # asked for as a minibatch is drawn
        if start:
            drawn_next.set()
        return None

    write_images(sampler, Job(6, str, w_of, noise_of), Slow(str(tmp_path)))
    assert len(contents(tmp_path)) == 6


def test_a_file_that_cannot_be_written_ends_the_job_and_is_named(sampler, tmp_path):
    (tmp_path / 'seed0004.png').mkdir()
    with pytest.raises(OSError, match='seed0004.png could not be written'):
        write_images(sampler, job_of(sampler), Files(str(tmp_path)))
    assert not list(tmp_path.glob('*.part'))


def test_the_last_of_images_of_one_name_stays(sampler, tmp_path):
    job, files = job_of(sampler, 41), Files(str(tmp_path))
    write_images(sampler, job, files)
    twice = dataclasses.replace(job, name_of=lambda i: ('even', 'odd')[i % 2], repeats=True)
    write_images(sampler, twice, files)
    found = contents(tmp_path)
    assert found['even.png'] == found['seed0040.png'] != found['seed0038.png']
    assert found['odd.png'] == found['seed0039.png']


@pytest.mark.parametrize('ending', ['.png', '.jpg'])
def test_half_a_file_is_not_whole(tmp_path, ending):
    image = np.random.RandomState(1).randint(0, 256, [9, 7, 3]).astype(np.uint8)
    data, path = png.encoded(image, ending, 90), tmp_path / f'a{ending}'
    assert not png.is_whole(str(path))
    for size, whole in ((len(data), True), (len(data) - 1, False), (1, False), (0, False)):
        path.write_bytes(data[:size])
        assert png.is_whole(str(path)) is whole


def test_a_picture_too_large_for_a_jpeg_is_refused():
    with pytest.raises(ValueError, match='70000x1 pixels: a JPEG has at most 65500'):
        png.encoded(np.zeros([1, 70000, 1], np.uint8), '.jpg', 90)
