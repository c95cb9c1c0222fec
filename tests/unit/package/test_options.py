"""Options: what `parse` takes, and the one line that it gives for anything else."""

import dataclasses
import datetime
import math

import numpy as np
import pytest

from dirconv import options
from dirconv.errors import UserError
from dirconv.goals import Stop
from dirconv.options import Train, did_you_mean, load_yaml, modules, parse, plugin, require_positive

STRICT = {"extra": "forbid", "strict": True}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    size: int
    ratio: float = 1.0

    __pydantic_config__ = STRICT

    def __post_init__(self):
        require_positive(self, "size")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    title: str
    inner: Inner
    perhaps: Inner | None = None
    named: dict[str, Inner] = dataclasses.field(default_factory=dict)
    several: list[Inner] = dataclasses.field(default_factory=list)

    __pydantic_config__ = STRICT


VALID = {"title": "a", "inner": {"size": 1}}


def message(kind, value, where="study"):
    with pytest.raises(UserError) as caught:
        parse(kind, value, where)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_valid_options_become_typed_values():
    assert parse(Train, {}, "t") == Train()
    assert parse(Train, {"learning_rate": 1, "batch": 7}, "t") == Train(learning_rate=1.0, batch=7)
    assert isinstance(parse(Train, {"learning_rate": 1}, "t").learning_rate, float)
    assert parse(Stop, {"tau": math.inf, "steps": 3}, "s") == Stop(steps=3)
    value = {**VALID, "perhaps": {"size": 2}, "named": {"x": {"size": 3, "ratio": 0.5}}, "several": [{"size": 4}]}
    expected = Outer(
        title="a", inner=Inner(size=1), perhaps=Inner(size=2), named={"x": Inner(size=3, ratio=0.5)},
        several=[Inner(size=4)],
    )  # fmt: skip
    assert parse(Outer, value, "o") == expected


@pytest.mark.parametrize(
    ("value", "key", "suggestion"),
    [
        ({**VALID, "titel": "b"}, "study.titel", "title"),
        ({**VALID, "inner": {"size": 1, "ration": 2.0}}, "study.inner.ration", "ratio"),
        ({**VALID, "perhaps": {"size": 1, "ration": 2.0}}, "study.perhaps.ration", "ratio"),
        ({**VALID, "named": {"x": {"size": 1, "ration": 2.0}}}, "study.named.x.ration", "ratio"),
        ({**VALID, "several": [{"size": 1}, {"size": 1, "sise": 2}]}, "study.several.1.sise", "size"),
    ],
)
def test_an_unknown_key_is_named_with_what_was_probably_meant(value, key, suggestion):
    assert message(Outer, value) == f"{key}: unknown key; did you mean {suggestion!r}?"


def test_an_unknown_key_like_no_other_gets_the_list():
    found = message(Stop, {"colour": 1})
    assert found == "study.colour: unknown key; known: steps, log_inverse_risk, tau, cos, tail"


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        (Outer, {"inner": {"size": 1}}, "study.title"),
        (Outer, {"title": "a"}, "study.inner"),
        (Outer, {**VALID, "inner": {}}, "study.inner.size"),
        (Outer, {**VALID, "named": {"x": {"ratio": 1.0}}}, "study.named.x.size"),
    ],
)
def test_a_missing_key_is_named(kind, value, key):
    assert message(kind, value).startswith(f"{key}: missing")


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        (Train, {"batch": "100"}, "study.batch"),
        (Train, {"batch": 1.5}, "study.batch"),
        (Train, {"batch": True}, "study.batch"),
        (Train, {"batch": None}, "study.batch"),
        (Train, {"learning_rate": "1e-3"}, "study.learning_rate"),  # YAML 1.1 reads 1e-3 as text
        (Train, {"learning_rate": True}, "study.learning_rate"),
        (Train, {"learning_rate": [0.1]}, "study.learning_rate"),
        (Train, {"epochs": math.nan}, "study.epochs"),
        (Train, {"epochs": datetime.date(2020, 1, 1)}, "study.epochs"),
        (Outer, {**VALID, "title": 3}, "study.title"),
        (Outer, {**VALID, "inner": 3}, "study.inner"),
        (Outer, {**VALID, "named": {"x": [1]}}, "study.named.x"),
        (Outer, {**VALID, "several": {"size": 1}}, "study.several"),
    ],
)
def test_a_value_of_a_wrong_type_is_named_and_shown(kind, value, key):
    found = message(kind, value)
    assert found.startswith(f"{key}: ")
    assert ", got " in found


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Train, {"learning_rate": 0.0}, "study.learning_rate: must be above zero, got 0.0"),
        (Train, {"learning_rate": math.nan}, "study.learning_rate: must be above zero, got nan"),
        (Train, {"batch": 0}, "study.batch: must be above zero, got 0"),
        (Train, {"scale": -1.0}, "study.scale: must be above zero, got -1.0"),
        (Train, {"epochs": -1}, "study.epochs: must not be negative, got -1"),
        (Train, {"momentum": 1.0}, "study.momentum: must be at least 0 and below 1, got 1.0"),
        (Train, {"momentum": -0.1}, "study.momentum: must be at least 0 and below 1, got -0.1"),
        (Stop, {"steps": 0}, "study.steps: must be above zero, got 0"),
        (Stop, {"tau": -1.0}, "study.tau: must be above zero, got -1.0"),
        (Stop, {"log_inverse_risk": 0.0}, "study.log_inverse_risk: must be above zero, got 0.0"),
        (Outer, {**VALID, "inner": {"size": 0}}, "study.inner.size: must be above zero, got 0"),
        (Outer, {**VALID, "named": {"x": {"size": -2}}}, "study.named.x.size: must be above zero, got -2"),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_bound(kind, value, text):
    assert message(kind, value) == text


def test_the_bounds_themselves_are_allowed():
    assert Train(momentum=0.0, epochs=0, batch=1).momentum == 0
    assert Stop(steps=1).tau == math.inf


@pytest.mark.parametrize("value", [None, [1], "fast", 3])
def test_what_is_no_mapping_is_told_its_keys(value):
    assert message(Stop, value) == "study: expected a mapping of steps, log_inverse_risk, tau, cos, tail"


def test_a_key_that_is_no_text_is_an_unknown_key():
    """YAML reads an unquoted 2020-01-01 as a date."""
    assert message(Stop, {1: 2}).startswith("study.1: unknown key")
    assert message(Stop, {datetime.date(2020, 1, 1): 2}).startswith("study")


def test_modules_are_those_that_a_study_may_name():
    assert {"alexnet", "densenet"} <= set(modules("models"))
    assert "_common" not in modules("claims.rules")
    assert modules("claims.rules") == sorted(modules("claims.rules"))


def test_member_is_the_module_of_that_name():
    assert plugin("flow.methods", "descent", "x").Spec().method == "descent"


@pytest.mark.parametrize(
    ("package", "name", "end"),
    [
        ("models", "alexnt", "; did you mean 'alexnet'?"),
        ("flow.methods", "descend", "; did you mean 'descent'?"),
        ("claims.rules", "_common", ""),  # private modules cannot be named
        ("models", "quantum", "; known: alexnet, densenet, densenet121, fully_connected, resnet"),
        ("models", "../models", ""),
        ("models", 7, "; known: alexnet, densenet, densenet121, fully_connected, resnet"),
        ("models", None, "; known: alexnet, densenet, densenet121, fully_connected, resnet"),
    ],
)
def test_an_unknown_member_is_named_with_what_was_probably_meant(package, name, end):
    with pytest.raises(UserError) as caught:
        plugin(package, name, "runs.a.x")
    assert str(caught.value).startswith(f"runs.a.x: unknown {name!r}")
    assert str(caught.value).endswith(end)
    assert "\n" not in str(caught.value)


def test_did_you_mean():
    assert did_you_mean("aplha", ["alpha", "beta"]) == "; did you mean 'alpha'?"
    assert did_you_mean("zzz", ["alpha", "beta"]) == "; known: alpha, beta"


def test_yaml_is_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: {b: [1, 2.5, ü]}\n", encoding="utf-8")
    assert load_yaml(path) == {"a": {"b": [1, 2.5, "ü"]}}


@pytest.mark.parametrize("content", [b"a: [1, 2", b"a: b: c", b"\xff\xfe\x00", b"a: !!python/object:os.system {}"])
def test_what_is_not_yaml_is_one_line_that_names_the_file(tmp_path, content):
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(f"{path}: not valid YAML")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="not found"):
        load_yaml(tmp_path / "none.yaml")


def test_require_positive_names_the_first_field_that_is_not():
    class Options:
        a, b, c = 1.0, 0.0, -1.0

    with pytest.raises(ValueError, match=r"^b: must be above zero, got 0.0$"):
        options.require_positive(Options(), "a", "b", "c")
    options.require_positive(Options(), "a")


@pytest.mark.parametrize(
    ("content", "key", "line", "first"),
    [
        ("a: 1\na: 2\n", "a", 2, 1),
        ("a:\n  b:\n    c: 1\n    d: 2\n    c: 3\n", "c", 5, 3),
        ("a:\n  - {b: 1}\n  - b: 1\n    b: 1\n", "b", 4, 3),
        ("a: {b: 1, 'b': 2}\n", "b", 1, 1),
        ("1: a\n'1': b\n", "1", 2, 1),
        ("1: a\n1.0: b\n", "1.0", 2, 1),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", "<<", 4, 3),
    ],
)
def test_a_key_given_twice_is_refused_at_every_depth(tmp_path, content, key, line, first):
    path = tmp_path / "a.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_yaml(path)
    twice = f"the key {key!r} is there twice, first in line {first}"
    assert str(caught.value) == f"{path}: line {line}: {twice}; keep one of them"


def test_anchors_merges_and_aliases_are_read_as_before(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}\ne: [*x, *x]\n", encoding="utf-8")
    assert load_yaml(path) == {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}, "e": [{"b": 1, "c": 2}] * 2}


def test_numpys_numbers_are_numbers():
    found = parse(Train, {"learning_rate": np.float32(0.25), "epochs": np.int64(3)}, "here")
    assert found == Train(learning_rate=0.25, epochs=3)
    assert type(found.epochs) is int
