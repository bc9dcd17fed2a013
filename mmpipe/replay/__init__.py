"""Recorded markets through the same stages on a virtual clock."""
