#!/bin/sh
# The next piece of one run, of at most SECONDS, on a machine that has little else than torch (docs/gpu-runs.md):
#
#   sh workflow/piece.sh RUN SEED SECONDS [STUDY [DATA]]
#
# from the project's root, again and again while it ends with 75. It needs src/, and below results/STUDY/ the prepared
# split data/DATA, the specification specifications/RUN-SEED.json and the check measures/RUN/homogeneity.
# LAST=1 before it: a flow whose time is up ends where it is, and is measured (its claims are then inconclusive).
set -eu
run=$1 seed=$2 until=$(($(date +%s) + $3)) results=results/${4:-cifar10} data=${5:-cifar}
export PYTHONPATH=src CUBLAS_WORKSPACE_CONFIG=:4096:8
start=$results/starts/$run/seed$seed path=$results/runs/$run/seed$seed measures=$results/measures/$run

job() {
    stage=$1
    shift
    python3 -m dirconv "$stage" --spec "$results/specifications/$run-$seed.json" --split "$results/data/$data" "$@"
}

piece() {
    job "$@" --checkpoints "$results/checkpoints" --log "$results/logs/$run-$seed.log" --seconds $((until - $(date +%s)))
}

test -e "$start/manifest.json" || piece train --check "$measures/homogeneity" --out "$start"
test -e "$path/manifest.json" || piece flow ${LAST:+--last} --start "$start" --out "$path"
test "$measures/seed$seed/manifest.json" -nt "$path/manifest.json" || # also of a run that went on after LAST=1
    job measure --start "$start" --trajectory "$path" --out "$measures/seed$seed"
