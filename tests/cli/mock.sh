# The emulator as a program: URL first, ledger last, the CA written, Ctrl-C and SIGTERM ending it.
. "$(dirname "$0")/lib.sh"

start_mock --surface openai --seed 7
case $url in
http://127.0.0.1:*/v1) ;;
*) fail "base URL: $url" ;;
esac
if command -v curl >/dev/null; then
    answer=$(curl -sS "$url/chat/completions" -H 'content-type: application/json' \
        -d '{"model":"m","messages":[{"role":"user","content":"scones?"}]}')
    case $answer in
    *'m heard: scones?'*) ;;
    *) fail "answer: $answer" ;;
    esac
fi
stop_mock
case $ledger in
'{"connections":'*'"faults":{}}') ;;
*) fail "ledger: $ledger" ;;
esac

start_mock --tls --ca-out "$work/ca.pem"
case $url in
https://localhost:*) ;;
*) fail "base URL: $url" ;;
esac
grep -q "BEGIN CERTIFICATE" "$work/ca.pem" || fail "no authority in ca.pem"
stop_mock INT

# Closed standard descriptors do no harm.
"$moot" --version <&- >&- 2>&- || [ $? -eq 2 ] || fail "closed descriptors: exit $?"

report
