"""Work behind the caller: it goes on beside him, with bounded room, and its errors come out."""

import threading

import pytest

from formats.behind import Behind


def test_the_caller_goes_on_until_there_is_no_room():
    gate, started = threading.Event(), []
    with Behind(1) as behind:
        for number in range(2):  # one at work, one waiting
            behind.run(lambda number=number: (started.append(number), gate.wait()))
        third = threading.Thread(target=behind.run, args=[started.append, 2])
        third.start()
        third.join(0.05)
        assert third.is_alive() and 2 not in started
        gate.set()
        third.join()
    assert started == [0, 1, 2]


def test_leaving_waits_for_all():
    done = []
    with Behind(2) as behind:
        for number in range(20):
            behind.run(done.append, number)
    assert sorted(done) == list(range(20))


def test_an_error_comes_out_at_the_end():
    with pytest.raises(ZeroDivisionError):
        with Behind(2) as behind:
            behind.run(lambda: 1 / 0)


def test_an_error_comes_out_of_a_later_run_and_drops_the_rest():
    done = []
    with pytest.raises(ZeroDivisionError):
        with Behind(1) as behind:
            behind.run(lambda: 1 / 0)
            for number in range(100):
                behind.run(done.append, number)
            pytest.fail('the error has not come out')
    assert len(done) < 100


def test_an_error_of_the_caller_drops_what_waits():
    started, gate, done = threading.Event(), threading.Event(), []

    def first():
        started.set()
        gate.wait()

    with pytest.raises(KeyError):
        with Behind(1) as behind:
            behind.run(first)
            behind.run(done.append, 1)
            started.wait()
            # Leaving drops what waits at once, and then waits for the first.
            threading.Timer(0.2, gate.set).start()
            raise KeyError
    assert done == []
