rule homogeneity:
    output:
        f"{RESULTS}/measures/{{run}}/homogeneity/homogeneity.parquet",
        f"{RESULTS}/measures/{{run}}/homogeneity/manifest.json",
    params:
        spec=lambda w: as_json(STUDY.network_specification(w.run, RUNS[w.run].seeds[0])),
        code=lambda w: _specification.code("homogeneity", STUDY.network_specification(w.run, RUNS[w.run].seeds[0])),
        out=subpath(output[0], parent=True),
    log:
        f"{LOGS}/homogeneity-{{run}}.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv homogeneity --spec {params.spec:q} --out {params.out} 2> >(tee {log} >&2)"


rule train:
    input:
        split=split,
        check=f"{RESULTS}/measures/{{run}}/homogeneity/manifest.json",
    output:
        f"{RESULTS}/starts/{{run}}/seed{{seed}}/start.safetensors",
        f"{RESULTS}/starts/{{run}}/seed{{seed}}/training.parquet",
        f"{RESULTS}/starts/{{run}}/seed{{seed}}/manifest.json",
    params:
        spec=lambda w: as_json(STUDY.train_specification(w.run, int(w.seed))),
        code=lambda w: _specification.code("train", STUDY.train_specification(w.run, int(w.seed))),
        split=subpath(input.split, parent=True),
        check=subpath(input.check, parent=True),
        out=subpath(output[0], parent=True),
        checkpoints=f"{RESULTS}/checkpoints",
    log:
        f"{LOGS}/train-{{run}}-seed{{seed}}.log",
    threads: STUDY.study.threads
    resources:
        gpu=lambda w: int(STUDY.study.device != "cpu"),
    conda:
        "../../environment.yml"
    shell:
        "dirconv train --spec {params.spec:q} --split {params.split} --check {params.check} --out {params.out}"
        " --checkpoints {params.checkpoints} --log {log}"


rule flow:
    input:
        split=split,
        start=f"{RESULTS}/starts/{{run}}/seed{{seed}}/manifest.json",
    output:
        f"{RESULTS}/runs/{{run}}/seed{{seed}}/steps.parquet",
        f"{RESULTS}/runs/{{run}}/seed{{seed}}/snapshots.safetensors",
        f"{RESULTS}/runs/{{run}}/seed{{seed}}/manifest.json",
    params:
        spec=lambda w: as_json(STUDY.flow_specification(w.run, int(w.seed))),
        code=lambda w: _specification.code("flow", STUDY.flow_specification(w.run, int(w.seed))),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        out=subpath(output[0], parent=True),
        checkpoints=f"{RESULTS}/checkpoints",
    log:
        f"{LOGS}/flow-{{run}}-seed{{seed}}.log",
    threads: STUDY.study.threads
    resources:
        gpu=lambda w: int(STUDY.study.device != "cpu"),
    conda:
        "../../environment.yml"
    shell:
        "dirconv flow --spec {params.spec:q} --split {params.split} --start {params.start} --out {params.out}"
        " --checkpoints {params.checkpoints} --log {log}"
