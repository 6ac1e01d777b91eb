"""How long a run will still take: the arithmetic of what is left, at the pace measured so far."""

from __future__ import annotations

import math

from training.arithmetic import iteration_work
from training.schedule import snapshot_due, stages_left

SURE = 100  # so many iterations at a resolution say as much of its pace as those before do


class Measured:
    """Seconds that something has taken, the amount of work that it was, how often it was done."""

    def __init__(self):
        self.seconds = self.work = self.count = 0.0

    def add(self, seconds, work, count=1):
        self.seconds, self.work = self.seconds + seconds, self.work + work
        self.count += count

    @property
    def pace(self):
        """Seconds for a unit of work; 0 where nothing has been measured."""
        return self.seconds / self.work if self.work else 0.0


def _layers(sched):
    """What compiling takes time for: one block for each size."""
    return int(math.log2(sched.resolution)) - 1


class Pace:
    """What the parts of a run take, measured in this process; and so what is left will take.

    Iterations are measured at each resolution; at one that has not come yet they take as long as
    their arithmetic would at the pace of the finest one that has. The first reading of the schedule
    at each resolution is counted apart, because it compiles.
    """

    def __init__(self, config, metrics, costs):
        """config: RunConfig; metrics: SnapshotMetrics; costs: arithmetic.Costs."""
        self.config, self.metrics, self.costs = config, metrics, costs
        self._iterations = {}  # {resolution: Measured}
        self._first = {}       # {resolution: Measured} of what compiled
        self._compiling, self._ticks, self._snapshots = Measured(), Measured(), Measured()
        self._metrics_before = 0.0

    def _work(self, sched, images):
        """(work, iterations) of so many images shown."""
        count = images / (sched.minibatch * self.config.D_repeats)
        return count * iteration_work(self.config, sched, self.costs), count

    def iterated(self, sched, seconds, images):
        """One reading of the schedule has taken so long for so many images."""
        is_first = sched.resolution not in self._first
        if is_first:
            self._compiling.add(seconds, _layers(sched))
        measured = self._first if is_first else self._iterations
        measured.setdefault(sched.resolution, Measured()).add(seconds, *self._work(sched, images))

    def maintained(self, tick, done, seconds):
        """The maintenance after tick number `tick` has taken so long, its metrics included."""
        seconds -= self.metrics.seconds - self._metrics_before
        self._metrics_before = self.metrics.seconds
        if snapshot_due(tick, self.config.network_snapshot_ticks, done):
            self._snapshots.add(seconds, 1)
        else:
            self._ticks.add(seconds, 1)

    def seconds_left(self, nimg, tick, tick_start_nimg, run_seconds):
        """To the end of the run; something must have been measured.

        nimg: images shown; tick: ticks finished; tick_start_nimg: images shown by then;
        run_seconds: of the run so far, all starts together.
        """
        stages = self._stages(nimg)
        seconds = sum(self._pace_at(sched.resolution) * self._work(sched, images)[0]
                      for sched, images in stages)
        to_compile = {sched.resolution: _layers(sched) for sched, _ in stages
                      if sched.resolution not in self._first}
        seconds += self._compiling.pace * sum(to_compile.values())
        snapshots, seconds = self._with_ticks(self._stages(tick_start_nimg), tick, seconds)
        return seconds + self.metrics.seconds_left(snapshots, run_seconds, seconds)

    def _stages(self, nimg):
        config = self.config
        return stages_left(nimg, int(config.total_kimg * 1000), config.G.resolution,
                           config.num_gpus, config.schedule)

    def _pace_at(self, resolution):
        """That of the resolution or, as far as it is not known, of coarser ones."""
        measured = self._iterations or self._first
        coarsest, *finer = sorted(measured)
        pace = measured[coarsest].pace
        for size in finer:
            if size <= resolution:
                share = measured[size].count / (measured[size].count + SURE)
                pace += share * (measured[size].pace - pace)
        return pace

    def _with_ticks(self, stages, tick, seconds):
        """(network snapshots to come, seconds of iterations and those of ticks and snapshots).

        stages: from the end of the last tick on.
        """
        ticks = math.ceil(sum(images / (1000 * sched.tick_kimg) for sched, images in stages))
        snapshots = sum(snapshot_due(number, self.config.network_snapshot_ticks,
                                     done=number == tick + ticks)
                        for number in range(tick + 1, tick + ticks + 1))
        a_tick, a_snapshot = self._ticks.pace, self._snapshots.pace
        seconds += (ticks - snapshots) * (a_tick or a_snapshot) + snapshots * (a_snapshot or a_tick)
        return snapshots, seconds
