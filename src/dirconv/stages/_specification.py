"""A job's specification as it comes in, and the code that its result depends on. Imports no torch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from dirconv.errors import UserError
from dirconv.options import modules
from dirconv.provenance import code_hash, versions

PLACES = ("path", "root")  # options of a data source that say where it lies, not what it is
PLACES_VARIABLE = "DIRCONV_PLACES"  # environment: JSON, {data set: {option: place}}
TRAINS = ("train", "flow", "measure")  # stages whose numbers torch itself can move


def read(text: str) -> dict[str, Any]:
    """A job's specification from JSON text or from the file of that name."""
    try:
        return json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise UserError("--spec: neither JSON nor a readable JSON file; write one with `dirconv resolve`") from error


def code(stage: str, specification: dict[str, Any]) -> str:
    """What an artifact's code is known by: a hash over the stage's code and the modules that its specification names.

    A network's module is part of it only where that network runs, and so on, so that an edit reruns its own chain.
    """
    named = []
    if stage == "data":
        named.append(f"data.{specification['source']}")
    if stage in ("homogeneity", *TRAINS):
        named.append(f"models.{specification['model']['name']}")
    if stage == "flow":
        named.append(f"flow.methods.{specification['flow']['method']}")
    if stage == "measure":
        named += [f"measures.{name}" for name in modules("measures")]
    if stage == "claim":
        named.append(f"claims.rules.{specification['rule']}")
    if stage == "calibrate":
        named += [f"claims.rules.{rule}" for rule in specification["rules"]]
        named += [f"claims.calibration.{which}" for which in specification["sets"]]
    if stage == "figure":
        named.append(f"figures.{specification['figure']}")
    found = code_hash(f"dirconv.stages.{stage}", *(f"dirconv.{name}" for name in named))
    return f"{found}-torch{versions().get('torch', '')}" if stage in TRAINS else found


def what(options: dict[str, Any]) -> dict[str, Any]:
    """A data source's options without those that only say where it lies."""
    return {key: value for key, value in options.items() if key not in PLACES}


def places(options: dict[str, Any]) -> dict[str, Any]:
    """Those that say where it lies."""
    return {key: value for key, value in options.items() if key in PLACES and value is not None}


def with_places(options: dict[str, Any], name: str) -> dict[str, Any]:
    """The options of the data set `name` with the places that the environment gives for it."""
    return {**options, **json.loads(os.environ.get(PLACES_VARIABLE, "{}")).get(name, {})}
