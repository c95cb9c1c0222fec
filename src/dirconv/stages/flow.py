"""Stage `flow`: from the point where ℒ < ℓ(0) to the study's goal; a row a step, weights at log-spaced ln(1/ℒ)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dirconv import artifacts, data, flow, losses
from dirconv.errors import Unfinished
from dirconv.geometry import directions
from dirconv.goals import Stop
from dirconv.stages import _job, _output

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

    Of a map with a degree snapshots hold θ = W/‖W‖, and steps.parquet ‖W‖: W may be beyond the network's precision.

    Unfinished if that takes more than `seconds`: the same call resumes. With `last` the run ends there instead, with
    the stop reason `TIME`. Its checkpoint stays: once `out` is deleted, the same call resumes.
    """
    device = _job.prepare(spec)
    origin = artifacts.read_manifest(start)
    first = _job.start(start, device)
    margin_map, _ = _job.maps(spec, split, device)
    if spec["frozen"]:
        margin_map = margin_map.frozen(first)
    inputs = split / data.SPLIT, start / "start.safetensors"
    with _job.resumable(checkpoints, "flow", spec, log, *inputs) as (checkpoint, progress, saved):
        state, rows, taken, highest = flow.State.at_start(first), [], [], None
        if saved is not None:
            tensors, record = saved
            memory = {name: torch.from_numpy(array).to(device) for name, array in tensors.items() if name != WEIGHTS}
            state = flow.State(torch.from_numpy(tensors[WEIGHTS]).to(device), memory=memory, **record["state"])
            rows, taken, highest = record["rows"], record["taken"], record["highest"]
            progress.line(f"resumes at step {state.step}")
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

        def keep(step: flow.Step) -> None:
            """Keep the weights as they were at the end of the step, once; of a map with a degree their direction."""
            if not taken or taken[-1] != step.state.step:
                weights = step.state.weights if margin_map.degree is None else directions(step.state.weights)
                weights = weights.to(getattr(torch, spec["precision"]))
                checkpoint.keep(len(taken), {WEIGHTS: weights.cpu().numpy()})
                taken.append(step.state.step)

        for number, event in enumerate(events):
            step = event.step
            if not rows or rows[-1]["step"] != step.state.step:  # a step may be shown again
                rows.append(step.row())
            if event.snapshot:
                keep(step)
            progress.update(
                event.progress,
                f"step {step.state.step}  {flow.risk_in_words(step.ln_risk, step.ln_margin)}  cos {step.cos:.4f}  "
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
                        keep(step)  # the weights at the end, wherever that is
                        break
                    raise Unfinished(f"{spec['run']}/seed{spec['seed']}: flow, step {step.state.step}")
        ended = event.stop is not None
        weights = np.stack([checkpoint.kept(i)[WEIGHTS] for i in range(len(taken))])
        files = {
            "steps.parquet": pd.DataFrame(rows),
            "snapshots.safetensors": {WEIGHTS: weights, "steps": np.array(taken, dtype=np.int64)},
        }
        origin = _output.made_by("flow", spec, origin, device=_job.in_words(device))
        _output.write(out, files, spec, made_by=origin, stop=str(event.stop) if ended else TIME)
        progress.line(f"stopped: {event.stop.describe if ended else 'time limit; delete the output to resume'}")
        if ended:
            checkpoint.remove()
