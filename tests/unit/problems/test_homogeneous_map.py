"""Homogeneous maps that are no networks."""

import numpy as np
import pytest
import torch

from dirconv.problems import homogeneous_map


def test_polynomials_and_tensors_are_what_they_are_said_to_be():
    random = np.random.default_rng(0)
    w, t = torch.from_numpy(random.normal(size=3)), torch.from_numpy(random.normal(size=(2, 3, 3, 3)))
    torch.testing.assert_close(homogeneous_map.polynomial(w, t), torch.einsum("iabc,a,b,c->i", t, w, w, w))
    u, x = torch.from_numpy(random.normal(size=(4, 3, 5))), torch.from_numpy(random.normal(size=(2, 3, 5)))
    whole = torch.einsum("ra,rb,rc->abc", *u.unbind(1))
    torch.testing.assert_close(homogeneous_map.tensor(u, x), torch.einsum("abc,ia,ib,ic->i", whole, *x.unbind(1)))


@pytest.mark.parametrize("kind", ["polynomial", "tensor"])
def test_maps_that_are_no_networks_are_followed(kind):
    spec = homogeneous_map.Spec(kind=kind, tau=2.0)
    for one in homogeneous_map.follow(spec, [1, 2]):
        path = one.tables["path"]
        assert one.stop == "tau" and path["below"].iloc[-1] and path["cos"].iloc[-1] > 0.9
        assert one.tables["decomposition"]["difference"].max() < 1e-6
