"""Probes: measures that a run asks for by name (`probes:` in a study), because they are costly or rarely needed.

Each module has `table(trajectory)`, like those of `dirconv.measures`. A probe's table has a folder of its own beside
the run's measures, so that adding one recomputes nothing else.
"""
