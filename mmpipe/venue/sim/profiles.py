"""How fast and how strict the exchange is: cadences, delays and limits, from the TOML files beside this."""

import tomllib
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mmpipe.errors import ConfigError
from mmpipe.venue.sim.named_files import file_names, file_text

_FOLDER: Final = "profiles"
_Delay = Annotated[int, Meta(ge=0, le=60_000)]
_Interval = Annotated[int, Meta(ge=1, le=600_000)]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One behaviour in time; everything in milliseconds.

    Attributes
    ----------
    about : str
        One line for people.
    block_ms : int
        Between blocks.
    book_fast_ms, book_full_ms, context_ms, state_ms : int
        Between messages of l2Book with and without `fast`, asset contexts, and mids and account states.
    place_ms : int
        From the arrival of a request to the earliest block that may hold it.
    take_extra_ms : int
        How much longer an action waits that has an order which may trade at once.
    answer_ms, refuse_ms : int
        From the block to the answer; from the request to the answer when it never reached a block.
    data_age_ms : tuple of int
        Shortest and longest time from a block to what it published.
    limits : bool
        Whether the limits of address, IP and socket hold.
    schedule_gate_usdc : int
        Volume an account must have traded before it may schedule a cancel.
    """

    about: str
    block_ms: Annotated[int, Meta(ge=1, le=1_000)]
    book_fast_ms: _Interval
    book_full_ms: _Interval
    context_ms: _Interval
    state_ms: _Interval
    place_ms: _Delay
    take_extra_ms: _Delay
    answer_ms: _Delay
    refuse_ms: _Delay
    data_age_ms: tuple[_Delay, _Delay]
    limits: bool
    schedule_gate_usdc: Annotated[int, Meta(ge=0, le=10**12)]


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the program, sorted."""
    return file_names(_FOLDER)


def load_profile(name: str) -> Profile:
    """A profile by name; raises `UsageError` that lists the names if there is none."""
    return parse_profile(name, file_text(_FOLDER, "venue profile", name))


def parse_profile(name: str, text: str) -> Profile:
    """A profile from the text of its file.

    Raises
    ------
    ConfigError
        If a key is missing, unknown or out of range.
    """
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"venue profile {name}: {error}") from error
    low, high = profile.data_age_ms
    if low > high:
        raise ConfigError(f"venue profile {name}: data_age_ms = [{low}, {high}]: the shorter age comes first")
    return profile
