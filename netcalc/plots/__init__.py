"""Pictures of runs, drawn with Matplotlib from plain data: nothing is measured here, no file of a run is read."""
