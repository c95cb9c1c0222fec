rule claim:
    input:
        unpack(inputs("claim")),
    output:
        outputs("claim", name="{name}"),
    log:
        f"{LOGS}/claim-{{name}}.log",
    conda:
        "../../environment.yml"
    params:
        entry=spec("claim"),
        versions=versions("claim"),
        registry=STUDY.file.registry,
        measures=f"{RESULTS}/measures",
        members=lambda w: STUDY.evidence(w.name),
    shell:
        "dirconv claim --claim {wildcards.name:q} --registry {params.registry:q} --measures {params.measures:q}"
        " --out {output:q} {params.members:q} 2> >(tee {log:q} >&2)"


# how often the verdict rules are wrong on trajectories whose answer is known
rule calibration:
    output:
        outputs("calibrate"),
    log:
        f"{LOGS}/calibration.log",
    conda:
        "../../environment.yml"
    params:
        thresholds=json.dumps(
            {name: vars(values) for name, values in calibration.thresholds(registry.load(STUDY.file.registry)).items()}
        ),
        versions=STUDY.job("calibrate").versions,
        registry=STUDY.file.registry,
    shell:
        "dirconv calibrate --registry {params.registry:q} --out {output:q} 2> >(tee {log:q} >&2)"


# a target for each claim: the verdict and the figure that shows it
for name, entry in STUDY.claims.items():

    rule:
        name:
            f"claim_{name}"
        input:
            outputs("claim", name=name),
            f"{STUDY.figures_folder}/{entry.figure}.png",
        localrule: True
