"""Stage `schema`: what a study file may say, as JSON schema (workflow/schemas/study.schema.json), for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic

from dirconv.artifacts import write_text
from dirconv.options import modules, plugin
from dirconv.study.configuration import StudyFile


def study_schema() -> dict[str, Any]:
    """The schema of `StudyFile`, with the options of every data source, network, flow method and problem filled in."""
    schema = pydantic.TypeAdapter(StudyFile).json_schema()
    definitions = schema["$defs"]
    for package, target in (("data", "data"), ("models", "model"), ("flow.methods", "flow"), ("problems", "problem")):
        choices = []
        for name in modules(package):
            options = pydantic.TypeAdapter(plugin(package, name, package).Spec).json_schema()
            definitions |= options.pop("$defs", {})
            definitions[f"{package}.{name}"] = options
            choices.append({"$ref": f"#/$defs/{package}.{name}"})
        if target == "data":
            schema["properties"]["data"]["additionalProperties"] = {"oneOf": choices}
        elif target == "problem":
            definitions["Problem"]["properties"]["problem"] = {"oneOf": choices}
        else:
            optional = [{"type": "null"}] if target == "flow" else []
            definitions["Run"]["properties"][target] = {"oneOf": choices + optional}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def run(out: Path) -> None:
    """Write the schema to `out`."""
    write_text(out, json.dumps(study_schema(), indent=2, ensure_ascii=False, default=str) + "\n")
