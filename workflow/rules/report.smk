rule audit:
    input:
        claims=[path for name in STUDY.claims for path in outputs("claim", name=name)],
        figures=FIGURES,
        calibration=outputs("calibrate"),
        measures=[f"{RESULTS}/measures/{member}/manifest.json" for member in STUDY.shown],
    output:
        json=f"{RESULTS}/audit.json",
        md=f"{RESULTS}/audit.md",
        html=report(f"{RESULTS}/audit.html", caption="../report/audit.rst", category="Audit"),
    log:
        f"{LOGS}/audit.log",
    conda:
        "../../environment.yml"
    params:
        study=STUDY_FILE,
        overrides=json.dumps({key: value for key, value in OVERRIDES.items() if key != "images"}),
        title=STUDY.file.title,
        # numbers that have moved mark artifacts as stale without making them again, so the page depends on the versions
        versions=[STUDY.job("audit").versions, *(json.dumps(numerics.raised(STUDY.versions(m))) for m in STUDY.shown)],
    shell:
        "dirconv audit --study {params.study:q} --set {params.overrides:q} 2> >(tee {log:q} >&2)"


rule notebook:
    input:
        notebook="notebooks/read_an_audit.ipynb",
        audit=f"{RESULTS}/audit.json",
    output:
        report(f"{RESULTS}/notebook.html", caption="../report/notebook.rst", category="Audit"),
    log:
        f"{LOGS}/notebook.log",
    conda:
        "../../environment.yml"
    shell:
        'DIRCONV_AUDIT="$(realpath {input.audit:q})" jupyter nbconvert --execute --to html'
        ' --output-dir "$(dirname {output:q})"'
        " --output notebook.html --HTMLExporter.mathjax_url= --HTMLExporter.require_js_url= {input.notebook:q} > {log:q} 2>&1"


# last: the page is written whatever the verdicts are; this fails if a control or a theorem did not come out as it must
rule check:
    input:
        audit=rules.audit.output.json,
        page=rules.audit.output.html,
        notebook=rules.notebook.output,
        figures=FIGURES,
    output:
        f"{RESULTS}/check.json",
    log:
        f"{LOGS}/check.log",
    conda:
        "../../environment.yml"
    shell:
        "dirconv check --audit {input.audit:q} --out {output:q} 2> >(tee {log:q} >&2)"
