"""The table of benchmarks/README.md, made from benchmarks/bundle.json alone: what was asked, and what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[1] / "bundle.json"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks.bundle table: begin -->", "<!-- benchmarks.bundle table: end -->"
HEADER = ["what", "measured", "aim", "met"]
SLACK = 0.01  # of the certificate that is shown: margins up to 1 % above the smallest have multipliers
Row = tuple[str, str, str, bool | None]


def write() -> None:
    """Put the table into README.md, between its two marks."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    README.write_text(f"{before}{BEGIN}\n\n{rendered(record)}\n\n{END}{rest.split(END)[1]}")


def rendered(record: dict[str, Any]) -> str:
    """The table in Markdown; parts that the record does not have are named below it."""
    rows = [row for name, make in ROWS.items() if name in record for row in make(record[name])]
    missing = [name for name in ROWS if name not in record]
    lines = [HEADER, ["---"] * len(HEADER)]
    lines += [[what, found, aim, {True: "yes", False: "**no**", None: "–"}[met]] for what, found, aim, met in rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""
    notes = [f"Not measured yet: {', '.join(missing)}."] if missing else []
    notes += [_made(record)] if rows else []
    return "\n\n".join(part for part in (text, " ".join(notes)) if part)


def _made(record: dict[str, Any]) -> str:
    first = next(iter(record.values()))
    seeds = sorted({section["seed"] for section in record.values() if "seed" in section})
    dates = sorted({section["created"][:10] for section in record.values()})
    where = f"{first['machine']['processor']}, {first['threads']} threads of {first['machine']['cores']} cores"
    return f"Made on {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {where}, seed {', '.join(map(str, seeds))}."


def number(value: float | None, digits: int = 3) -> str:
    """A number in a cell, or a dash."""
    return "–" if value is None else f"{value:.{digits}g}"


def power(ln: float | None) -> str:
    """e^ln in a cell, as a power of ten where it is large."""
    if ln is None:
        return "–"
    tens = ln / math.log(10)
    return f"{math.exp(ln):.3g}" if abs(tens) < 5 else f"10^{tens:.1f}"


def _within(value: float | None, bound: float) -> bool:
    return value is not None and value <= bound


def _accuracy(part: dict[str, Any]) -> list[Row]:
    found = part["seconds_to_asked"]
    fastest = found["bundle"]["fastest_within"]
    words = f"{number(fastest)} s (interpolated {number(found['bundle']['interpolated'])} s)"
    old = found["proximal"]
    words += f"; `proximal` {number(old['fastest_within'] or old['interpolated'])} s"
    rows = [row for row in part["rows"] if row["method"] == "bundle" and row["seconds"] == fastest]
    if rows:
        spread = rows[0]["of_repeats"]
        words += f"; {len(rows[0]['of_repeats'])} repeats from {number(min(spread))} to {number(max(spread))} s"
    what = f"n = {part['data']['train']}, τ {part['tau'][0]:.2f} → {part['tau'][1]:.2f}: time for 0.003 rad"
    return [(what, words, "≤ 15 s", _within(fastest, 15.0))]


def _chords(part: dict[str, Any], what: str) -> Row:
    found = part["tan_against_chords"]
    if not found["intervals"]:
        return (what, "no landing so far", "within 5 %", None)
    lengths = f"∫ tan ∠ dτ {number(found['integral_of_tan'])}, chords {number(found['zeta_by_chords'])}"
    words = f"at most {100 * found['largest']:.1f} %, median {100 * found['median']:.1f} %; {lengths}"
    return (what, words, "within 5 %", found["largest"] <= 0.05)


def _reach(part: dict[str, Any]) -> list[Row]:
    n, end = part["data"]["train"], part["end"]
    words = f"τ = {number(end['tau'])}, cos {end['cos']:.6f}"
    return [
        (f"n = {n}, {part['limit']:g} s from τ = {part['clock_from']:g}", words, "τ ≥ 50", end["tau"] >= 50),
        _chords(part, f"n = {n}: tan ∠ against the speed by chords, τ ≥ {part['tan_against_chords']['beyond']:g}"),
    ]


def _large(part: dict[str, Any]) -> list[Row]:
    n, end = part["data"]["train"], part["end"]
    words = f"τ = {number(end['tau'])}, cos {end['cos']:.6f}"
    met = end["tau"] >= 15 and end["cos"] >= 0.998
    return [
        (f"n = {n}, {part['limit']:g} s from ℒ = ℓ(0)", words, "τ ≥ 15, cos ≥ 0.998", met),
        _chords(part, f"n = {n}: tan ∠ against the speed by chords, τ ≥ {part['tan_against_chords']['beyond']:g}"),
    ]


def _halving(part: dict[str, Any]) -> list[Row]:
    near, end = part["near"], part["end"]
    what = f"n = {part['data']['train']}: direction at half the tolerance"
    if near is None:
        return [(what, "no common landing", "≤ 0.01 rad", None)]
    words = f"{number(near['distance'])} rad at τ = {number(near['tau'])}, {number(end['distance'])} at "
    words += f"{number(end['tau'])}, at most {number(part['largest'])}"
    met = max(near["distance"], end["distance"]) <= 0.01
    return [(what, words, "≤ 0.01 rad", met)]


def _smooth(part: dict[str, Any]) -> list[Row]:
    end, order, n = part["end"], part["order"]["order"], part["data"]["train"]
    best = max(row["cos_best"] for row in part["certificates"])
    words = f"τ = {number(end['tau'])}, cos at the point {end['cos_point']:.6f}, of any multipliers {best:.6f}"
    met = end["cos_point"] >= 0.9999 and end["tau"] >= 50
    return [
        (f"smooth AlexNet, n = {n}, {part['limit']:g} s", words, "cos ≥ 0.9999, τ ≥ 50", met),
        ("its order", number(order), "2", None if order is None else order >= 1.8),
    ]


def _kkt(part: dict[str, Any]) -> list[Row]:
    rows = []
    if "reach" in part:
        found = next(row for row in part["reach"]["certificates"] if row["slack"] == SLACK)
        relative = number(found["epsilon_relative"])
        words = f"{number(found['epsilon'])} (relative {relative}) with δ = {number(found['delta'])}"
        n = part["reach"]["data"]["train"]
        rows.append((f"KKT residual ε at the end, ReLU, n = {n}", words, "≤ 0.01", _within(found["epsilon"], 0.01)))
    if "smooth" in part:
        found = part["smooth"]["polished"]
        words = f"{number(found['epsilon'])} with δ = {number(found['delta'])}, {number(found['distance'])} rad away"
        rows.append(("the same, smooth after Newton's method", words, "≤ 1e-8", _within(found["epsilon"], 1e-8)))
    return rows


def _two_layer(part: dict[str, Any]) -> list[Row]:
    rows = []
    for key, words in (("loss", "to a mean loss of 1e-40"), ("epsilon", f"to ε ≤ {0.05:g}")):
        theirs = part.get("theirs", {}).get(f"ln_seconds_to_{key}")
        ours = part.get("bundle", {}).get("marks", {}).get(key)
        ratio = part.get(f"ln_ratio_to_{key}")
        found = f"{number(ours and ours['seconds'])} s against {power(theirs)} s (from a law fitted to their run)"
        met = None if ratio is None else ratio >= math.log(100)
        rows.append((f"two-layer ReLU, {words}", f"{found}: {power(ratio)} times less", "≥ 100 times less", met))
    return rows


def _memory(part: dict[str, Any]) -> list[Row]:
    peaks = {row["method"]: row["peak_gib"] for row in part["rows"]}
    words = ", ".join(f"`{method}` {number(peak)} GiB" for method, peak in peaks.items())
    n = part["rows"][0]["data"]["train"]
    return [(f"peak memory, n = {n}", words, "≤ 4 GiB", peaks["bundle"] <= 4)]


def _densenet(part: dict[str, Any]) -> list[Row]:
    found = [
        f"`{row['method']}` τ = {number(row['end']['tau'])}, ln(1/ℒ) = {number(row['end']['ln_inverse_risk'])}"
        for row in part["rows"]
    ]
    words = f"in {number(part['rows'][0]['end']['seconds'])} s: {'; '.join(found)}"
    met = part["rows"][0]["end"]["tau"] >= 0.5
    return [(f"DenseNet with batch statistics, n = {part['data']['train']}", words, "τ ≥ 0.5", met)]


ROWS: dict[str, Callable[[dict[str, Any]], list[Row]]] = {
    "accuracy": _accuracy,
    "reach": _reach,
    "large": _large,
    "halving": _halving,
    "smooth": _smooth,
    "kkt": _kkt,
    "two_layer": _two_layer,
    "memory": _memory,
    "densenet": _densenet,
}
