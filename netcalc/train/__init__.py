"""The trainer: from a graph and its data to a run directory."""
