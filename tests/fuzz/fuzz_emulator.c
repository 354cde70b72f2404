/* A client of the emulator: whatever it sends is answered or refused, and the books stay right. */
#include "bench/emulator/emulator.h"
#include "fuzz.h"

static void consume_all(struct moot_emulator_connection *connection, uint64_t *now_ns)
{
    for (int turns = 0;; turns++) {
        FUZZ_REQUIRE(turns < 10000); /* else it never comes to rest */
        struct moot_view out = moot_emulator_connection_output(connection);
        if (out.len > 0) {
            moot_emulator_connection_consume(connection, out.len, *now_ns);
            continue;
        }
        uint64_t next_ns = moot_emulator_connection_next_ns(connection);
        if (next_ns == UINT64_MAX)
            return;
        if (next_ns > *now_ns)
            *now_ns = next_ns;
        moot_emulator_connection_tick(connection, *now_ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct moot_emulator_options options = moot_emulator_options_default();
    struct moot_emulator *emulator;
    struct moot_emulator_connection *connection;
    struct moot_rng cuts;
    uint64_t now_ns = 1;
    unsigned ways = size ? data[0] : 0;
    options.api_key = ways & 1 ? "key" : NULL;
    options.answer = ways & 2 ? MOOT_EMULATOR_TOOL : MOOT_EMULATOR_ECHO;
    options.aws_access_key = ways & 4 ? "AKID" : NULL;
    options.aws_secret_key = "secret";
    options.client_id = ways & 8 ? "me" : NULL;
    options.client_secret = "x";
    struct moot_view bytes = fuzz_rest(data, size);
    fuzz_cuts(&cuts, data, size);
    FUZZ_REQUIRE(moot_emulator_new(&options, NULL, &emulator) == MOOT_OK);
    FUZZ_REQUIRE(moot_emulator_connection_new(emulator, now_ns, &connection) == MOOT_OK);
    for (size_t at = 0; at < bytes.len;) {
        size_t room = moot_emulator_connection_room(connection);
        size_t len = fuzz_cut(&cuts, bytes.len - at);
        if (room == 0) {
            consume_all(connection, &now_ns);
            if (moot_emulator_connection_room(connection) == 0)
                break;
            continue;
        }
        len = len < room ? len : room;
        moot_emulator_connection_feed(connection, moot__view(bytes.ptr + at, len), now_ns);
        at += len;
    }
    moot_emulator_connection_eof(connection, now_ns);
    consume_all(connection, &now_ns);
    moot_emulator_connection_free(connection);
    const struct moot_emulator_ledger *ledger = moot_emulator_ledger(emulator);
    FUZZ_REQUIRE(ledger->in_flight == 0 && ledger->billed <= ledger->requests);
    moot_emulator_free(emulator);
    return 0;
}
