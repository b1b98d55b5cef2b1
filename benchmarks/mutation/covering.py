"""Which tests are about a file."""

import ast
import re
from functools import cache
from pathlib import Path

from benchmarks.mutation.settings import FILES_OF_TESTS, TESTS


class Covering:
    """The test files that are about a file of the library, by the names that they mention.

    Args:
        root: Root of the repository.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        paths = (path for each in TESTS for path in sorted((root / each).rglob("*.py")))
        self._texts = {
            str(path.relative_to(root)): path.read_text("utf-8")
            for path in (*paths, *(root / each for each in TESTS if each.endswith(".py")))
            if path.name.startswith("test_")
        }
        self._modules = {
            str(path.relative_to(root)): path.read_text("utf-8")
            for path in sorted((root / "pear_lightning").rglob("*.py"))
            if path.name != "__init__.py"
        }

    def tests_of(self, path: str) -> list[str]:
        """Return the test files for a mutated file: that of the same name, then by mentions.

        The examples in the docstrings of the file are the first of them. Where few tests mention
        what the file defines, those of the modules that import it are added.

        Args:
            path: The file, relative to the root.
        """
        files = self._mentioning(path)
        if len(files) < 2:
            module = path.removesuffix(".py").replace("/", ".")
            for other, text in self._modules.items():
                if f"from {module} import" in text:
                    files += [each for each in self._mentioning(other) if each not in files]
        return [path, *files[:FILES_OF_TESTS]]

    @cache  # noqa: B019 (one object for each run)
    def _defined(self, path: str) -> tuple[str, ...]:
        """Return the public names that a file defines."""
        body = ast.parse(self._modules[path]).body
        names = [each.name for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef)]
        return tuple(name for name in names if not name.startswith("_"))

    def _mentioning(self, path: str) -> list[str]:
        """Return the test files that mention what a file defines, the nearest first."""
        stem, folder = Path(path).stem, Path(path).parts[1]
        names = self._defined(path)
        pattern = re.compile("|".join(rf"\b{name}\b" for name in names)) if names else None
        found = []
        for file, text in self._texts.items():
            mentions = len(pattern.findall(text)) if pattern else 0
            same = Path(file).stem.removeprefix("test_") == stem
            if mentions or same:
                found.append((not same, Path(file).parts[1] != folder, -mentions, file))
        return [file for *_, file in sorted(found)]
