"""Right for the right reasons: published numbers, the family, and the cost."""
