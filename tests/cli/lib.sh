# Shared by the scenarios: run the program, compare, and start an emulator to talk to.
set -u
moot=$1
work=$(mktemp -d)
mock_pid=
failures=0

finish() {
    [ -z "$mock_pid" ] || kill -KILL "$mock_pid" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# expect CODE WORD...: run the program; output in $work/out and $work/err.
expect() {
    expected=$1
    shift
    "$moot" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    if [ "$code" -ne "$expected" ]; then
        fail "moot $*: exit $code, not $expected"
        sed 's/^/    /' "$work/out" "$work/err" >&2
    fi
}

# has FILE TEXT
has() {
    grep -qF -- "$2" "$work/$1" || {
        fail "no '$2' in $1:"
        sed 's/^/    /' "$work/$1" >&2
    }
}

# start_mock OPTION...: the base URL is then in $url. Its output goes on in descriptor 7.
start_mock() {
    rm -f "$work/pipe"
    mkfifo "$work/pipe"
    "$moot" mock "$@" >"$work/pipe" 2>"$work/mock_err" &
    mock_pid=$!
    exec 7<"$work/pipe"
    url=
    read -r url <&7 || {
        fail "the emulator did not start"
        cat "$work/mock_err" >&2
    }
}

# stop_mock [SIGNAL]: the ledger is then in $ledger.
stop_mock() {
    kill "-${1:-TERM}" "$mock_pid"
    ledger=
    read -r ledger <&7
    exec 7<&-
    wait "$mock_pid" || fail "the emulator ended with $?"
    mock_pid=
}

report() {
    [ "$failures" -eq 0 ] || exit 1
    exit 0
}
