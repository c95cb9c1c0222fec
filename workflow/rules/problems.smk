# one job for all seeds of a problem: what costs a small problem its time is shared by all of them
for name in STUDY.file.problems:

    rule:
        name:
            f"problem_{name}"
        output:
            outputs("problem", name=name),
        log:
            f"{LOGS}/problem-{name}.log",
        conda:
            "../../environment.yml"
        params:
            spec=STUDY.job("problem", name).json,
            versions=STUDY.job("problem", name).versions,
            out=subpath(output[0], ancestor=2),
        shell:
            "dirconv problem --spec {params.spec:q} --out {params.out:q} 2> >(tee {log:q} >&2)"
