"""What benchmarks import from one another exists: only slow tests run them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "benchmarks").rglob("*.py"))


def _names(module: Path) -> set[str]:
    """What a module defines or imports at its top level."""
    names: set[str] = set()
    for statement in ast.parse(module.read_text()).body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
        else:
            stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            names |= {node.id for node in stored if isinstance(node.ctx, ast.Store)}
    return names


def _missing(name: str, imported: str) -> bool:
    place = ROOT / name.replace(".", "/")
    if place.is_dir():
        inside = _names(place / "__init__.py") | {path.stem for path in place.iterdir()}
        return imported not in inside
    file = place.with_suffix(".py")
    return not file.exists() or imported not in _names(file)


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_between_benchmarks_resolve(file):
    missing = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmarks")
        for alias in node.names
        if _missing(node.module, alias.name)
    ]
    assert not missing
