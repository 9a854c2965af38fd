"""Imports point one way: a running network needs no training code, and no part leans on one above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fdnlearn

PACKAGE = Path(fdnlearn.__file__).parent

#: From the ground up: a part imports only from itself and from parts further up in this list.
LAYERS = (
    "base",
    "options",
    "registry",
    "config",
    "examples",
    "fdn",
    "acoustics",
    "rir",
    "render",
    "export",
    "ops",
    "model",
    "layer",
    "losses",
    "fitting",
    "report",
    "runs",
    "cli",
    "__main__",
)


def loaded_by(statement: str) -> set[str]:
    """Top-level and own modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.process
@pytest.mark.parametrize("part", ["fdn", "render", "rir", "acoustics", "report", "export"])
def test_the_running_half_never_imports_torch(part: str) -> None:
    assert "torch" not in loaded_by(f"import fdnlearn.{part}")


@pytest.mark.process
def test_the_contract_needs_numpy_and_pydantic_only() -> None:
    heavy = {"torch", "numba", "scipy", "matplotlib", "soundfile", "pyrato", "pyfar", "rich", "click"}
    assert not heavy & loaded_by("import fdnlearn.fdn")


@pytest.mark.process
def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not {"torch", "numba", "scipy", "numpy", "matplotlib", "pydantic"} & loaded_by("import fdnlearn")


@pytest.mark.parametrize(
    "command", ["", "fit", "batch", "analyze", "compare", "render", "export", "audition", "schema"]
)
@pytest.mark.process
def test_help_imports_nothing_heavy(command: str) -> None:
    arguments = [*command.split(), "--help"]
    statement = f"from fdnlearn.cli.main import cli\ntry:\n    cli.main({arguments})\nexcept SystemExit: pass"
    loaded = loaded_by(statement)
    assert "fdnlearn.cli.main" in loaded
    assert not {"torch", "numba", "scipy", "numpy", "matplotlib", "pydantic", "rich"} & loaded


@pytest.mark.process
def test_plotting_never_touches_global_state() -> None:
    assert "matplotlib.pyplot" not in loaded_by("import fdnlearn.report.figures")


def test_every_public_name_exists() -> None:
    for name in fdnlearn.__all__:
        assert getattr(fdnlearn, name) is not None
    assert set(fdnlearn.__all__) <= set(dir(fdnlearn))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = fdnlearn.nonsense


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Parts of the package that a file imports, wherever in the file; for type checking does not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ignored = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "fdnlearn" else [module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("fdnlearn.")}
    return found


SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE
)


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in SOURCES} <= set(LAYERS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = part_of(path)
    allowed = set(LAYERS[: LAYERS.index(own) + 1])
    assert imports_of(path) <= allowed, f"{own} stands below {sorted(imports_of(path) - allowed)}"


def test_only_its_command_knows_the_listening_room() -> None:
    knows = {
        str(p.relative_to(PACKAGE))
        for p in PACKAGE.rglob("*.py")
        if "fdnlearn_audition" in p.read_text("utf-8")
    }
    assert knows == {"cli/audition.py"}


#: Names that several classes of the package bear, and why; all others are borne by one.
SHARED_NAMES = {
    "_Distance": "the step of autograd of one form of a kernel: each form has its own, in its own file",
    "_FrequencyResponse": "the same",
    "_Response": "the same",
}


def test_no_two_classes_have_one_name() -> None:
    files: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                files.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in files.items() if len(where) > 1 and name not in SHARED_NAMES} == {}
    assert all(len(files[name]) > 1 for name in SHARED_NAMES), "an exception that is none any more"
