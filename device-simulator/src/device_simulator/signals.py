"""Signals of a device: each knows how its values move from one reading to the next.

A signal is started with a random generator of its own and then asked for its next values, given the simulated
seconds that passed and the simulated hour of the day. The same seed gives the same values.
"""

import math
from collections.abc import Callable
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fleet_contracts.telemetry import METRIC_NAME

Values = dict[str, int | float]
Step = Callable[[float, float], Values]
"""Takes (simulated seconds passed, simulated hour of the day) and gives the next values."""

MetricName = Annotated[str, Field(pattern=METRIC_NAME)]
KM_PER_DEGREE = 111.2
"""Length of one degree of latitude; a degree of longitude is that times the cosine of the latitude."""


class _Signal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sessions(_Signal):
    """Bytes used since the last reading: few while idle, many while a session is on. Durations are means."""

    kind: Literal["sessions"]
    metric: MetricName
    idle_seconds: float = Field(gt=0)
    active_seconds: float = Field(gt=0)
    bytes_per_second: float = Field(ge=0)
    background: float = Field(0, ge=0, description="bytes per second while idle")

    def start(self, random: Random) -> Step:
        """Begin idle or active, as likely as the durations say."""
        active = random.random() < self.active_seconds / (self.idle_seconds + self.active_seconds)
        left = random.expovariate(1 / (self.active_seconds if active else self.idle_seconds))

        def step(seconds: float, _hour: float) -> Values:
            nonlocal active, left
            used = 0.0
            while seconds > 0:
                part = min(seconds, left)
                used += part * (self.bytes_per_second if active else self.background)
                left, seconds = left - part, seconds - part
                if left <= 0:
                    active = not active
                    left = random.expovariate(1 / (self.active_seconds if active else self.idle_seconds))
            return {self.metric: round(used * random.uniform(0.7, 1.3))}

        return step


class Battery(_Signal):
    """Charge in percent: drains to about `low`, then charges to about `high`. Rates are percent per hour."""

    kind: Literal["battery"]
    metric: MetricName
    drain_per_hour: float = Field(ge=0)
    charge_per_hour: float = Field(ge=0)
    low: float = Field(ge=0, le=100)
    high: float = Field(ge=0, le=100)

    def start(self, random: Random) -> Step:
        """Begin somewhere between low and high; a battery that nobody charges only drains."""
        level = random.uniform(self.low, self.high)
        charging = self.charge_per_hour > 0 and random.random() < 0.25

        def step(seconds: float, _hour: float) -> Values:
            nonlocal level, charging
            rate = self.charge_per_hour if charging else -self.drain_per_hour
            level = min(100.0, max(0.0, level + rate * seconds / 3600 * random.uniform(0.8, 1.2)))
            if charging and level >= self.high:
                charging = False
            elif not charging and level <= self.low and self.charge_per_hour > 0:
                charging = True
            return {self.metric: round(level, 1)}

        return step


class Radio(_Signal):
    """Signal strength in dBm: wanders around its mean and always comes back, within what modems report."""

    kind: Literal["radio"]
    metric: MetricName
    mean: float = Field(ge=-113, le=-51)
    spread: float = Field(ge=0, description="standard deviation in dB")

    def start(self, random: Random) -> Step:
        """Begin near the mean; deviations fade with a time constant of ten minutes."""
        deviation = random.gauss(0, self.spread)

        def step(seconds: float, _hour: float) -> Values:
            nonlocal deviation
            kept = math.exp(-seconds / 600)
            deviation = deviation * kept + random.gauss(0, self.spread) * math.sqrt(1 - kept * kept)
            return {self.metric: round(min(-51.0, max(-113.0, self.mean + deviation)))}

        return step


class Daily(_Signal):
    """A value that follows the day, highest at `peak_hour`."""

    kind: Literal["daily"]
    metric: MetricName
    mean: float
    amplitude: float = Field(ge=0)
    peak_hour: float = Field(ge=0, lt=24)
    noise: float = Field(0, ge=0)
    digits: int = Field(2, ge=0, le=6)

    def start(self, random: Random) -> Step:
        """Each device lies a little off the profile's mean."""
        offset = random.gauss(0, self.amplitude / 4)

        def step(_seconds: float, hour: float) -> Values:
            curve = self.amplitude * math.cos((hour - self.peak_hour) / 24 * math.tau)
            value = round(self.mean + offset + curve + random.gauss(0, self.noise), self.digits)
            return {self.metric: value if self.digits else max(0, int(value))}

        return step


class Cycle(_Signal):
    """A value that is driven between two bounds, such as a cooled box: falls quickly, rises slowly."""

    kind: Literal["cycle"]
    metric: MetricName
    low: float
    high: float
    period_seconds: float = Field(gt=0)
    noise: float = Field(0, ge=0)

    def start(self, random: Random) -> Step:
        """Begin anywhere in the cycle; no two devices have quite the same period."""
        phase = random.random()
        period = self.period_seconds * random.uniform(0.8, 1.2)

        def step(seconds: float, _hour: float) -> Values:
            nonlocal phase
            phase = (phase + seconds / period) % 1
            level = phase / 0.7 if phase < 0.7 else (1 - phase) / 0.3
            value = self.low + (self.high - self.low) * level + random.gauss(0, self.noise)
            return {self.metric: round(value, 2)}

        return step


class Counter(_Signal):
    """A total that only grows, `per_hour` on average; `spread` is the share by which the rate varies."""

    kind: Literal["counter"]
    metric: MetricName
    per_hour: float = Field(ge=0)
    spread: float = Field(0, ge=0, le=1)

    def start(self, random: Random) -> Step:
        """Begin at a total that a device some months old would have."""
        total = random.uniform(100, 3000) * self.per_hour

        def step(seconds: float, _hour: float) -> Values:
            nonlocal total
            total += self.per_hour * seconds / 3600 * random.uniform(1 - self.spread, 1 + self.spread)
            return {self.metric: round(total, 1)}

        return step


class Position(_Signal):
    """Latitude, longitude (degrees) and speed of a vehicle that drives, turns and waits."""

    kind: Literal["position"]
    latitude: float = Field(ge=-80, le=80)
    longitude: float = Field(ge=-180, le=180)
    spread_km: float = Field(ge=0, description="how far from there devices begin")
    speed_kmh: float = Field(ge=0)

    def start(self, random: Random) -> Step:
        """Begin within `spread_km`, standing or driving in some direction."""
        north, east = (random.uniform(-self.spread_km, self.spread_km) for _ in range(2))
        heading, speed = random.uniform(0, math.tau), 0.0

        def step(seconds: float, _hour: float) -> Values:
            nonlocal north, east, heading, speed
            target = 0.0 if random.random() < 0.2 else self.speed_kmh * random.uniform(0.5, 1.3)
            speed += (target - speed) * min(1.0, seconds / 60)
            heading += random.gauss(0, 0.35) * min(1.0, math.sqrt(seconds / 20))
            if math.hypot(north, east) > 3 * self.spread_km:
                heading = math.atan2(-east, -north)
            north += math.cos(heading) * speed * seconds / 3600
            east += math.sin(heading) * speed * seconds / 3600
            width = KM_PER_DEGREE * math.cos(math.radians(self.latitude))
            return {
                "latitude": round(self.latitude + north / KM_PER_DEGREE, 6),
                "longitude": round(self.longitude + east / width, 6),
                "speed_kmh": round(speed, 1),
            }

        return step


Signal = Annotated[
    Sessions | Battery | Radio | Daily | Cycle | Counter | Position, Field(discriminator="kind")
]
