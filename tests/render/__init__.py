"""Renderers: reports and diagnostics as text."""
