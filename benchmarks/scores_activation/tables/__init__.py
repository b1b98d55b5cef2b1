"""The tables of the report, as Markdown."""
