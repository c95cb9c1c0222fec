"""Verdict rules, one module each: TABLES it reads, STATISTIC it names, THRESHOLD it quotes, `Thresholds`, `judge`.

`judge(evidence, thresholds)` answers for one run and seed. A rule with `ACROSS` compares runs: its `judge_across(runs,
thresholds)` answers for all runs of one seed together. What several rules share is in `_common` and
`_convergence`.
"""
