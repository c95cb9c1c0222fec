rule figure:
    input:
        unpack(lambda w: measures(STUDY.figures[w.figure], STUDY.figure_tables(w.figure))),
    output:
        png=report(
            f"{STUDY.figures_folder}/{{figure}}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}", "study": STUDY.study.study},
        ),
        pdf=f"{STUDY.figures_folder}/{{figure}}.pdf",
        csv=f"{STUDY.figures_folder}/{{figure}}.csv",
    params:
        code=lambda w: _specification.code("figure", {"figure": w.figure}),
        measures=f"{RESULTS}/measures",
        members=lambda w: STUDY.figures[w.figure],
    log:
        f"{LOGS}/figure-{{figure}}.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv figure --figure {wildcards.figure} --measures {params.measures} --out {output.png} {params.members}"
        " 2> >(tee {log} >&2)"
