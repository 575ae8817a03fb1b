"""Readings of a graph's facts: cost and the report that renderers and JSON show."""
