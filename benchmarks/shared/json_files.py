"""Results as JSON files."""

import json
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """Return what a file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, results: Any) -> None:
    """Write results so that a change of one number changes one line."""
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
