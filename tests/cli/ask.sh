# One question through both roles of a real configuration, against the emulator.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_config.sh"

start_mock --api-key sesame
write_config "$url"
printf '    api_key: env:SCONE_KEY\n' >>"$work/agent.yaml"
SCONE_KEY=sesame
export SCONE_KEY

expect 0 ask -c "$work/agent.yaml" what is a scone
[ "$(cat "$work/out")" = "j-model heard: Can you make the answer better?" ] ||
    fail "standard output holds more than the answer: $(cat "$work/out")"
expect 0 ask --show-all -c "$work/agent.yaml" "what is a scone"
has out "o-model heard: what is a scone"
has err "[oracle]"
expect 0 ask --json --trace "$work/trace.jsonl" -c "$work/agent.yaml" "what is a scone"
has out '"text":"j-model heard: Can you make the answer better?"'
has out '"role":"oracle"'
has out '"attempts":1'
has trace.jsonl '"name"'
if grep -q "scone\|sesame" "$work/trace.jsonl"; then fail "content or key in the trace"; fi
expect 0 ask --trace "$work/trace.jsonl" --trace-content -c "$work/agent.yaml" "what is a scone"
if grep -q "sesame" "$work/trace.jsonl"; then fail "the key is in the trace"; fi
echo "from a pipe" | "$moot" ask --show-all -c "$work/agent.yaml" >"$work/out" 2>/dev/null ||
    fail "a question from standard input"
has out "o-model heard: from a pipe"
expect 1 ask -c "$work/agent.yaml" -
has err "the question is empty"

SCONE_KEY=key-of-another-house
expect 1 ask -c "$work/agent.yaml" scone
has err "moot: no answer:"
if grep -q "another-house" "$work/err"; then fail "the key is in the message"; fi
expect 1 ask --json -c "$work/agent.yaml" scone
has out '"error":{"code":"EAUTH"'
stop_mock
case $ledger in
*'"answered":10,'*) ;;
*) fail "ledger: $ledger" ;;
esac

# TLS: only with the emulator's own authority.
start_mock --tls --ca-out "$work/ca.pem"
write_config "$url"
expect 0 ask --ca "$work/ca.pem" -c "$work/agent.yaml" scone
has out "j-model heard"
# Refused keys and certificates are the configuration's, in every command.
printf '{"id":"a","question":"scone"}\n' >"$work/in.jsonl"
expect 1 ask -c "$work/agent.yaml" scone
has err "certificate"
expect 1 batch -c "$work/agent.yaml" --progress off "$work/in.jsonl" -o "$work/out.jsonl"
has err "certificate"
expect 1 ask --ca "$work/agent.yaml" -c "$work/agent.yaml" scone
stop_mock

# Ctrl-C while the answer is on its way.
start_mock --answers generated --tokens 1000 --inter-token 1s
write_config "$url"
mkfifo "$work/answer"
"$moot" ask --show-all --trace "$work/trace.jsonl" -c "$work/agent.yaml" scone \
    >"$work/answer" 2>/dev/null &
ask_pid=$!
exec 8<"$work/answer"
dd bs=1 count=1 <&8 >/dev/null 2>&1 # the first token is there
kill -TERM "$ask_pid"
wait "$ask_pid"
code=$?
[ "$code" -eq 130 ] || fail "interrupted: exit $code, not 130"
exec 8<&-
stop_mock

report
