"""Toxicity, queue value and fill survival: what a fill would be worth."""
