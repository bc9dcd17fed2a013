"""Recorded markets: what the line saw, and other people's recordings as the same rows."""
