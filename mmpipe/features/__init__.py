"""What a SNAPSHOT holds, computed event by event."""
