#!/bin/sh
# Check the model of the trace ring exhaustively, and that each of its mutants fails.
# usage: ring_model.sh MODEL CC DIRECTORY; exits 77 where spin is missing.
set -u
model=$1 cc=$2 dir=$3

command -v spin >/dev/null || { echo "skipped: spin is not installed"; exit 77; }
rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || exit 1

# Build and run the verifier for one set of definitions; its report is in ./report.
verify() {
    spin -a "$@" "$model" >spin.log 2>&1 && "$cc" -O1 -w -DSAFETY -o pan pan.c ||
        { cat spin.log; exit 1; }
    ./pan -m10000 >report 2>&1
    if grep -q "max search depth" report; then
        cat report
        exit 1
    fi
}

for size in "-DCAP=4 -DRECORDS=5" "-DCAP=6 -DRECORDS=4"; do
    # shellcheck disable=SC2086 # two definitions
    verify $size
    if ! grep -q 'errors: 0' report; then
        echo "the model fails with $size"
        cat report
        exit 1
    fi
    echo "$size: $(grep 'states, stored' report | tr -s ' ')"
done

for mutant in PUBLISH_FIRST RELEASE_FIRST ROOM_PLUS_ONE PAD_ALONE SEEN_AHEAD; do
    verify "-D$mutant"
    if ! grep -q 'assertion violated' report; then
        echo "the mutant $mutant passes: the model does not see what it breaks"
        exit 1
    fi
    echo "$mutant: refuted, as it should be"
done
