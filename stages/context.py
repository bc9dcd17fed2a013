"""What every process of one run is told: configuration, instruments, addresses, folders.

The supervisor writes it once to the instance's runtime folder; children, a stage started by hand, and
commands read it from there, so that all of them mean the same run.
"""

import os
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mmpipe import config as configuration
from mmpipe.config import INSTANCE_PATTERN, Config
from mmpipe.enums import Part
from mmpipe.errors import NotRunningError, UsageError
from mmpipe.models.ablation import less
from mmpipe.models.model_set import ModelSet, load_model_set
from mmpipe.records import INSTRUMENT

CONTEXT_FILE = "context.json"
# A Unix socket's address has 108 bytes (unix(7)); less the longest name in the folder and the last, a zero.
RUNTIME_DIR_BYTES_MAX = 108 - len("/supervisor.sock") - 1


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    config_tree: dict[str, Any]
    instruments_hex: str  # INSTRUMENT rows, one per configured symbol
    venue_url: str  # http://… of the maker venue
    feed_url: str  # where feed finds it: the same, or a proxy before it
    lead_public_url: str
    lead_market_url: str
    lead_rest_url: str
    execution_key_hex: str  # empty: the process reads its own key file
    risk_key_hex: str
    account: str  # master address that is traded
    run_dir: str
    runtime_dir: str
    started_wall_ns: int
    digest: str  # of the sources: processes of another build are refused
    models_sha256: dict[str, str] = {}  # of the artefacts in force, by kind; none: all built in
    without: int = 0  # bits of Part that do not decide, for a comparison in replay

    @property
    def removed(self) -> Part:
        """Parts of the judgement this run is without."""
        return Part(self.without)

    @property
    def config(self) -> Config:
        """The checked configuration."""
        return configuration.check(self.config_tree, f"{self.runtime_dir}/{CONTEXT_FILE}")

    def models(self) -> ModelSet:
        """The models in force, read by this process for itself.

        Raises
        ------
        ArtefactError
            A file is not the one the run began with.
        """
        return less(load_model_set(self.config.models, self.models_sha256), self.removed)

    @property
    def instruments(self) -> np.ndarray:
        """INSTRUMENT rows, one per configured symbol, shape (symbols,)."""
        return np.frombuffer(bytes.fromhex(self.instruments_hex), INSTRUMENT).copy()

    def write(self) -> None:
        """Store for the processes of this run; readable by this user only: it may hold demo keys."""
        path = Path(self.runtime_dir) / CONTEXT_FILE
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self))


def runtime_dir(instance: str) -> Path:
    """Folder of an instance's sockets, doorbells and lock, 0700, created when missing.

    Raises
    ------
    UsageError
        The name is none, but a way to somewhere else; or the folder's is too long for its sockets.
    NotRunningError
        The folder belongs to somebody else.
    """
    if re.fullmatch(INSTANCE_PATTERN, instance) is None:
        raise UsageError(f"--instance {instance!r}: give a name of 1 to 24 of a-z, 0-9, _ and -")
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/mmpipe-{os.getuid()}"
    path = Path(base) / "mmpipe" / instance
    if len(os.fsencode(path)) > RUNTIME_DIR_BYTES_MAX:
        raise UsageError(
            f"{path} is too long for the sockets in it: give XDG_RUNTIME_DIR a shorter folder, or --instance "
            f"a shorter name; {RUNTIME_DIR_BYTES_MAX} bytes are the most"
        )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise NotRunningError(
            f"{path} belongs to another user or is open to others; remove it and start again"
        )
    return path


def read_context(instance: str) -> Context:
    """The context of a running instance.

    Raises
    ------
    NotRunningError
        Nothing of that name runs.
    """
    path = runtime_dir(instance) / CONTEXT_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Context)
    except (OSError, msgspec.DecodeError) as error:
        raise NotRunningError(f"no pipeline named '{instance}' runs; start one with `mmpipe run`") from error
