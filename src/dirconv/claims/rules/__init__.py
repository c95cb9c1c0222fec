"""Verdict rules, one module each: TABLES it reads, STATISTIC it names, THRESHOLD it quotes, `Thresholds`, `judge`.

`judge(evidence, thresholds)` answers for one run and seed. What several rules share is in `_common` and
`_convergence`.
"""
