"""Directional convergence and alignment in deep learning, as claims that can be run and audited.

Paper: Z. Ji and M. Telgarsky, "Directional convergence and alignment in deep learning", NeurIPS 2020.
"""

__version__ = "0.1.0"
