"""Stage `flow`: from the point where ℒ < ℓ(0) to the study's goal; a row a step, weights at log-spaced ln(1/ℒ)."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dirconv import artifacts, flow, losses
from dirconv.errors import Unfinished
from dirconv.goals import Stop
from dirconv.stages import _job
from dirconv.stages._progress import Progress
from dirconv.stages._provenance import made_by

WEIGHTS = "weights"
SCALARS = [field.name for field in dataclasses.fields(flow.State) if field.name not in (WEIGHTS, "memory")]
TIME = "time"  # the stop reason of a run that ended because its time was up


def run(
    spec: dict[str, Any],
    split: Path,
    start: Path,
    out: Path,
    checkpoints: Path,
    log: Path,
    seconds: float | None = None,
    last: bool = False,
) -> None:
    """Write steps.parquet (a row a step), snapshots.safetensors (weights (S, D), steps (S,)) and manifest.json.

    Unfinished if that takes more than `seconds`: the same call resumes. With `last` the run ends there instead, with
    the stop reason `TIME`. Its checkpoint stays: once `out` is deleted, the same call resumes.
    """
    device = _job.prepare(spec)
    origin = artifacts.read_manifest(start)
    first = torch.from_numpy(artifacts.read_tensors(start / "start.safetensors")["weights"]).to(device)
    margin_map, _ = _job.maps(spec, split, device)
    if spec["frozen"]:
        margin_map = margin_map.frozen(first)
    checkpoint = _job.Checkpoint(checkpoints, "flow", spec, split / "split.safetensors", start / "start.safetensors")
    with checkpoint.locked():
        progress = Progress(f"flow {spec['run']}/seed{spec['seed']}", log, checkpoint.folder / "history.txt")
        state, rows, taken, highest = flow.State.at_start(first), [], [], None
        saved = checkpoint.load()
        if saved is not None:
            tensors, record = saved
            memory = {name: torch.from_numpy(array).to(device) for name, array in tensors.items() if name != WEIGHTS}
            state = flow.State(torch.from_numpy(tensors[WEIGHTS]).to(device), memory=memory, **record["state"])
            rows, taken, highest = record["rows"], record["taken"], record["highest"]
            progress.line(f"goes on from step {state.step}")
        events = flow.follow(
            margin_map,
            losses.get(spec["loss"]),
            flow.from_options(spec["flow"]),
            Stop(**spec["stop"]),
            state,
            highest_level=highest,
            per_decade=spec["snapshots_per_decade"],
            earlier=[(row["tau"], row["cos"]) for row in rows[:-1]],
        )
        timer = _job.Timer(seconds)
        for number, event in enumerate(events):
            step = event.step
            if not rows or rows[-1]["step"] != step.state.step:  # a step may be shown again
                rows.append(step.row())
            if event.snapshot and (not taken or taken[-1] != step.state.step):
                checkpoint.keep(len(taken), {WEIGHTS: _weights(step, spec)})
                taken.append(step.state.step)
            progress.update(
                event.progress,
                f"step {step.state.step}  log10 L {step.ln_risk / math.log(10):.2f}  cos {step.cos:.4f}  "
                f"tau {step.tau:.4f}",
                final=event.stop is not None,
            )
            if timer.due():
                scalars = {name: getattr(step.state, name) for name in SCALARS}
                tensors = {WEIGHTS: step.state.weights, **step.state.memory}
                record = {"state": scalars, "rows": rows, "taken": taken, "highest": event.highest_level}
                checkpoint.save({name: tensor.cpu().numpy() for name, tensor in tensors.items()}, record)
                if timer.up() and event.stop is None and number > 0:  # at least one step a call, or it would never end
                    if last:
                        break
                    progress.close()
                    raise Unfinished(f"{spec['run']}/seed{spec['seed']}: flow, step {step.state.step}")
        ended = event.stop is not None
        if not ended and taken[-1] != step.state.step:  # keep the weights at the end, wherever that is
            checkpoint.keep(len(taken), {WEIGHTS: _weights(step, spec)})
            taken.append(step.state.step)
        stop = str(event.stop) if ended else TIME
        origin = made_by("flow", spec, origin, device=_job.in_words(device))
        _write(out, rows, taken, checkpoint, {"specification": spec, "made_by": origin, "stop": stop})
        progress.line(f"stopped: {event.stop.describe if ended else 'time limit; delete the output to resume'}")
        progress.close()
        if ended:
            checkpoint.remove()


def _weights(step: flow.Step, spec: dict[str, Any]) -> np.ndarray:
    return step.state.weights.to(getattr(torch, spec["precision"])).cpu().numpy()


def _write(
    out: Path, rows: list[dict[str, Any]], taken: list[int], checkpoint: _job.Checkpoint, record: dict[str, Any]
) -> None:
    weights = [checkpoint.kept(i)[WEIGHTS] for i in range(len(taken))]
    artifacts.write_tensors(
        out / "snapshots.safetensors", {"weights": np.stack(weights), "steps": np.array(taken, dtype=np.int64)}
    )
    artifacts.write_table(out / "steps.parquet", pd.DataFrame(rows))
    artifacts.write_manifest(out, ["steps.parquet", "snapshots.safetensors"], record)
