rule measure:
    input:
        split=split,
        start=f"{RESULTS}/starts/{{run}}/seed{{seed}}/manifest.json",
        trajectory=f"{RESULTS}/runs/{{run}}/seed{{seed}}/manifest.json",
    output:
        [f"{RESULTS}/measures/{{run}}/seed{{seed}}/{name}.parquet" for name in modules("measures")],
        f"{RESULTS}/measures/{{run}}/seed{{seed}}/manifest.json",
    wildcard_constraints:
        run="|".join(sorted({STUDY.members[member][0] for member in LIVE})) or NONE,
        seed="|".join(sorted({str(STUDY.members[member][1]) for member in LIVE})) or NONE,
    params:
        spec=lambda w: as_json(STUDY.flow_specification(w.run, int(w.seed))),
        code=lambda w: _specification.code("measure", STUDY.flow_specification(w.run, int(w.seed))),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        trajectory=subpath(input.trajectory, parent=True),
        out=subpath(output[0], parent=True),
    log:
        f"{LOGS}/measure-{{run}}-seed{{seed}}.log",
    threads: STUDY.study.threads
    resources:
        gpu=lambda w: int(STUDY.study.device != "cpu"),
    conda:
        "../../environment.yml"
    shell:
        "dirconv measure --spec {params.spec:q} --split {params.split} --start {params.start}"
        " --trajectory {params.trajectory} --out {params.out} 2> >(tee {log} >&2)"


# what a run asks for besides, each in a folder of its own, so that asking makes nothing else again
rule probe:
    input:
        split=split,
        start=f"{RESULTS}/starts/{{run}}/seed{{seed}}/manifest.json",
        trajectory=f"{RESULTS}/runs/{{run}}/seed{{seed}}/manifest.json",
    output:
        f"{RESULTS}/measures/{{run}}/{{probe}}-seed{{seed}}/{{probe}}.parquet",
        f"{RESULTS}/measures/{{run}}/{{probe}}-seed{{seed}}/manifest.json",
    wildcard_constraints:
        run="|".join(sorted({run for run, _, _ in LIVE_PROBES})) or NONE,
        seed="|".join(sorted({str(seed) for _, seed, _ in LIVE_PROBES})) or NONE,
        probe="|".join(sorted({probe for _, _, probe in LIVE_PROBES})) or NONE,
    params:
        spec=lambda w: as_json(STUDY.probe_specification(w.run, int(w.seed), w.probe)),
        code=lambda w: probe.code(STUDY.probe_specification(w.run, int(w.seed), w.probe)),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        trajectory=subpath(input.trajectory, parent=True),
        out=subpath(output[0], parent=True),
    log:
        f"{LOGS}/probe-{{probe}}-{{run}}-seed{{seed}}.log",
    threads: STUDY.study.threads
    resources:
        gpu=lambda w: int(STUDY.study.device != "cpu"),
    conda:
        "../../environment.yml"
    shell:
        "dirconv probe --spec {params.spec:q} --split {params.split} --start {params.start}"
        " --trajectory {params.trajectory} --out {params.out} 2> >(tee {log} >&2)"
