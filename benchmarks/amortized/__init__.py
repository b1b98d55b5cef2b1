"""Learned explainers at equal budgets: faithfulness, cost, samples needed."""
