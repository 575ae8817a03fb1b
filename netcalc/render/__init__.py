"""Reports and diagnostics as text: one renderer a file, no figures of its own."""
