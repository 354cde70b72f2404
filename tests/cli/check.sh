# What a run would send and cost, and every problem, without sending anything.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_config.sh"

write_config http://127.0.0.1:9
expect 0 check -c "$work/agent.yaml"
has out "2 calls a conversation"
has out "Call 1: oracle = o-model at http://127.0.0.1:9"
has out "assistant: {answer of oracle}"
has out "Cost at most: \$"

printf '{"id":"a","question":"What is a scone?"}\n{"id":"b","question":"Why?"}\n' >"$work/in.jsonl"
expect 0 check -c "$work/agent.yaml" "$work/in.jsonl"
has out "user: What is a scone?"
has out "Rows: 2"
has out "Calls: 4"
expect 0 check --json -c "$work/agent.yaml" "$work/in.jsonl"
has out '"sound":true,"rows":2,"rows_wrong":0,"calls":4'
expect 0 check --limit 1 -c "$work/agent.yaml" "$work/in.jsonl"
has out "Rows: 1"

printf '{"id":"a","question":"again"}\nno json\n{"id":"c"}\n' >>"$work/in.jsonl"
expect 1 check -c "$work/agent.yaml" "$work/in.jsonl"
has err "in.jsonl:3: the id 'a' was used in line 1 already"
has err "in.jsonl:4: "
has err "in.jsonl:5: "
has out "Rows: 5, of which 3 cannot be asked"
printf 'id,question\nx,"a, b"\ny,why\n' >"$work/in.csv"
expect 0 check -c "$work/agent.yaml" "$work/in.csv"
has out "user: a, b"
has out "Rows: 2"

: >"$work/empty.jsonl"
expect 1 check -c "$work/agent.yaml" "$work/empty.jsonl"
has err "there is no row"
expect 1 check -c "$work/agent.yaml" "$work/nowhere.jsonl"
has err "no such file"
expect 1 check -c "$work/nowhere.yaml"
has err "nowhere.yaml"
expect 1 check
has err "give -c FILE or set MOOT_CONFIG"
MOOT_CONFIG="$work/agent.yaml"
export MOOT_CONFIG
expect 0 check
unset MOOT_CONFIG

# A parameter that is almost one of those we know is told, and sent all the same.
sed 's/max_tokens: 100/max_tokens: 100, temprature: 0.3, house_style: 1/' "$work/agent.yaml" >"$work/odd.yaml"
expect 0 check -c "$work/odd.yaml"
has err "odd.yaml:2:74: unknown parameter 'temprature'; it is sent as it is; did you mean 'temperature'?"
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one warning"
expect 0 check -c "$work/agent.yaml"
[ ! -s "$work/err" ] || fail "a warning about nothing"

# The authorities are read where a provider is asked over TLS, as by the commands that ask.
sed 's/http:/https:/' "$work/agent.yaml" >"$work/tls.yaml"
expect 1 check -c "$work/tls.yaml" --ca "$work/agent.yaml"
has err "agent.yaml holds no readable CA certificate"
expect 1 check -c "$work/tls.yaml" --ca "$work/nowhere.pem"
has err "nowhere.pem"
start_mock --tls --ca-out "$work/ca.pem"
expect 0 check -c "$work/tls.yaml" --ca "$work/ca.pem"
stop_mock

sed 's/  judge:/  jduge:/' "$work/agent.yaml" >"$work/wrong.yaml"
expect 1 check -c "$work/wrong.yaml"
has err "judge"
printf '    api_key: "sk-not-a-real-key-000000"\n' >>"$work/agent.yaml"
expect 1 check -c "$work/agent.yaml"
has err "agent.yaml:9:"
if grep -q "sk-not" "$work/err"; then fail "the key is in the message"; fi

report
