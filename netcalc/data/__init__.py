"""Samples for training: where they come from and how they reach the step. `sources` knows numpy only."""
