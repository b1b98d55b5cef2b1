"""ScoresActivation: what its scores find, and what they cost."""
