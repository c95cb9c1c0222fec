rule homogeneity:
    output:
        outputs("homogeneity", name="{name}"),
    log:
        f"{LOGS}/homogeneity-{{name}}.log",
    conda:
        "../../environment.yml"
    params:
        spec=spec("homogeneity"),
        versions=versions("homogeneity"),
        out=subpath(output[0], parent=True),
    shell:
        "dirconv homogeneity --spec {params.spec:q} --out {params.out:q} 2> >(tee {log:q} >&2)"


rule train:
    input:
        unpack(inputs("train")),
    output:
        outputs("train", name="{name}", seed="{seed}"),
    log:
        f"{LOGS}/train-{{name}}-seed{{seed}}.log",
    conda:
        "../../environment.yml"
    threads: STUDY.file.threads
    resources:
        gpu=lambda w: int(STUDY.file.device != "cpu"),
    params:
        spec=spec("train"),
        versions=versions("train"),
        split=subpath(input.split, parent=True),
        check=subpath(input.check, parent=True),
        out=subpath(output[0], parent=True),
        checkpoints=f"{RESULTS}/checkpoints",
    shell:
        "dirconv train --spec {params.spec:q} --split {params.split:q} --check {params.check:q} --out {params.out:q}"
        " --checkpoints {params.checkpoints:q} --log {log:q}"


rule flow:
    input:
        unpack(inputs("flow")),
    output:
        outputs("flow", name="{name}", seed="{seed}"),
    log:
        f"{LOGS}/flow-{{name}}-seed{{seed}}.log",
    conda:
        "../../environment.yml"
    threads: STUDY.file.threads
    resources:
        gpu=lambda w: int(STUDY.file.device != "cpu"),
    params:
        spec=spec("flow"),
        versions=versions("flow"),
        split=subpath(input.split, parent=True),
        start=subpath(input.start, parent=True),
        out=subpath(output[0], parent=True),
        checkpoints=f"{RESULTS}/checkpoints",
    shell:
        "dirconv flow --spec {params.spec:q} --split {params.split:q} --start {params.start:q} --out {params.out:q}"
        " --checkpoints {params.checkpoints:q} --log {log:q}"
