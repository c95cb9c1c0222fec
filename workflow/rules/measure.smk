rule measure:
    input:
        unpack(inputs("measure")),
    output:
        outputs("measure", name="{name}", seed="{seed}"),
    log:
        f"{LOGS}/measure-{{name}}-seed{{seed}}.log",
    wildcard_constraints:
        name=one_of(name for name, _ in LIVE),
        seed=one_of(seed for _, seed in LIVE),
    conda:
        "../../environment.yml"
    threads: STUDY.file.threads
    resources:
        gpu=lambda w: int(STUDY.file.device != "cpu"),
    params:
        spec=spec("measure"),
        versions=versions("measure"),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        trajectory=subpath(input.trajectory, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "dirconv measure --spec {params.spec:q} --split {params.split:q} --start {params.start:q}"
        " --trajectory {params.trajectory:q} --out {params.out:q} 2> >(tee {log:q} >&2)"


# what a run asks for besides, each in a folder of its own, so that asking makes nothing else again
rule probe:
    input:
        unpack(inputs("probe")),
    output:
        outputs("probe", name="{name}", seed="{seed}", probe="{probe}"),
    log:
        f"{LOGS}/probe-{{probe}}-{{name}}-seed{{seed}}.log",
    wildcard_constraints:
        name=one_of(name for name, _, _ in LIVE_PROBES),
        seed=one_of(seed for _, seed, _ in LIVE_PROBES),
        probe=one_of(probe for _, _, probe in LIVE_PROBES),
    conda:
        "../../environment.yml"
    threads: STUDY.file.threads
    resources:
        gpu=lambda w: int(STUDY.file.device != "cpu"),
    params:
        spec=spec("probe"),
        versions=versions("probe"),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        trajectory=subpath(input.trajectory, parent=True),
        out=subpath(output[0], parent=True),
    shell:
        "dirconv probe --spec {params.spec:q} --split {params.split:q} --start {params.start:q}"
        " --trajectory {params.trajectory:q} --out {params.out:q} 2> >(tee {log:q} >&2)"
