# A file of rows through the real program: results, resume, thresholds, Ctrl-C, exit codes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_config.sh"

for i in 1 2 3 4 5; do
    printf '{"id":"row-%s","question":"What is scone %s?"}\n' $i $i
done >"$work/in.jsonl"

count() {
    wc -l <"$work/$1" | tr -d ' '
}

start_mock --fault 400:~"scone 4"
write_config "$url"
expect 2 batch -c "$work/agent.yaml" --progress plain --trace "$work/trace.jsonl" \
    "$work/in.jsonl" -o "$work/a.jsonl"
has err "4 rows answered, 1 failed"
has err "a.errors.jsonl says why, --retry-failed"
has a.jsonl "j-model heard: Can you make the answer better?"
[ "$(count a.jsonl)" -eq 4 ] || fail "a.jsonl has $(count a.jsonl) lines"
[ "$(count a.errors.jsonl)" -eq 1 ] || fail "a.errors.jsonl has $(count a.errors.jsonl) lines"
[ "$(count trace.jsonl)" -ge 28 ] || fail "trace.jsonl has $(count trace.jsonl) spans"

# Again: nothing is asked that was answered.
expect 2 batch -c "$work/agent.yaml" --progress off --json "$work/in.jsonl" -o "$work/a.jsonl"
has out '"status":"some_failed","rows_known":5'
[ ! -s "$work/err" ] || fail "--progress off still writes: $(cat "$work/err")"
expect 0 batch -c "$work/agent.yaml" --limit 3 "$work/in.jsonl" -o "$work/b.jsonl"
[ "$(count b.jsonl)" -eq 3 ] || fail "b.jsonl has $(count b.jsonl) lines"
expect 0 batch -c "$work/agent.yaml" --shard 1/5 --progress json "$work/in.jsonl" \
    -o "$work/s.jsonl"
[ "$(count s.jsonl)" -eq 1 ] || fail "s.jsonl has $(count s.jsonl) lines"
has err '"status":"complete"'
expect 0 batch -c "$work/agent.yaml" --limit 3 --rate default:rpm=6000,itpm=600k --stream \
    --concurrency 2 --loops 2 "$work/in.jsonl" -o "$work/c.jsonl"
stop_mock

# Wrong usage.
expect 1 batch -c "$work/agent.yaml" "$work/in.jsonl"
has err "give -o FILE"
expect 1 batch -c "$work/agent.yaml" "$work/in.jsonl" -o -
has err "need a file"
expect 1 batch -c "$work/agent.yaml" -o "$work/d.jsonl"
has err "FILE is missing"
expect 1 batch -c "$work/agent.yaml" --rate nobody:rpm=5 "$work/in.jsonl" -o "$work/d.jsonl"
has err "--rate names a provider"
expect 1 batch -c "$work/agent.yaml" --loops 0 "$work/in.jsonl" -o "$work/d.jsonl"
has err "--loops must be from 1"
expect 1 batch -c "$work/agent.yaml" "$work/nowhere.jsonl" -o "$work/d.jsonl"
has err "nowhere.jsonl"

# A threshold.
start_mock --fault 400
write_config "$url"
expect 3 batch -c "$work/agent.yaml" --max-errors 1 --concurrency 1 "$work/in.jsonl" \
    -o "$work/t.jsonl"
stop_mock

# Ctrl-C twice while every answer is on its way: at once, and resumable.
start_mock --answers generated --tokens 1000 --inter-token 1s --first-token 1h --latency 1h
write_config "$url"
mkfifo "$work/progress"
"$moot" batch -c "$work/agent.yaml" --progress json --trace "$work/trace.jsonl" \
    "$work/in.jsonl" -o "$work/i.jsonl" \
    2>"$work/progress" &
batch_pid=$!
exec 8<"$work/progress"
read -r line <&8 || fail "no line of progress" # the run is under way
kill -TERM "$batch_pid"
while read -r line <&8; do # draining: told with the next line
    case $line in
    *'"draining":true'*) break ;;
    esac
done
kill -TERM "$batch_pid"
cat <&8 >"$work/rest"
wait "$batch_pid"
code=$?
[ "$code" -eq 130 ] || fail "interrupted: exit $code, not 130"
has rest '"status":"interrupted"'
exec 8<&-
stop_mock
start_mock
write_config "$url"
expect 0 batch -c "$work/agent.yaml" "$work/in.jsonl" -o "$work/i.jsonl"
[ "$(count i.jsonl)" -eq 5 ] || fail "i.jsonl has $(count i.jsonl) lines"
stop_mock

report
