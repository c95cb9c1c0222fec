rule figure:
    input:
        unpack(inputs("figure")),
    output:
        png=report(
            outputs("figure", name="{name}")[0],
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{name}", "study": STUDY.file.study},
        ),
        others=outputs("figure", name="{name}")[1:],
    log:
        f"{LOGS}/figure-{{name}}.log",
    conda:
        "../../environment.yml"
    params:
        versions=versions("figure"),
        measures=f"{RESULTS}/measures",
        members=lambda w: STUDY.figures[w.name],
    shell:
        "dirconv figure --figure {wildcards.name:q} --measures {params.measures:q} --out {output.png:q} {params.members:q}"
        " 2> >(tee {log:q} >&2)"
