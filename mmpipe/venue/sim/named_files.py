"""Small TOML files that come with the program and are chosen by name: scenarios and profiles."""

from importlib import resources
from typing import Final

from mmpipe.errors import UsageError

_SUFFIX: Final = ".toml"


def file_names(folder: str) -> tuple[str, ...]:
    """Names of the files in a folder beside this module, without suffix, sorted."""
    files = (resources.files(__package__) / folder).iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def file_text(folder: str, what: str, name: str) -> str:
    """Text of one file.

    Parameters
    ----------
    folder : str
        Beside this module.
    what : str
        What such a file is called in a message.
    name : str
        Without suffix; nothing but a name from `file_names` is ever opened.

    Raises
    ------
    UsageError
        If there is none of that name; the message lists those there are.
    """
    names = file_names(folder)
    if name not in names:
        raise UsageError(f"{what} {name!r} does not exist; choose one of: {', '.join(names)}")
    return (resources.files(__package__) / folder / (name + _SUFFIX)).read_text(encoding="utf-8")
