"""`dirconv workflow …`: Snakemake with the same arguments, after a look at what it would answer with a traceback."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dirconv.errors import UserError
from dirconv.options import load_yaml

SEVERAL = ("--configfile", "--configfiles")  # options of Snakemake that take all words up to the next option


def check(words: Sequence[str]) -> None:
    """UserError for a study file that is missing, unreadable or no YAML, a target among them, and a lack of HOME."""
    files, taking = [], False
    for word in words:
        option, _, value = word.partition("=")
        if word.startswith("-"):
            taking = option in SEVERAL
            files += [value] if taking and value else []
        elif taking:
            files.append(word)
    for file in files:
        if not Path(file).is_file():  # a target may be called like a folder
            first = file == files[0]
            remedy = (
                "name an existing study file" if first else "give targets before --configfile, or after another option"
            )
            raise UserError(f"--configfile: {file} is no file; {remedy}")
        load_yaml(Path(file))
    try:
        Path.home()
    except RuntimeError as error:
        raise UserError("HOME: not set, and this user has no entry that says it; set HOME to a folder") from error


def run(words: Sequence[str]) -> int:
    """Check and go over to Snakemake, which takes the place of this process."""
    check(words)
    try:
        os.execvp("snakemake", ["snakemake", *words])
    except OSError as error:
        raise UserError(
            f"snakemake: cannot be started ({error.strerror}); activate the environment it is in"
        ) from error
