"""The program: listens for signals before anything that takes time is imported, then is `mmpipe.cli`."""

from mmpipe import interrupts


def main() -> None:
    """Entry point of the `mmpipe` script and of `python -m mmpipe`."""
    interrupts.leave_at_once()
    from mmpipe import cli

    cli.main()


if __name__ == "__main__":
    main()
