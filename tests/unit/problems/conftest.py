"""Two problems that several files look at, followed once."""

import pytest

from dirconv.problems import deep_linear, mexican_hat


@pytest.fixture(scope="session")
def linear():
    spec = deep_linear.Spec(depth=3, tau=5.0)
    return spec, deep_linear.follow(spec, [0, 1, 6])


@pytest.fixture(scope="session")
def hat():
    spec = mexican_hat.Spec()
    return spec, mexican_hat.follow(spec, [0, 1])
