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
        "dirconv data --spec {params.spec:q} --name {wildcards.name:q} --out {params.out:q} 2> >(tee {log:q} >&2)"
