"""The report: figures and the JSON contract."""
