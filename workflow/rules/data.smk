rule data:
    output:
        outputs("data", name="{name}"),
    log:
        f"{LOGS}/data-{{name}}.log",
    conda:
        "../../environment.yml"
    params:
        spec=spec("data"),
        versions=versions("data"),
        out=subpath(output[0], parent=True),
    shell:
        "dirconv data --spec {params.spec:q} --name {wildcards.name:q} --out {params.out:q} 2> >(tee {log:q} >&2)"
