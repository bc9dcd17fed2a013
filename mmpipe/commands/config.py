"""`mmpipe config`: the configuration as the program sees it."""

from pathlib import Path

import msgspec

from mmpipe import config as configuration


def show_config(path: Path) -> None:
    """Print the checked configuration as JSON.

    Raises
    ------
    ConfigError
        A key is wrong.
    """
    print(msgspec.json.format(msgspec.json.encode(configuration.load(path)), indent=1).decode())


def check_config(path: Path) -> None:
    """Load the configuration and say nothing when it is sound.

    Raises
    ------
    ConfigError
        A key is wrong.
    """
    configuration.load(path)
