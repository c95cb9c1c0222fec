"""Cases of bad input: strategies of hypothesis, one a surface."""

from __future__ import annotations

import copy
import io
import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import dirconv as package
from benchmarks.faults.common import ALEXNET, CONFIG, ROOT, STUDY, dirconv
from dirconv.errors import UserError
from dirconv.study import validate

BASE = {**STUDY, "runs": {"alexnet": {**ALEXNET, "seeds": [0]}}, "claims": ["risk_to_zero"]}

# ------------------------------------------------------------------------------------------------ values, and changes

NUMBERS = [0, -1, 1, 2**31, 2**63, 10**400, math.nan, math.inf, -math.inf, 1e-320, 1e308, 0.5, True]
TEXTS = [
    "",
    " ",
    "x",
    "../../elsewhere",
    "/",
    "-r",
    "{name}",
    "a\nb",
    "é\u202e",
    "\x00",
    "x" * 5000,
    "1e5",
    "null",
    ".",
]
JUNK = st.recursive(
    st.one_of(
        st.none(), st.sampled_from(NUMBERS), st.sampled_from(TEXTS), st.integers(), st.floats(), st.text(max_size=20)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside a mapping or a list."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in inside for path in [(*at, key), *places(item, (*at, key))]]


@st.composite
def changed(draw: Any, base: Any) -> Any:
    """A copy of `base` with up to three things in it replaced, left out, called otherwise or added."""
    value = copy.deepcopy(base)
    for _ in range(draw(st.integers(1, 3))):
        if not (known := places(value)):
            break
        *above, last = draw(st.sampled_from(known))
        holder = value
        for key in above:
            holder = holder[key]
        change = draw(st.sampled_from(("replace", "leave out", "rename", "add")))
        if change == "leave out":
            del holder[last]
        elif change == "rename" and isinstance(holder, dict):
            holder[draw(st.sampled_from(TEXTS))] = holder.pop(last)
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = draw(JUNK)
        else:
            holder[last] = draw(JUNK)
    return value


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
YAMLS = [
    b"", b"[", b"study: [", b"- 1\n- 2", b"study: &a [*a]", b"study: {<<: 3}", b"\xff\xfe",
    b"a: !!python/name:os.system",
    b"!!python/object/apply:os.mkdir [ran]", b"study: !!binary x", b"a: 2001-99-99", b"? [1, 2]\n: 3", b"\t",
    b"%YAML 9.9\n---",
    b"a: 0x" + b"f" * 9000, b"a: 1" + b"0" * 9000, b"[" * 900, b"[" * 50000, b"{a: " * 3000,
    b"a:\n" + b" - " * 2000 + b"x",
    LAUGHS.encode(), b"study: \xc3\x28", "study: a\u0000b".encode(), b"---\na: 1\n---\nb: 2",
    "study: caf\u00e9".encode("utf-16"),
]  # fmt: skip


def as_yaml(value: Any) -> bytes:
    try:
        return yaml.safe_dump(value, allow_unicode=True).encode(errors="surrogateescape")
    except (yaml.YAMLError, ValueError):
        return repr(value).encode(errors="replace")


def texts(base: Any) -> Any:
    """The bytes of a YAML file: a changed one, a known nuisance, anything, or a good one with bytes altered."""
    good = as_yaml(base)
    altered = st.tuples(st.integers(0, len(good) - 1), st.binary(max_size=4)).map(
        lambda change: good[: change[0]] + change[1] + good[change[0] + 1 :]
    )
    return st.one_of(*[changed(base).map(as_yaml)] * 3, st.sampled_from(YAMLS), st.binary(max_size=60), altered)


# --------------------------------------------------------------------------------------------- one strategy a surface

Case = tuple[str, Callable[[], int | None]]  # kind, and the call in a folder of its own


def configuration(draw: Any, folder: Path, whole: Path) -> Case:
    (folder / "study.yaml").write_bytes(draw(texts(BASE)))
    job = draw(st.sampled_from(("data", "problem", "homogeneity", "train", "flow", "probe")))
    name = {"data": "digits", "problem": "mexican_hat"}.get(job, "alexnet")
    words = ["--study", "study.yaml", "--job", job, "--name", name, "--seed", "0"]
    return "study file", dirconv("resolve", *words)


def registry(draw: Any, folder: Path, whole: Path) -> Case:
    entries = yaml.safe_load((ROOT / "config" / "claims.yaml").read_text(encoding="utf-8"))
    few = {name: entries[name] for name in ("risk_to_zero", "direction_converges")}
    (folder / "config").mkdir()
    (folder / "config" / "claims.yaml").write_bytes(draw(texts(few)))
    (folder / "study.yaml").write_bytes(as_yaml(BASE))
    if draw(st.booleans()):
        (folder / "README.md").write_text("<!-- claims: begin -->\n<!-- claims: end -->\n", encoding="utf-8")
        return "registry", dirconv("claims", "--registry", "config/claims.yaml", "--readme", "README.md")
    words = ["--study", "study.yaml", "--job", "homogeneity", "--name", "alexnet"]
    return "registry", dirconv("resolve", *words)


def image(side: int = 32) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (side, side), (200, 10, 10)).save(content, "png")
    return content.getvalue()


GOOD_IMAGES = [f"{part}/{name}/{i}.png" for part in ("train", "test") for name in ("cat", "dog") for i in range(2)]
NAMES = ["../evil.png", "/evil.png", "train/cat/../../x.png", "train/cat/\n.png", "train/cat/a\\b.png", "train/", "x",
         "train/cat/é.png", "train/cat/.png", "C:/x.png", "train/cat/0.PNG", "train//cat/1.png",
         "train/cat/" + "n" * 200]  # fmt: skip
CONTENTS = [b"", b"x", image()[:60], image(8), b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, image() + b"tail"]


def archive(draw: Any, folder: Path, whole: Path) -> Case:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        left_out = draw(st.sets(st.sampled_from(GOOD_IMAGES), max_size=2))
        for name in GOOD_IMAGES:
            if name not in left_out:
                made.writestr(name, image() if draw(st.integers(0, 5)) else draw(st.sampled_from(CONTENTS)))
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
            made.writestr(name, draw(st.sampled_from(CONTENTS)))
        if draw(st.integers(0, 20)) == 0:  # a few bytes that become more than an image may have
            made.writestr("train/cat/bomb.png", b"\0" * (65 * 2**20), compresslevel=1)
    whole_zip = content.getvalue()
    change = draw(st.sampled_from(("none", "cut", "flip", "anything", "directory")))
    place = draw(st.integers(0, len(whole_zip) - 1))
    if change == "cut":
        whole_zip = whole_zip[:place]
    elif change == "flip":
        whole_zip = whole_zip[:place] + draw(st.binary(min_size=1, max_size=3)) + whole_zip[place + 1 :]
    elif change == "anything":
        whole_zip = draw(st.binary(max_size=100))
    (folder / "images.zip").write_bytes(whole_zip)
    path = "." if change == "directory" else "images.zip"
    spec = {"source": "folder", "path": path, "classes": {"negative": ["cat"], "positive": ["dog"]}}
    return "archive", dirconv("data", "--spec", json.dumps(spec), "--name", "x", "--out", "out")


def command(draw: Any, folder: Path, whole: Path) -> Case:
    study = validate.load(whole / CONFIG, {"registry": str(whole / "config/claims.yaml")})
    results, spec = whole / "results/small", study.specifications
    run = "alexnet/seed0"
    places = {"--split": results / "data/digits", "--start": results / "starts" / run,
    "--trajectory": results / "runs" / run,
              "--check": results / "measures/alexnet/homogeneity", "--measures": results / "measures",
              "--registry": whole / "config/claims.yaml", "--out": "out", "--checkpoints": "out/checkpoints",
              "--log": "out/log.txt", "--study": whole / CONFIG, "--audit": results / "audit.json",
              "--name": "alexnet", "--claim": "risk_to_zero", "--figure": "risk", "--job": "flow", "--seed": "0",
              "--readme": "none.md", "--cases": results / "measures" / run / "path.parquet"}  # fmt: skip
    train, flow, check = spec.train("alexnet", 0), spec.flow("alexnet", 0), spec.network("alexnet", 0)
    short = {"train": {**train["train"], "epochs": 1}, "stop": {"steps": 2}}
    stages: dict[str, tuple[Any, str]] = {
        "data": (spec.data("digits"), "name out"),
        "problem": ({**spec.problem("mexican_hat"), "seeds": [0]}, "out"),
        "homogeneity": (check, "out"),
        "train": ({**train, "train": short["train"]}, "split check out checkpoints log"),
        "flow": ({**flow, **short}, "split start out checkpoints log"),
        "measure": (flow, "split start trajectory out"),
        "probe": ({**flow, "probe": "degree"}, "split start trajectory out"),
        "claim": (None, "claim registry measures out"),
        "figure": (None, "figure measures out"),
        "claims": (None, "registry readme"),
        "resolve": (None, "study job name seed"),
        "calibrate": (None, "cases registry"),
        "check": (None, "audit"),
        "schema": (None, "out"),
        "nonsense": (None, ""),
    }
    stage = draw(st.sampled_from(list(stages)))
    given_spec, names = stages[stage]
    words = [stage]
    if given_spec is not None:
        text = json.dumps(draw(changed(given_spec)) if draw(st.integers(0, 9)) else given_spec, default=str)
        odd = st.sampled_from(["", "{", "[]", "nowhere.json", "{}", '{"a": ' * 2000, "\ud800", '{"seed": 1e999}'])
        words += ["--spec", text if draw(st.integers(0, 4)) else draw(odd)]
    for name in names.split():
        choice = draw(st.integers(0, 9))
        if choice == 0:
            continue
        option = f"--{name}"
        odd = st.sampled_from(
            ["", ".", "nowhere", "/dev/null", str(results), str(whole / CONFIG), "x" * 300, "-1", "é"]
        )
        value = str(places[option])
        if choice == 1 and option not in ("--out", "--checkpoints", "--log"):  # these name where it may write
            value = draw(odd)
        words += [option, value]
    if stage in ("claim", "figure"):
        members = ["alexnet/seed0", "alexnet/seed1", "alexnet_half/seed0", "nowhere", "..", "", "alexnet/homogeneity"]
        words += draw(st.lists(st.sampled_from(members), max_size=3))
    words += draw(st.lists(st.sampled_from(["--help", "--seconds", "0", "-x", "--out", "--last", "é"]), max_size=1))
    return f"command {stage}", dirconv(*words)


class Raises(nn.Module):
    """A network that fails."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no\nforward")


def broken(value: float) -> nn.Module:
    network = nn.Linear(3, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


X = np.array([[1.0, 0.2, 0.1], [0.8, -0.3, 0.5], [-1.0, 0.1, 0.3], [-0.7, 0.4, -0.2]])
NETWORKS: list[Callable[[], Any]] = [
    lambda: None, lambda: "x", Raises, lambda: broken(math.nan), lambda: broken(0.0), lambda: broken(1e30),
    nn.Sequential,
    lambda: nn.Linear(3, 1), lambda: nn.Linear(3, 2), lambda: nn.Linear(2, 1), lambda: nn.LazyLinear(1), nn.Identity,
    lambda: nn.Linear(3, 1).half(), lambda: nn.Linear(3, 1, device="meta"), lambda: nn.Sequential(nn.Linear(3, 4),
    nn.ReLU()),
    lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1)), lambda: nn.Sequential(nn.Linear(3, 1),
    nn.Dropout(0.5)),
    lambda: nn.Sequential(nn.Linear(3, 5, bias=False), nn.ReLU(), nn.Linear(5, 1, bias=False)),
]  # fmt: skip
ARRAYS = [X, X[:1], X[:0], X[0], X * math.nan, X * 1e300, X * 1j, X.astype(str), [], None, "x", 3, [[1], [2, 3]],
          torch.tensor(X), X.astype(np.float16), X > 0, np.zeros((4, 0)), np.zeros_like(X), X[[0, 0, 0,
          0]]]  # fmt: skip
LABELS = [[1, 1, -1, -1], [1, 1, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [0, 1, 2, 3], [1.5] * 4, [math.nan] * 4, [],
    None,
          "x", [1], [[1], [1], [-1], [-1]], [1, 1, -1], [True, True, False, False], np.array(["a"] * 4)]  # fmt: skip
FEW = [0, -1, 1, 2, 1.5, None, "x", math.nan, True, [], np.int64(2)]
FLOWS = [{}, {"method": "bundle"}, {"method": "proximal"}, {"method": "descent"}, {"method": "sgd"},
    {"method": "rk4"}, None, 3,
         {"method": "x"}, {"method": None}, {"tolerance": -1}, {"tolerance": math.nan}, {"tolerance": "x"},
         {"x": 1}, "bundle",
         {"method": "bundle", "land": 0}, {"method": "descent", "tolerance": 1e308}, {1: 2},
         {"method": ["bundle"]}]  # fmt: skip
ARGUMENTS: dict[str, Any] = {
    "images": st.sampled_from(ARRAYS),
    "labels": st.sampled_from(LABELS),
    "degree": st.sampled_from([*FEW, 3, 10**30]),
    "tau": st.sampled_from([*FEW, math.inf, -math.inf, 1e-300]),
    "log_inverse_risk": st.sampled_from([*FEW, math.inf]),
    "cos": st.sampled_from([*FEW, 0.5]),
    "tail": st.sampled_from([*FEW, 0.1]),
    "loss": st.sampled_from(["logistic", "exponential", "cross_entropy", "polynomial", "x", None, 3]),
    "flow": st.sampled_from(FLOWS),
    "train": st.sampled_from([True, False, None, 1, "x"]),
    "learning_rate": st.sampled_from([*FEW, 1e308, 1e-300]),
    "momentum": st.sampled_from([*FEW, 0.99]),
    "batch": st.sampled_from([*FEW, 2**70]),
    "epochs": st.sampled_from(FEW),
    "test": st.sampled_from([None, (X, [1, 1, -1, -1]), (X,), 3, (X[:, :2], [1, 1, -1, -1]), (None, None), "xy"]),
    "seed": st.sampled_from([*FEW, 2**63, -(2**70)]),
    "name": st.sampled_from([None, "", "x", 3, "a/b"]),
}


def follow(draw: Any, folder: Path, whole: Path) -> Case:
    words: dict[str, Any] = {"images": X, "labels": [1, 1, -1, -1], "degree": 1, "tau": 0.02, "steps": 5, "epochs": 50}
    network = draw(st.sampled_from(NETWORKS)) if draw(st.booleans()) else lambda: broken(0.1)
    for name in draw(st.lists(st.sampled_from(list(ARGUMENTS)), max_size=3, unique=True)):
        words[name] = draw(ARGUMENTS[name])

    def call() -> int:
        try:
            made = network()
            torch.manual_seed(0)
            run = package.follow(made, words.pop("images"), words.pop("labels"), **words)
            repr(run), run.margins, run.direction
        except UserError as error:
            os.write(2, f"dirconv: error: {error}\n".encode())
            return 2
        return 0

    return "follow", call


SURFACES = (configuration, registry, archive, command, follow)
