"""Limits, own position and watchdog; pure, shared with execution's pre-trade checks."""
