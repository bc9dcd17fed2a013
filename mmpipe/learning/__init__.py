"""From outcomes to parameters; returns rows, writes nothing itself."""
