"""Rules, budgets and the command that runs them."""
