# Help, and what is said about wrong usage: always exit 1, the option named, the way out.
. "$(dirname "$0")/lib.sh"

expect 0 --version
has out "moot 0."
expect 0 --help
has out "moot: conversations between LLM agents"
has out "130 interrupted"
for command in $(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' "$work/out"); do
    expect 0 "$command" --help
    has out "Usage: moot $command"
    has out "--help"
    awk 'length > 100 { exit 1 }' "$work/out" || fail "moot $command --help is too wide"
    expect 1 "$command" --no-such-option
    has err "moot: unknown option --no-such-option"
done

expect 0 help batch
has out "Usage: moot batch"
expect 1 help bacth
has err "did you mean 'batch'?"
expect 1
has err "Usage: moot COMMAND"
expect 1 mokc
has err "moot: unknown command 'mokc'; did you mean 'mock'?"
expect 1 frobnicate
has err "moot --help"
expect 1 check a b
has err "'b' is too much"
expect 1 mock --fualt 429:1%
has err "did you mean --fault?"
expect 1 mock --port 99999
has err "--port must be at most 65535"
expect 1 mock --fault 429:often
has err "--fault"
expect 1 mock --fault teapot
has err "--fault"
expect 1 mock --hints soon
has err "seconds, float, date"
expect 1 mock --ca-out "$work/ca.pem"
has err "add --tls"
expect 1 mock --answers "$work/nowhere"
has err "No such file"
printf 'scones\tWith jam.\nno tab here\n' >"$work/answers"
expect 1 mock --answers "$work/answers"
has err "answers:2: no tab"

report
