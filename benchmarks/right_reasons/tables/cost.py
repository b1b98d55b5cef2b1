"""Milliseconds of a step."""

from typing import Any

from benchmarks.shared.markdown import markdown


def cost_table(cost: dict[str, Any]) -> str:
    """Milliseconds of a step, and how many plain steps it takes."""
    header = ["network", "plain, ms", "ours, ms", "times plain", "by hand, times plain"]
    header += ["compiled: plain, ms", "ours, ms", "times plain"]
    return markdown(
        header,
        (
            [
                name,
                f"{each['plain']:.2f}",
                f"{each['reasons']:.2f}",
                f"**{each['reasons'] / each['plain']:.2f}**",
                f"{each['by hand'] / each['plain']:.2f}",
                f"{each['plain, compiled']:.2f}",
                f"{each['reasons, compiled']:.2f}",
                f"**{each['reasons, compiled'] / each['plain, compiled']:.2f}**",
            ]
            for name, each in cost.items()
        ),
    )
