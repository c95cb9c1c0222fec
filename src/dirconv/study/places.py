"""Where images lie. It travels in the environment and not in a specification: a moved folder must not train again."""

from __future__ import annotations

import json
import os
from typing import Any

PLACES = ("path", "root")  # options of a data source that say where it lies, not what it is
VARIABLE = "DIRCONV_PLACES"  # environment: JSON, {data set: {option: place}}


def without(options: dict[str, Any]) -> dict[str, Any]:
    """A data source's options without its places."""
    return {key: value for key, value in options.items() if key not in PLACES}


def of(options: dict[str, Any]) -> dict[str, Any]:
    """The places among a data source's options."""
    return {key: value for key, value in options.items() if key in PLACES and value is not None}


def restored(options: dict[str, Any], name: str) -> dict[str, Any]:
    """The options of the data set `name` with the places that the environment gives for it."""
    return {**options, **json.loads(os.environ.get(VARIABLE, "{}")).get(name, {})}
