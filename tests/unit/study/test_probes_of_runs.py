"""Runs that ask for probes, and claims that read them."""

import pytest

from dirconv.errors import UserError
from dirconv.study import validate


def study(**run):
    model = {"name": "alexnet", "width": 0.1}
    whole = {"data": "d", "model": model, "train": {}, "flow": {"method": "descent"}, **run}
    return {
        "study": "s",
        "data": {"d": {"source": "digits", "classes": {"negative": [0], "positive": [1]}}},
        "runs": {"first_pair": {key: value for key, value in whole.items() if value is not None}},
    }


def test_a_probe_is_a_member_of_its_own_and_moves_no_specification():
    plain = validate.validated({**study(), "runs": {**study()["runs"], "alexnet": study()["runs"]["first_pair"]}}, "s")
    probed = validate.validated(study(probes=["generalization"], seeds=[0, 3]), "s")
    assert probed.inputs("late_generalization") == [
        "first_pair/generalization-seed0",
        "first_pair/generalization-seed3",
    ]
    assert probed.specifications.flow("first_pair", 0) == plain.specifications.flow("first_pair", 0)
    assert probed.specifications.probe("first_pair", 3, "generalization")["probe"] == "generalization"
    chain = probed.chain("first_pair/generalization-seed0")
    assert [job.stage for job in chain] == ["data", "train", "flow", "probe"]
    assert "late_generalization" not in plain.claims


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"probes": ["degre"]}, "probes: unknown 'degre'; did you mean 'degree'"),
        ({"probes": ["degree"], "flow": None, "train": None}, "probes: the run is only checked"),
    ],
)
def test_bad_probes_are_named(run, message):
    whole = study(**run)
    whole["runs"]["alexnet"] = study()["runs"]["first_pair"]
    with pytest.raises(UserError, match=message):
        validate.validated(whole, "s")


@pytest.mark.parametrize(
    ("run", "remedy"),
    [
        ({"probes": ["degree"]}, "give it `probes: \\[generalization\\]`"),
        ({"flow": None, "train": None}, "`train` and `flow`"),
    ],
)
def test_a_claim_whose_probe_is_not_asked_for_says_what_to_add(run, remedy):
    whole = {**study(**run), "claims": ["late_generalization"]}
    with pytest.raises(UserError, match=f"late_generalization reads the run 'first_pair'; .*{remedy}"):
        validate.validated(whole, "s")


def test_a_claim_on_a_problem_without_its_tables_says_so():
    problem = {"problem": {"name": "mexican_hat", "turns": 3.0}, "seeds": [0]}
    whole = {"study": "s", "problems": {"first_pair": problem}, "claims": ["late_generalization"]}
    with pytest.raises(UserError, match="'mexican_hat' does not answer with generalization"):
        validate.validated(whole, "s")
