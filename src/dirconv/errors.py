"""The one exception a user is meant to see."""


class UserError(Exception):
    """Bad input. The message is one line: the key or file, what was expected, the remedy.

    The command line prints it and exits with code 2; nothing half-written is left behind.
    """


class Unfinished(Exception):
    """A job's time was up. Its checkpoint is written, and the same command goes on from it."""
