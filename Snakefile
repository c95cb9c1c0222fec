# The entry: `snakemake --cores all` finds this file first. The workflow itself stands where the Snakemake workflow
# catalogue looks for it. A bare include would drop the default target.
include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
