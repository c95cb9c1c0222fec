"""A study: its file, validated in full, and the jobs that follow from it. Imports no torch.

`configuration` says what a study file may hold, `validate` reads one, `specifications` says what each job depends on,
`job` what it reads and writes, and `resolve` holds the `Study` that all others ask.
"""
