"""What the line knows of exchanges: wire formats, signing, sessions."""
