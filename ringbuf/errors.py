"""What this package refuses, by name.

    RingbufError
    ├── SegmentNotFound    nothing of that name exists
    ├── Refused            it exists, but is not what the caller expects
    │   ├── SegmentRefused
    │   └── DoorbellRefused
    └── CellBusy           a cell was overwritten faster than it could be read, again and again

A full or empty ring is no error: `claim`, `push` and `peek` say so by what they return.
"""


class RingbufError(Exception):
    """Anything ringbuf refuses."""


class SegmentNotFound(RingbufError):
    """No segment of that name exists."""

    def __init__(self, name: str) -> None:
        super().__init__(f"segment {name!r} does not exist: start the process that creates it first")
        self.name = name


class Refused(RingbufError):
    """Something exists under the name but does not match.

    Attributes
    ----------
    name : str
        Segment name or path.
    what : str
        Which property does not match, such as "owner", "mode", "magic" or "dtype".
    found, expected : object
        The two values.
    """

    def __init__(self, name: str, what: str, found: object, expected: object, advice: str) -> None:
        super().__init__(f"{name!r} refused: {what} is {found}, expected {expected}; {advice}")
        self.name = name
        self.what = what
        self.found = found
        self.expected = expected


class SegmentRefused(Refused):
    """A shared-memory segment does not match what the caller expects."""

    def __init__(self, name: str, what: str, found: object, expected: object) -> None:
        super().__init__(name, what, found, expected, "stop its users, remove it and create it again")


class DoorbellRefused(Refused):
    """A path is not the FIFO the caller expects."""

    def __init__(self, name: str, what: str, found: object, expected: object) -> None:
        super().__init__(name, what, found, expected, "remove it and create the doorbell again")


class CellBusy(RingbufError):
    """Every attempt to read a cell met a writer."""

    def __init__(self, name: str) -> None:
        super().__init__(f"cell {name!r} was overwritten at every attempt to read it: slow its writer down")
