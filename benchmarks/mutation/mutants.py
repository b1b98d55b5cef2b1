"""Places of the source code that can be changed, and a random sample of changes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.mutation.settings import PACKAGES

_OF_TYPES = ("annassign", "tfpdef")  # parso's names of an annotation of a variable or an argument
_NO_CHANGE = ("abstractmethod", "overload", "override")  # decorators for type checkers and authors


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes:
        package: Folder in ``pear_lightning/``.
        path: The file, relative to the root of the repository.
        operator: Name of the operator of cosmic-ray.
        occurrence: Which of the places of the operator in the file.
        line: Number of the line, from 1.
        code: The line, without the spaces around it.
        nth: Which of the places with the same line and operator in the file.
    """

    package: str
    path: str
    operator: str
    occurrence: int
    line: int
    code: str
    nth: int

    @property
    def name(self) -> str:
        """Name that stays the same when other lines of the file change."""
        return f"{self.path}|{self.code}|{self.operator}|{self.nth}"

    def mutated(self, source: str) -> str:
        """Return the source code of the file with the change.

        Args:
            source: The source code.

        Raises:
            ValueError: If the operator has no such place.
        """
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        code: str | None = mutate_code(source, get_operator(self.operator)(), self.occurrence)
        if code is None:
            raise ValueError(f"the source must have the place of {self.name}, got other code")
        return code


def sample(root: Path, package: str, size: int, seed: int) -> list[Mutant]:
    """Return random mutants of a package: random places, and one random change of each.

    A change of the source code elsewhere leaves the sample the same, except for what it adds.

    Args:
        root: Root of the repository.
        package: Folder in ``pear_lightning/``.
        size: Number of mutants.
        seed: Seed.
    """
    places: dict[tuple[str, Any], list[Mutant]] = {}
    for path in sorted((root / "pear_lightning" / package).rglob("*.py")):
        for place, mutant in mutants(root, path):
            places.setdefault((mutant.path, place), []).append(mutant)

    def order(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{seed}|{mutant.name}".encode()).digest()

    chosen = [min(choices, key=order) for choices in places.values()]
    return sorted(chosen, key=lambda each: order(each)[::-1])[:size]


def mutants(root: Path, path: Path) -> Iterator[tuple[tuple[int, int], Mutant]]:
    """Yield all mutants of a file, each with the position of its place.

    Annotations of types are left out: changing them changes no result.

    Args:
        root: Root of the repository.
        path: The file.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    source = path.read_text("utf-8")
    lines = source.splitlines()
    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        if get_operator(name).arguments():
            continue
        operator = get_operator(name)()
        seen: dict[str, int] = {}
        places = ((node, at) for node in nodes for at, _ in operator.mutation_positions(node))
        for occurrence, (node, (line, column)) in enumerate(places):
            code = lines[line - 1].strip()
            nth = seen[code] = seen.get(code, -1) + 1
            if not _without_effect(node):
                folder = path.relative_to(root / "pear_lightning").parts[0]
                relative = str(path.relative_to(root))
                mutant = Mutant(folder, relative, name, occurrence, line, code, nth)
                yield (line, column), mutant


def _without_effect(node: Any) -> bool:
    """Whether a node is part of an annotation, or a decorator that changes nothing."""
    if node.type == "decorator" and node.get_code().strip().lstrip("@") in _NO_CHANGE:
        return True
    if node.parent is not None and node.parent.type == "parameters":  # a bare * of a signature
        return True
    child, parent = node, node.parent
    while parent is not None:
        if parent.type in _OF_TYPES and child is not parent.children[0]:
            return parent.type == "tfpdef" or not _is_value(child, parent)
        if parent.type == "funcdef" and child is parent.annotation:
            return True
        child, parent = parent, parent.parent
    return False


def _is_value(child: Any, annotation: Any) -> bool:
    """Whether a part of ``name: type = value`` is the value."""
    parts = annotation.children
    return len(parts) == 4 and child is parts[3]


def check_package(name: str) -> str:
    """Return the name of a package that is mutated.

    Args:
        name: Folder in ``pear_lightning/``.

    Raises:
        ValueError: If it is another one.
    """
    if name not in PACKAGES:
        raise ValueError(f"package must be one of {PACKAGES}, got {name!r}")
    return name
