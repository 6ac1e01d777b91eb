"""The time left of a run: its arithmetic at the pace measured so far."""

import dataclasses
import types

import pytest

from training.arithmetic import CPU_COSTS, iteration_work, passes
from training.config import LossConfig
from training.presets import run_config
from training.remaining import SURE, Pace
from training.schedule import stages_left, training_schedule

DIGITS = run_config('digits', 'digits', 32, 1, 0)
NO_METRICS = types.SimpleNamespace(seconds=0.0, seconds_left=lambda snapshots, so_far, others: 0.0)


def schedule_at(kimg, config=DIGITS):
    return training_schedule(int(kimg * 1000), config.G.resolution, config.num_gpus,
                             config.schedule)


def run(pace, config, seconds_per_work, until_kimg, compiling=0.0, tick=1.0, snapshot=1.0):
    """Ticks of a run whose iterations take `seconds_per_work`; yields (kimg, ETA, really left)."""
    lines, clock, nimg, number, started = [], 0.0, 0, 0, 0
    sizes = set()
    while nimg < until_kimg * 1000:
        sched = schedule_at(nimg / 1000, config)
        images = min(4 * sched.minibatch, int(config.total_kimg * 1000) - nimg)
        seconds = seconds_per_work * images / sched.minibatch * iteration_work(config, sched,
                                                                               CPU_COSTS)
        seconds += 0 if sched.resolution in sizes else compiling
        sizes.add(sched.resolution)
        pace.iterated(sched, seconds, images)
        clock, nimg = clock + seconds, nimg + images
        done = nimg >= config.total_kimg * 1000
        if done or nimg - started >= 1000 * sched.tick_kimg:
            lines.append((nimg / 1000, clock, pace.seconds_left(nimg, number, started, clock)))
            number, started = number + 1, nimg
            takes = snapshot if done or number == 1 or number % 5 == 0 else tick
            pace.maintained(number, done, takes)
            clock += takes
    return [(kimg, eta, clock - at) for kimg, at, eta in lines]


def test_stages_are_the_fades_and_whole_lods_that_are_left():
    stages = stages_left(25_000, 70_000, 32, 1, DIGITS.schedule)
    assert [(sched.resolution, bool(sched.alpha), images) for sched, images in stages] == [
        (16, True, 5_000), (16, False, 20_000), (32, True, 10_000), (32, False, 10_000)]
    assert stages_left(70_000, 70_000, 32, 1, DIGITS.schedule) == []
    flat = dataclasses.replace(DIGITS.schedule, lod_training_kimg=0, lod_transition_kimg=0)
    assert [images for _, images in stages_left(0, 70_000, 32, 1, flat)] == [70_000]


def test_stages_add_up_to_all_images_of_a_full_schedule():
    config = run_config('auto', 'faces', 1024, 3, 0)
    stages = stages_left(0, 25_000_000, 1024, 1, config.schedule)
    assert sum(images for _, images in stages) == 25_000_000
    assert [sched.resolution for sched, _ in stages] == [
        8, *[2 ** r for r in range(4, 11) for _ in range(2)]]


def test_the_time_left_is_right_where_time_follows_the_arithmetic():
    lines = run(Pace(DIGITS, NO_METRICS, CPU_COSTS), DIGITS, 1e-11, 70)
    assert len(lines) == 14 and lines[0][2] > 30
    for kimg, eta, left in lines:
        assert eta == pytest.approx(left, rel=0.02, abs=2.5), kimg  # the first lacks maintenance


def test_compiling_is_expected_once_for_each_resolution_to_come():
    lines = run(Pace(DIGITS, NO_METRICS, CPU_COSTS), DIGITS, 1e-18, 70, compiling=5.0, tick=0,
                snapshot=0)
    by_kimg = {round(kimg): eta for kimg, eta, _ in lines}
    assert by_kimg[15] == pytest.approx(5 * 3 / 2 + 5 * 4 / 2, rel=0.01)  # blocks: 2, 3, 4
    assert by_kimg[40] == pytest.approx((5 + 5) / 5 * 4, rel=0.01)
    assert by_kimg[56] < 0.01


def test_maintenance_and_snapshots_are_expected_as_often_as_they_come():
    lines = run(Pace(DIGITS, NO_METRICS, CPU_COSTS), DIGITS, 1e-18, 70, tick=2.0, snapshot=30.0)
    etas = [eta for _, eta, _ in lines]
    assert etas[1] == pytest.approx(3 * 30 + 10 * 30, abs=0.1), 'no plain tick has been measured'
    assert etas[2:5] == pytest.approx([3 * 30 + 9 * 2, 3 * 30 + 8 * 2, 3 * 30 + 7 * 2], abs=0.1)
    assert [left for _, _, left in lines][2:] == pytest.approx(etas[2:], abs=0.1)


def test_metrics_are_counted_apart_from_snapshots():
    metrics = types.SimpleNamespace(seconds=0.0, seconds_left=lambda snapshots, so_far, others: 7.0)
    pace = Pace(DIGITS, metrics, CPU_COSTS)
    pace.iterated(schedule_at(1), 0.0, 64)
    metrics.seconds = 25.0
    pace.maintained(1, False, 26.0)
    assert pace.seconds_left(69_000, 13, 69_000, 0) == pytest.approx(1.0 + 7.0)


def test_a_resolution_counts_the_more_the_longer_it_has_been_measured():
    pace, coarse, fine = Pace(DIGITS, NO_METRICS, CPU_COSTS), schedule_at(1), schedule_at(35)
    works = [iteration_work(DIGITS, sched, CPU_COSTS) for sched in (coarse, fine)]
    for _ in range(2):  # what compiles does not count
        pace.iterated(coarse, works[0], coarse.minibatch)
    end = (45_000, 9, 45_000, 0)
    expected = pace.seconds_left(*end)
    pace.iterated(fine, 0.0, fine.minibatch)
    start = pace.seconds_left(*end)
    pace.iterated(fine, SURE * works[1] * 3, SURE * fine.minibatch)
    assert pace.seconds_left(*end) == pytest.approx(start + expected, rel=0.03)


def test_work_grows_with_what_is_computed():
    sched = schedule_at(25)
    assert sched.alpha
    work = iteration_work(DIGITS, sched, CPU_COSTS)
    assert work > iteration_work(DIGITS, sched._replace(lod=1.0), CPU_COSTS), 'two RGB layers'
    assert work > iteration_work(DIGITS, schedule_at(1), CPU_COSTS)
    assert 1 < iteration_work(DIGITS, sched._replace(minibatch=32), CPU_COSTS) / work < 2
    twice = dataclasses.replace(DIGITS, D_repeats=2)
    assert 1 < iteration_work(twice, sched, CPU_COSTS) / work < 2


@pytest.mark.parametrize('losses, D_repeats, expected', [
    ({}, 1, (4, 11)), ({'r1_gamma': 0}, 1, (4, 8)), ({'r2_gamma': 1}, 1, (4, 14)),
    ({'D_loss': 'D_wgan_gp'}, 1, (4, 14)), ({'D_loss': 'D_hinge'}, 2, (5, 14))])
def test_passes_follow_from_losses(losses, D_repeats, expected):
    assert passes(LossConfig(**losses), D_repeats) == expected
