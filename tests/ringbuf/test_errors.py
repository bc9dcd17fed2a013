"""Refusals say what, where, and what to do."""

from ringbuf import CellBusy, DoorbellRefused, Refused, RingbufError, SegmentNotFound, SegmentRefused


def test_a_refusal_names_object_property_both_values_and_a_way_out() -> None:
    error = SegmentRefused("ring.x", "mode", "0o666", "0o600")
    assert (error.name, error.what, error.found, error.expected) == ("ring.x", "mode", "0o666", "0o600")
    for word in ("ring.x", "mode", "0o666", "0o600", "create it again"):
        assert word in str(error)


def test_one_class_catches_all() -> None:
    for kind in (SegmentNotFound, Refused, SegmentRefused, DoorbellRefused, CellBusy):
        assert issubclass(kind, RingbufError)
    assert "start the process that creates it" in str(SegmentNotFound("ring.x"))
