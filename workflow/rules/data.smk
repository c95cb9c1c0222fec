rule data:
    output:
        f"{RESULTS}/data/{{dataset}}/split.safetensors",
        f"{RESULTS}/data/{{dataset}}/manifest.json",
    params:
        spec=lambda w: as_json(_specification.what(STUDY.data_options(w.dataset))),
        code=lambda w: _specification.code("data", STUDY.data_options(w.dataset)),
        out=subpath(output[0], parent=True),
    log:
        f"{LOGS}/data-{{dataset}}.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv data --spec {params.spec:q} --name {wildcards.dataset} --out {params.out} 2> >(tee {log} >&2)"
