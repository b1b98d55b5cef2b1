"""DeepFaith, compared with the explainers that it can imitate."""
