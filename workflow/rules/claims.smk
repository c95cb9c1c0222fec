rule claim:
    input:
        unpack(lambda w: measures(STUDY.inputs(w.claim), STUDY.claims[w.claim].tables)),
    output:
        f"{RESULTS}/claims/{{claim}}.json",
    params:
        entry=lambda w: as_json(registry.entry(STUDY.claims[w.claim])),
        code=lambda w: _specification.code("claim", registry.entry(STUDY.claims[w.claim])),
        registry=STUDY.study.registry,
        measures=f"{RESULTS}/measures",
        members=lambda w: STUDY.inputs(w.claim),
    log:
        f"{LOGS}/claim-{{claim}}.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv claim --claim {wildcards.claim} --registry {params.registry} --measures {params.measures}"
        " --out {output} {params.members} 2> >(tee {log} >&2)"


# how often the verdict rules are wrong on trajectories whose answer is known
rule calibration:
    output:
        f"{RESULTS}/calibration.json",
    params:
        thresholds=as_json(
            {name: vars(values) for name, values in calibration.thresholds(registry.load(STUDY.study.registry)).items()}
        ),
        code=_specification.code("calibrate", calibration.SPECIFICATION),
        registry=STUDY.study.registry,
    log:
        f"{LOGS}/calibration.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv calibrate --registry {params.registry} --out {output} 2> >(tee {log} >&2)"


# a target for each claim: the verdict and the figure that shows it
for name, entry in STUDY.claims.items():

    rule:
        name:
            f"claim_{name}"
        localrule: True
        input:
            f"{RESULTS}/claims/{name}.json",
            f"{STUDY.figures_folder}/{entry.figure}.png",
