#!/bin/sh
# What a lease of a GPU comes to: runs in turn, each to its end or to where SECONDS are up, and their measures packed.
#
#   sh workflow/lease.sh SECONDS FOLDER RUN-SEED ...        e.g.  540 out alexnet-0 alexnet_sgd-0
#
# from the project's root, with what workflow/piece.sh needs in place (STUDY and DATA as for it, from the environment).
# A flow whose time is up ends where it is and is measured, which comes on top of SECONDS. FOLDER gets measures.tar.gz,
# with the tables of training and of the steps, and lease.log; a run that fails ends the lease at once.
set -eu
until=$(($(date +%s) + $1)) out=$2 results=results/${STUDY:-cifar10}
shift 2
mkdir -p "$out"

pack() {
    tar czf "$out/measures.tar.gz" "$results/measures" $(find "$results/logs" "$results/starts" "$results/runs" \
        -name '*.log' -o -name manifest.json -o -name training.parquet -o -name steps.parquet)
}
trap pack EXIT
trap 'exit 143' TERM # a lease that is cut short: what there is, is packed

for name; do
    left=$((until - $(date +%s)))
    test "$left" -gt 20 || break
    ended=0
    LAST=1 sh workflow/piece.sh "${name%-*}" "${name##*-}" "$left" "${STUDY:-cifar10}" "${DATA:-cifar}" || ended=$?
    echo "$(date +%T) $name: $ended, with $((until - $(date +%s))) s left" | tee -a "$out/lease.log"
    test "$ended" = 0 || test "$ended" = 75 || exit "$ended"
done
