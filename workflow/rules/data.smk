rule data:
    output:
        outputs("data", name="{name}"),
    params:
        spec=spec("data"),
        versions=versions("data"),
        out=subpath(output[0], parent=True),
    log:
        f"{LOGS}/data-{{name}}.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv data --spec {params.spec:q} --name {wildcards.name} --out {params.out} 2> >(tee {log} >&2)"
