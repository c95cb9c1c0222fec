# one job for all seeds of a problem: what costs a small problem its time is shared by all of them
for name in STUDY.study.problems:

    rule:
        name:
            f"problem_{name}"
        output:
            [f"{RESULTS}/measures/{file}" for file in STUDY.problem_files(name)],
        params:
            spec=as_json(STUDY.problem_specification(name)),
            code=problem.code(STUDY.problem_specification(name)),
            out=subpath(output[0], ancestor=2),
        log:
            f"{LOGS}/problem-{name}.log",
        conda:
            "../../environment.yml"
        shell:
            "dirconv problem --spec {params.spec:q} --out {params.out} 2> >(tee {log} >&2)"
