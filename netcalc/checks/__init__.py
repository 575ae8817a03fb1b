"""What a design should not do: rules, budgets, and the engine that runs them."""
