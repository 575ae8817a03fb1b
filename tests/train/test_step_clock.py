"""The clock of updates, beside a device that is slower than the host."""

from __future__ import annotations

import pytest

from netcalc.train import step_clock
from netcalc.train.step_clock import WINDOW_SECONDS, StepClock
from tests.train.test_run_length import Silent


class Device:
    """Computes updates one after another; the host hands one out in `host_seconds` and does not wait."""

    def __init__(self, monkeypatch, update_seconds, host_seconds=0.001):
        self.update_seconds, self.host_seconds = update_seconds, host_seconds
        self.now = self.free_at = 0.0
        self.most_seconds_ahead, self.waits = 0.0, 0
        monkeypatch.setattr(step_clock.time, "perf_counter", lambda: self.now)

    def wait(self):
        self.waits += 1
        self.now = max(self.now, self.free_at)

    def train(self, clock, updates):
        for number in range(1, updates + 1):
            self.now += self.host_seconds
            self.free_at = max(self.free_at, self.now) + self.update_seconds
            clock.step(1, 8 * number, self.wait)
            self.most_seconds_ahead = max(self.most_seconds_ahead, self.free_at - self.now)


@pytest.mark.parametrize("update_seconds", [0.0001, 0.002, 0.1, 0.3, 5.0])
def test_the_host_is_never_far_ahead_and_the_time_is_the_devices(monkeypatch, update_seconds):
    """What is handed out is done within a window, so that a signal need not wait for longer."""
    device, clock = Device(monkeypatch, update_seconds), StepClock(Silent(), 8 * 2000)
    device.train(clock, 1000)
    assert device.most_seconds_ahead <= WINDOW_SECONDS
    assert device.waits <= 3 + max(1000 * update_seconds, device.now) / WINDOW_SECONDS
    own = max(update_seconds, device.host_seconds)
    assert own <= clock.median_seconds < own + 2 * device.host_seconds


def test_an_update_that_takes_longer_than_before_holds_up_one_window_alone(monkeypatch):
    device, clock = Device(monkeypatch, 0.001), StepClock(Silent(), 8 * 2000)
    device.train(clock, 500)
    device.update_seconds, waits = 1.0, device.waits
    device.train(clock, 300)
    assert device.waits - waits >= 50
