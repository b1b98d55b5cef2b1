"""The house rules that a reader of one file cannot see broken."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What a room may import, beside itself. Rooms on one floor do not know each other.
GROUND = {"functional", "masking", "scoring"}
FIRST_FLOOR = GROUND | {"explainers", "nn", "stand_ins"}
LIBRARY = FIRST_FLOOR | {"losses", "metrics", "training", "modules", "figures", "reports"}
MAY_IMPORT = {
    "functional": set(),
    "figures": set(),
    "masking": {"functional"},
    "scoring": {"functional", "masking"},
    "explainers": GROUND,
    "nn": GROUND,
    "stand_ins": GROUND,
    "losses": FIRST_FLOOR,
    "metrics": FIRST_FLOOR | {"figures"},
    "training": FIRST_FLOOR | {"losses", "metrics"},
    "reports": FIRST_FLOOR | {"metrics", "training", "figures"},
    "modules": FIRST_FLOOR | {"losses", "metrics", "training"},
    "callbacks": LIBRARY,
    "datamodules": LIBRARY,
    "configs": set(),
    "cli": LIBRARY | {"callbacks", "datamodules", "configs"},
    "__main__": {"cli"},
    "__init__": set(),
}

# Slow to import, or an extra: imported inside the function that needs them.
HEAVY = {
    "captum",
    "datasets",
    "matplotlib",
    "pandas",
    "pyarrow",
    "skimage",
    "sklearn",
    "timm",
    "torchsort",
    "torchvision",
    "transformers",
}


def _module_name(path: Path) -> str:
    """`callbacks/monitor.py` is `pear_lightning.callbacks.monitor` once it is installed."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] != "pear_lightning":
        parts = ("pear_lightning", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _part(path: Path) -> str:
    """The room of the house that a file belongs to."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "pear_lightning" else parts[0]


def _imports(node: ast.AST) -> Iterator[str]:
    """Full names of all modules and members imported anywhere below a node."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute"
            assert child.module is not None
            yield from (f"{child.module}.{alias.name}" for alias in child.names)


def _is_guard(node: ast.AST) -> bool:
    """Whether a node is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that importing a module executes: no bodies of functions, no guards."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_guard(child):
            yield child
            yield from _run_on_import(child)


SOURCES = sorted(
    path
    for folder in ("pear_lightning", "callbacks", "datamodules")
    for path in (ROOT / folder).rglob("*.py")
)
PACKAGES = sorted({_module_name(path) for path in SOURCES if path.name == "__init__.py"})
every_source = pytest.mark.parametrize("path", SOURCES, ids=_module_name)


@pytest.fixture
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@every_source
def test_imports_run_one_way(path: Path, tree: ast.Module) -> None:
    part = _part(path)
    assert part in MAY_IMPORT, f"{part} has no place in the import order: give it one here"
    allowed = MAY_IMPORT[part] | {part}
    for name in _imports(tree):
        top, _, rest = name.partition(".")
        assert top not in {"callbacks", "datamodules"}, f"{name} is pear_lightning.{name}"
        if top != "pear_lightning" or rest in {"", "__version__"}:
            continue
        assert rest.split(".")[0] in allowed, f"{part} must not import {name}"


@every_source
def test_heavy_packages_are_imported_where_they_are_used(path: Path, tree: ast.Module) -> None:
    for node in _run_on_import(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported = {name.partition(".")[0] for name in _imports(node)}
            assert not imported & HEAVY, f"line {node.lineno}: move it into the function"


@every_source
def test_matplotlib_is_imported_where_figures_are_drawn(path: Path, tree: ast.Module) -> None:
    if _part(path) != "figures":
        guarded = {
            id(node) for guard in filter(_is_guard, ast.walk(tree)) for node in ast.walk(guard)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in guarded:
                imported = {name.partition(".")[0] for name in _imports(node)}
                assert "matplotlib" not in imported, f"line {node.lineno}: draw it in figures/"


@every_source
def test_only_heavy_packages_are_imported_for_type_checkers(path: Path, tree: ast.Module) -> None:
    # The command line reads annotations at run time, and a cycle hidden by a guard is a cycle.
    for guard in filter(_is_guard, ast.walk(tree)):
        imported = {name.partition(".")[0] for name in _imports(guard)}
        assert imported <= HEAVY | {"numpy"}, f"{ast.unparse(guard)}: import it plainly"


@every_source
def test_modules_have_a_docstring(path: Path, tree: ast.Module) -> None:
    assert ast.get_docstring(tree)


@every_source
def test_helpers_have_a_name(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_in_all_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names)), "a name is listed twice"
    assert [name for name in names if not hasattr(module, name)] == []


@pytest.mark.parametrize(
    "package", [name for name in PACKAGES if name.removeprefix("pear_lightning.") in MAY_IMPORT]
)
def test_packages_say_what_is_public(package: str) -> None:
    if package != "pear_lightning.configs":  # holds YAML files
        assert importlib.import_module(package).__all__


def test_packages_of_the_wheel_are_the_folders_of_the_repository() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "setuptools"
    ]
    assert sorted(setuptools["packages"]) == PACKAGES
    assert setuptools["package-dir"] == {
        "pear_lightning.callbacks": "callbacks",
        "pear_lightning.datamodules": "datamodules",
    }
