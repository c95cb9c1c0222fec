"""A study: its file, validated in full, and the jobs that follow from it. Imports no torch.

`configuration` says what a study file may hold, `specifications` what each job depends on, `layout` where artifacts
lie, `job` puts these together, and `resolve` reads a study file and answers with the `Study` that all others ask.
"""
