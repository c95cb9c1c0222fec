"""Probes: measures that a run asks for by name (`probes:` in a study), because they cost or concern few.

Each module has `table(trajectory)`, as those of `dirconv.measures` do. A probe's table stands in a folder of its own
beside the run's measures, so that asking for one makes nothing else again.
"""
