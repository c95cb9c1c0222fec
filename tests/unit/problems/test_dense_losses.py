"""One dense network under several losses: which of them share a direction."""

import pytest

from dirconv import problems
from dirconv.errors import UserError
from dirconv.problems import dense_losses


def test_a_linear_network_goes_to_one_direction_by_every_exponential_tail():
    spec = dense_losses.Spec(activation="linear", width=6, examples=12, tau=3.0)
    (one,) = dense_losses.follow(spec, [0])
    ends = one.tables["losses"].groupby("loss").last()
    assert ends.loc["exponential", ["angle", "to_end", "function_angle"]].tolist() == [0, 0, 0]
    assert (ends.loc[["logistic", "cubic"], "function_to_end"] < 0.01).all()
    assert (ends.loc[["exponential", "logistic", "cubic"], "to_best"] < 0.05).all()
    assert ends.loc["polynomial", "to_best"] > 0.05


def test_losses_must_hold_the_one_that_others_are_compared_with():
    with pytest.raises(UserError, match="losses: must hold exponential"):
        problems.specification({"name": "dense_losses", "losses": ["logistic"]}, "problem")
