"""Directional convergence and alignment in deep learning, as claims that can be run and audited.

Paper: Z. Ji and M. Telgarsky, "Directional convergence and alignment in deep learning", NeurIPS 2020.

    dirconv.follow(network, images, labels, degree=2, tau=1.0)      see `dirconv.own`
"""

import importlib

__version__ = "0.1.0"


def __getattr__(name: str):
    """`follow`, imported when it is first used: it needs torch, and most of the package does not."""
    if name == "follow":
        return importlib.import_module("dirconv.own").follow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
