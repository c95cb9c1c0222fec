"""The one exception a user is meant to see."""


class UserError(Exception):
    """Bad input. The message is one line: the key or file, what was expected, the remedy.

    The command line prints it and exits with code 2; nothing half-written is left behind.
    """


class Unfinished(Exception):
    """A job reached its time limit. Its checkpoint is written; rerun the same command to resume."""
