"""Stage `train`: SGD from initialization until ℒ < ℓ(0), where the flow starts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from dirconv import artifacts, data, losses, training
from dirconv.errors import Unfinished, UserError
from dirconv.margins import error_rate
from dirconv.margins.network import NetworkMap
from dirconv.options import Train
from dirconv.stages import _job, _output, homogeneity

CLASSIFIED = "classified"  # stop reason: ℒ < ℓ(0)
EPOCHS = "epochs"  # stop reason: as many epochs as allowed, without that


def run(
    spec: dict[str, Any],
    split: Path,
    check: Path,
    out: Path,
    checkpoints: Path,
    log: Path,
    seconds: float | None = None,
) -> None:
    """Write start.safetensors (weights), training.parquet (a row an epoch) and manifest.json to `out`.

    Unfinished at the time limit, `seconds`; the same call resumes.
    """
    homogeneity.require(check, spec["run"])
    device = _job.prepare(spec)
    loss = losses.get(spec["loss"])
    options = Train(**spec["train"])
    margin_map, test_map = _job.maps(spec, split, device)
    with _job.resumable(checkpoints, "train", spec, log, split / data.SPLIT) as (checkpoint, progress, saved):
        if saved is not None:
            tensors, record = saved
            rows = record["rows"]
            weights, velocity = (torch.from_numpy(tensors[name]).to(device) for name in ("weights", "velocity"))
            random = torch.from_numpy(tensors["random"])
            state = training.SgdState(weights=weights, velocity=velocity, epoch=record["epoch"], random=random)
            progress.line(f"resumes at epoch {state.epoch}")
        else:
            state = training.start(margin_map.flatten(), spec["seed"])
            rows = [_row(margin_map, test_map, loss, state)]
        timer = _job.Timer(seconds)
        states = training.epochs(margin_map, loss, options, state)
        while rows[-1]["ln_risk"] >= loss.ln_at_zero and state.epoch < options.epochs:
            state = next(states)
            rows.append(_row(margin_map, test_map, loss, state))
            ln_risk = rows[-1]["ln_risk"]
            if not math.isfinite(ln_risk):
                raise UserError(
                    f"runs.{spec['run']}.train.learning_rate: training diverged in epoch {state.epoch} with "
                    f"{options.learning_rate}; lower it"
                )
            # the way to ℓ(0) is roughly even in ln ℒ, and an estimate is all that a bar needs
            share = (rows[0]["ln_risk"] - ln_risk) / (rows[0]["ln_risk"] - loss.ln_at_zero)
            progress.update(
                min(max(share, state.epoch / options.epochs), 1.0),
                f"epoch {state.epoch}  log10 L {ln_risk / math.log(10):.3f}  train error {rows[-1]['train_error']:.4f}",
                final=ln_risk < loss.ln_at_zero,
            )
            if timer.due():
                tensors = {"weights": state.weights, "velocity": state.velocity, "random": state.random}
                arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
                checkpoint.save(arrays, {"epoch": state.epoch, "rows": rows})
                if timer.up() and ln_risk >= loss.ln_at_zero and state.epoch < options.epochs:
                    raise Unfinished(f"{spec['run']}/seed{spec['seed']}: training, epoch {state.epoch}")
        reason = CLASSIFIED if rows[-1]["ln_risk"] < loss.ln_at_zero else EPOCHS
        files = {"start.safetensors": {"weights": state.weights.cpu().numpy()}, "training.parquet": pd.DataFrame(rows)}
        source = artifacts.read_manifest(split, verify=False)
        origin = _output.made_by("train", spec, source, device=_job.in_words(device))
        _output.write(out, files, spec, made_by=origin, stop=reason)
        checkpoint.remove()


def _row(margin_map: NetworkMap, test_map: NetworkMap, loss: losses.Loss, state: training.SgdState) -> dict[str, Any]:
    margins, fixed = margin_map.settled(state.weights)
    test_margins = fixed.on(test_map.images, test_map.labels).values(state.weights)
    return {
        "epoch": state.epoch,
        "ln_risk": float(loss.ln_risk(margins)),
        "norm": float(state.weights.norm()),
        "train_error": error_rate(margins),
        "test_error": error_rate(test_margins),
    }
