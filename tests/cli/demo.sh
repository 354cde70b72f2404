# The main job end to end over TLS: no key, no network, nothing left behind.
. "$(dirname "$0")/lib.sh"

TMPDIR=$work/tmp
export TMPDIR
mkdir "$TMPDIR"
# Neither of these may reach the demo.
DATABRICKS_HOST=https://nowhere.invalid
DATABRICKS_TOKEN=sesame-of-the-environment
export DATABRICKS_HOST DATABRICKS_TOKEN

expect 0 demo --first-token 0 --inter-token 0 --trace "$work/trace.jsonl"
has out "An emulated provider is at https://localhost:"
has out "[oracle]"
has out "[judge]"
has out "There are 35 bridges over the Seine in Paris."
has out "I have read the question and the answer before me."
has out "3 of 3 questions answered: 6 calls over TLS"
has out "21 spans in $work/trace.jsonl"
[ ! -s "$work/err" ] || fail "standard error: $(cat "$work/err")"
[ "$(wc -l <"$work/trace.jsonl" | tr -d ' ')" -eq 21 ] || fail "trace.jsonl has not 21 lines"
if grep -q "sesame" "$work/out" "$work/trace.jsonl"; then fail "a key came out"; fi
[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"

expect 0 demo --first-token 0 --inter-token 0 --json
[ "$(grep -c '"finish_reason":"stop","usage"' "$work/out")" -eq 3 ] || fail "three lines of JSON"

# Ctrl-C while the oracle thinks.
mkfifo "$work/pipe"
"$moot" demo --first-token 1h >"$work/pipe" 2>/dev/null &
demo_pid=$!
exec 8<"$work/pipe"
while read -r line <&8; do
    case $line in
    *'?'*) break ;;
    esac
done
kill -TERM "$demo_pid"
cat <&8 >"$work/rest"
wait "$demo_pid"
code=$?
[ "$code" -eq 130 ] || fail "interrupted: exit $code, not 130"
has rest "0 of 3 questions answered"
[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"

report
