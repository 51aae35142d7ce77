"""The devices.yaml file: which kinds of devices there are and what they measure."""

from collections.abc import Iterator
from importlib import resources
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from device_simulator.errors import CannotStart
from device_simulator.signals import Signal, Values

ProfileName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class Profile(BaseModel):
    """One kind of device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Annotated[str, Field(min_length=1, max_length=50)]
    share: int = Field(1, ge=1, le=100)
    signals: list[Signal] = Field(min_length=1)


class DevicesFile(BaseModel):
    """The whole file. `time_scale` is simulated seconds per real second."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_scale: float = Field(1, gt=0, le=10_000)
    profiles: dict[ProfileName, Profile] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """The file at `path`, or the simulator's own. Raises CannotStart, naming the fault."""
        source = path or resources.files("device_simulator") / "devices.yaml"
        try:
            return cls.model_validate(yaml.safe_load(source.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
            raise CannotStart(f"{source} cannot be used: {error}") from error

    def only(self, profile: str | None) -> Self:
        """The same file with this profile alone. Raises CannotStart where there is none of that name."""
        if profile is None:
            return self
        if profile not in self.profiles:
            known = ", ".join(sorted(self.profiles))
            raise CannotStart(f"there is no profile {profile!r}; there are: {known}")
        return self.model_copy(update={"profiles": {profile: self.profiles[profile]}})


class Blueprint(BaseModel):
    """One device to be simulated; its name is the same in every run."""

    model_config = ConfigDict(frozen=True)

    name: str
    profile: Profile


def blueprints(file: DevicesFile, devices: int, prefix: str) -> list[Blueprint]:
    """The first `devices` devices, dealt to the profiles by their shares; more never rename the first."""
    return list(islice(_deal(file, prefix), devices))


def _deal(file: DevicesFile, prefix: str) -> Iterator[Blueprint]:
    numbers = {name: count(1) for name in file.profiles}
    rounds = max(profile.share for profile in file.profiles.values())
    while True:
        for turn in range(rounds):
            for name, profile in file.profiles.items():
                if turn < profile.share:
                    yield Blueprint(name=f"{prefix}-{name}-{next(numbers[name]):04d}", profile=profile)


class Sensors:
    """The values of one device, reading by reading; the same seed and name give the same values."""

    def __init__(self, blueprint: Blueprint, seed: int, time_scale: float) -> None:
        random = Random(f"{seed}:{blueprint.name}")  # noqa: S311  believable, not secret
        self._time_scale = time_scale
        self._clock = random.uniform(0, 86_400)
        self._steps = [signal.start(random) for signal in blueprint.profile.signals]

    def read(self, seconds: float) -> Values:
        """The values after `seconds` of real time."""
        passed = seconds * self._time_scale
        self._clock += passed
        hour = self._clock / 3600 % 24
        values: Values = {}
        for step in self._steps:
            values.update(step(passed, hour))
        return values
