"""From YAML text to a validated NetworkSpec, with the place of every value kept for messages."""
