/* The list of models, and our own ledger and log. */
#include "document.h"

#include "engine/base/check.h"
#include "engine/base/json_write.h"
#include "shape.h"

int moot__emulator_document_models(const struct moot_emulator *emulator, struct moot_buf *out)
{
    struct moot_json_writer w;
    const char *model = emulator->options.model;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "object", "list");
    moot__json_write_member_array_begin(&w, "data");
    moot__json_write_object_begin(&w);
    moot__json_write_member_str(&w, "id", model ? model : "emulator");
    moot__json_write_member_str(&w, "object", "model");
    moot__json_write_member_u64(&w, "created", MOOT_EMULATOR_GOLDEN_CREATED);
    moot__json_write_member_str(&w, "owned_by", "moot");
    moot__json_write_object_end(&w);
    moot__json_write_array_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_document_ledger(const struct moot_emulator *emulator, struct moot_buf *out)
{
    const struct moot_emulator_ledger *ledger = &emulator->ledger;
    const struct {
        const char *name;
        uint64_t count;
    } rows[] = {{"connections", ledger->connections}, {"requests", ledger->requests},
                {"answered", ledger->answered},       {"streams", ledger->streams},
                {"throttled", ledger->throttled},     {"refused", ledger->refused},
                {"grants", ledger->grants},           {"abandoned", ledger->abandoned},
                {"in_flight", ledger->in_flight},     {"in_flight_max", ledger->in_flight_max},
                {"billed", ledger->billed},           {"tokens_in", ledger->tokens_in},
                {"tokens_out", ledger->tokens_out}};
    struct moot_json_writer w;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    for (size_t i = 0; i < moot__countof(rows); i++)
        moot__json_write_member_u64(&w, rows[i].name, rows[i].count);
    moot__json_write_member_object_begin(&w, "faults");
    for (unsigned i = 1; i < MOOT_EMULATOR_FAULTS; i++)
        if (ledger->faults[i])
            moot__json_write_member_u64(
                &w, moot_emulator_fault_info((enum moot_emulator_fault)i)->name, ledger->faults[i]);
    moot__json_write_object_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}

int moot__emulator_document_log(const struct moot_emulator *emulator, struct moot_buf *out)
{
    struct moot_json_writer w;
    struct moot_emulator_log_entry entry;
    moot__json_write_init(&w, out);
    moot__json_write_object_begin(&w);
    moot__json_write_member_array_begin(&w, "columns");
    moot__json_write_str(&w, "request");
    moot__json_write_str(&w, "token");
    moot__json_write_str(&w, "planned_ns");
    moot__json_write_str(&w, "sent_ns");
    moot__json_write_array_end(&w);
    moot__json_write_member_array_begin(&w, "rows");
    for (size_t i = 0; moot_emulator_log(emulator, i, &entry); i++) {
        moot__json_write_array_begin(&w);
        moot__json_write_u64(&w, entry.request);
        moot__json_write_u64(&w, entry.token);
        moot__json_write_u64(&w, entry.planned_ns);
        moot__json_write_u64(&w, entry.sent_ns);
        moot__json_write_array_end(&w);
    }
    moot__json_write_array_end(&w);
    moot__json_write_object_end(&w);
    return moot__json_write_finish(&w);
}
