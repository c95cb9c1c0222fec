"""Stage `probe`: the table of one probe, in a folder of its own; `measure`, with a specification that names it."""

from dirconv.stages.measure import run

__all__ = ["run"]
