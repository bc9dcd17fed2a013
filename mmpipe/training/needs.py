"""Training libraries, asked for only when they are used: no live process may load them."""

from importlib import import_module
from typing import Any

from mmpipe.errors import UsageError


def require(name: str) -> Any:
    """A training library.

    Raises
    ------
    UsageError
        It is not installed; the message says how to get it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed; get it by: pip install 'mmpipe[train]'") from error
