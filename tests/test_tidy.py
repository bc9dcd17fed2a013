"""House rules as tests: size, docstrings, nothing unreachable, nothing unread, nothing written twice."""

import ast
import re
from pathlib import Path

import pytest

from mmpipe import boards, config, records
from mmpipe.config_check import Section
from mmpipe.enums import Param

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ringbuf", "mmpipe", "stages")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STAGES = ("feed", "features", "alpha", "execution", "risk", "learner")
LINES_MAX, FUNCTION_LINES_MAX, STAGE_LINES_MAX = 400, 60, 120
BANNED_NAMES = ("util", "utils", "helper", "helpers", "manager", "misc", "common")
PADDING = re.compile(r"^pad|_pad$|pad_")


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


TREES = {module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
TEXT = {module_of(path): path.read_text(encoding="utf-8") for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_the_eye(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES_MAX
    assert path.stem not in BANNED_NAMES
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name}: {length} lines"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_thin_shell(name: str) -> None:
    text = (ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= STAGE_LINES_MAX
    tree = ast.parse(text)
    priced = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult | ast.Div)
        and re.search(r"px|tick|qty|lots|bps|cash", ast.unparse(node))
        and "NS_PER" not in ast.unparse(node)
    ]
    assert not priced, f"price arithmetic in a shell: {priced}"


@pytest.mark.parametrize("module", sorted(TREES))
def test_public_things_say_what_they_are(module: str) -> None:
    tree = TREES[module]
    docstring = ast.get_docstring(tree)
    assert docstring, "module without docstring"
    assert docstring.splitlines()[0].endswith((".", ":")), "the first line is a sentence"
    protocols = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
    }
    for node in tree.body:
        if isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef) and node.name not in protocols and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and not method.name.startswith(
                    "_"
                ):
                    assert ast.get_docstring(method), f"{node.name}.{method.name} has no docstring"


def test_every_module_is_reachable_from_the_command_line() -> None:
    seen: set[str] = set()
    todo = ["mmpipe.__main__"]
    while todo:
        module = todo.pop()
        if module in seen or module not in TREES:
            continue
        seen.add(module)
        for name in imported(module):
            while name:
                todo.append(name)
                name = name.rpartition(".")[0]
    # A script of its own, called by `make test`; it composes nothing.
    assert sorted(set(TREES) - seen - {"stages.warm"}) == []


def imported(module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_config_key_is_read() -> None:
    # [priors] is read as a whole: its keys are the learned parameters, in the order of their codes.
    assert list(config.PriorsConfig.__struct_fields__) == [param.name.lower() for param in Param]
    outside = "\n".join(text for module, text in TEXT.items() if not module.startswith("mmpipe.config"))
    unread = [
        f"{section.__name__}.{key}"
        for section in vars(config).values()
        if isinstance(section, type)
        and issubclass(section, Section)
        and section not in (Section, config.Config, config.PriorsConfig)
        for key in section.__struct_fields__
        if not re.search(rf"(\.{key}\b|[\"']{key}[\"'])", outside)
        and not (section is config.RingsConfig and f'"{key}"' in outside)
    ]
    assert unread == []


# Written for observers that read whole records, so no line of code names them: the learner stores the
# SNAPSHOT of every fill whole for training, and a ring's observer sees every field.
FOR_OBSERVERS = {
    "SNAPSHOT": {
        "trade_side", "best_bid_px", "best_ask_px", "inventory_qty",
        "last_trade_px", "last_trade_qty", "book_generation",
    },
}  # fmt: skip


def test_every_record_field_is_written_and_read() -> None:
    # `seq` is written by the ring, padding by nobody.
    writes, reads = fields_written(), fields_read()
    missing = []
    for name, dtype in (vars(records) | vars(boards)).items():
        if not (name.isupper() and hasattr(dtype, "names") and dtype.names):
            continue
        for field in dtype.names:
            if PADDING.search(field) or field == "seq":
                continue
            if field not in writes:
                missing.append(f"{name}.{field} is never written")
            if field not in reads and field not in FOR_OBSERVERS.get(name, set()):
                missing.append(f"{name}.{field} is never read")
    assert missing == []


def subscripts() -> list[tuple[str, bool]]:
    found = []
    for tree in TREES.values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.slice.value, str)
            ):
                found.append((node.slice.value, isinstance(node.ctx, ast.Store)))
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                inner = node.value
                while isinstance(inner, ast.Subscript):
                    if isinstance(inner.slice, ast.Constant) and isinstance(inner.slice.value, str):
                        found.append((inner.slice.value, True))
                    inner = inner.value
    return found


def fields_written() -> set[str]:
    names = {name for name, stored in subscripts() if stored}
    for tree in TREES.values():
        for node in ast.walk(tree):
            # row["counters"][0, :n] = …, and augmented or whole-array assignment through a view
            if isinstance(node, ast.AugAssign | ast.Assign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    names |= {
                        sub.slice.value
                        for sub in ast.walk(target)
                        if isinstance(sub, ast.Subscript)
                        and isinstance(sub.slice, ast.Constant)
                        and isinstance(sub.slice.value, str)
                    }
    # Arrays inside a record that a kernel fills through an argument, and names put together from parts.
    names |= {match for text in TEXT.values() for match in re.findall(r"\w+\(.*?\[\"(\w+)\"\]", text)}
    return names | composed()


def composed() -> set[str]:
    # f"{side}_ts_ns" names the field of every side.
    suffixes = {match for text in TEXT.values() for match in re.findall(r"f\"\{[^}\"]+\}(_\w+)\"", text)}
    fields = {
        field
        for dtype in (vars(records) | vars(boards)).values()
        for field in getattr(dtype, "names", None) or ()
    }
    return {field for field in fields if field.endswith(tuple(suffixes))}


def fields_read() -> set[str]:
    return {name for name, stored in subscripts() if not stored} | composed()


def test_topology_gives_each_ring_one_writer_and_one_reader() -> None:
    from stages import topology

    names = [ring.name for ring in topology.RINGS]
    assert len(set(names)) == len(names)
    for ring in topology.RINGS:
        assert ring.writer != ring.reader
        assert ring.slots_key in config.RingsConfig.__struct_fields__
        assert ring.dtype.names is not None
        assert ring.dtype.names[0] == "seq"
