from pathlib import Path

import pytest

from benchmarks.mutation.mutants import mutants, sample

pytest.importorskip("cosmic_ray")

SOURCE = '''
def area(width: int | float, *, height: float = 2.0) -> float | None:
    """Return width * height."""
    if width > 0:
        return width * height
    return None
'''


def write(root: Path, source: str = SOURCE) -> Path:
    path = root / "pear_lightning" / "functional" / "area.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


def test_places_are_those_that_change_results(tmp_path: Path) -> None:
    path = write(tmp_path)
    found = {mutant.name: mutant for _, mutant in mutants(tmp_path, path)}
    changed = {mutant.mutated(SOURCE) for mutant in found.values()}
    assert SOURCE.replace("width > 0", "width >= 0") in changed
    assert (
        SOURCE.replace("width * height\n    return None", "width + height\n    return None")
        in changed
    )
    for text in changed:
        assert "width: int | float, *, height: float" in text
        assert "-> float | None" in text
        assert '"""Return width * height."""' in text
    assert {mutant.package for mutant in found.values()} == {"functional"}


def test_a_sample_has_one_change_of_each_place(tmp_path: Path) -> None:
    write(tmp_path)
    chosen = sample(tmp_path, "functional", 100, seed=0)
    assert len({(mutant.line, mutant.operator.split("_")[0]) for mutant in chosen}) == len(chosen)
    assert chosen[:2] == sample(tmp_path, "functional", 2, seed=0)
    others = [sample(tmp_path, "functional", 100, seed) for seed in range(1, 6)]
    assert any(other != chosen for other in others)


def test_code_elsewhere_does_not_change_the_sample(tmp_path: Path) -> None:
    write(tmp_path)
    before = [mutant.name for mutant in sample(tmp_path, "functional", 100, seed=0)]
    write(tmp_path, "LIMIT = 3\n" + SOURCE)
    after = [mutant.name for mutant in sample(tmp_path, "functional", 100, seed=0)]
    assert [name for name in after if "LIMIT" not in name] == before
