"""The clock of a run: what a tick's iterations take, the maintenance after it, the whole."""

import time

import pytest

from runs.clock import Clock


class Hands:
    """A clock that a test sets, and images shown."""
    now, nimg = 1000.0, 0

    def __int__(self):
        return self.nimg

    def pass_by(self, seconds, images=0):
        self.now, self.nimg = self.now + seconds, self.nimg + images


@pytest.fixture
def hands(monkeypatch):
    hands = Hands()
    monkeypatch.setattr(time, 'time', lambda: hands.now)
    return hands


def test_only_iterations_count_for_a_tick_and_all_else_for_the_whole(hands):
    clock = Clock()
    for _ in range(2):
        hands.pass_by(5)
        with clock.iterating(hands):
            hands.pass_by(seconds=3, images=16)
    assert (clock.tick_seconds, clock.tick_images, clock.uncounted()) == (6, 32, 16)
    assert (clock.last_seconds, clock.last_images) == (3, 16)
    assert clock.count() == 16 and clock.uncounted() == 0


def test_maintenance_is_that_of_the_last_tick_and_the_next_begins_after_it(hands):
    clock = Clock()
    with clock.iterating(hands):
        hands.pass_by(seconds=3, images=16)
    with clock.maintaining():
        hands.pass_by(2)
        assert clock.tick_seconds == 3, 'still those of the tick that is being written'
    assert (clock.maintenance, clock.tick_seconds, clock.tick_images) == (2, 0, 0)


def test_iterations_that_fail_do_not_count(hands):
    clock = Clock()
    with pytest.raises(ValueError), clock.iterating(hands):
        hands.pass_by(seconds=3, images=16)
        raise ValueError
    assert (clock.tick_seconds, clock.tick_images) == (0, 0)
