"""`mmpipe config`: the configuration as the program sees it."""

from pathlib import Path

import msgspec

from mmpipe import config as configuration
from mmpipe.models.model_set import load_model_set


def show_config(path: Path) -> None:
    """Print the checked configuration as JSON.

    Raises
    ------
    ConfigError
        A key is wrong.
    """
    print(msgspec.json.format(msgspec.json.encode(configuration.load(path)), indent=1).decode())


def check_config(path: Path) -> None:
    """Load the configuration and the models it names, and say nothing when all is sound.

    Raises
    ------
    ConfigError
        A key is wrong.
    ArtefactError
        A file under `[models]` is missing, of another kind, or may not decide: what `run` would say.
    """
    load_model_set(configuration.load(path).models)
