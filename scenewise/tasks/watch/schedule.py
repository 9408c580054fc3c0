"""When a rule is armed: days and times of the wall clock, also over midnight.

It knows instants and time zones; it knows no rule and no stream.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_OF_DAY = 24 * 60
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


def _minutes(value: object) -> int:
    """``22:30`` as minutes since midnight; ``24:00`` is the end of the day."""
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is not None and int(found[2]) < 60:
        minutes = 60 * int(found[1]) + int(found[2])
        if minutes <= MINUTES_OF_DAY:
            return minutes
    raise ValueError("a time is written 00:00 to 24:00")


Minutes = Annotated[int, BeforeValidator(_minutes)]


class Schedule(BaseModel):
    """Armed from ``begin`` to ``end`` (minutes since midnight) on these days.

    Where the end is not after the beginning it lies on the next day, and ``days`` are those on
    which the stretch begins. ``timezone`` None is that of this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[Day, ...] = DAYS
    begin: Minutes = Field(default=0, alias="from")
    end: Minutes = Field(default=MINUTES_OF_DAY, alias="to")
    timezone: str | None = None

    @field_validator("days")
    @classmethod
    def _some_day(cls, days: tuple[Day, ...]) -> tuple[Day, ...]:
        if not days:
            raise ValueError("name at least one day")
        return days

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("a time zone is named as in Europe/Berlin") from None
        return name

    def armed(self, wall: float) -> bool:
        """Whether the instant, in seconds since 1970, is inside."""
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        local = datetime.fromtimestamp(wall, UTC).astimezone(zone)
        minute = 60 * local.hour + local.minute
        today = DAYS[local.weekday()] in self.days
        if self.begin < self.end:
            return today and self.begin <= minute < self.end
        yesterday = DAYS[(local - timedelta(days=1)).weekday()] in self.days
        return (today and minute >= self.begin) or (yesterday and minute < self.end)
