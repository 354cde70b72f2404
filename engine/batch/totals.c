#include "totals.h"

#include "engine/base/check.h"
#include "engine/base/clock.h"

void moot__totals_add(struct moot_totals *totals, const struct moot_row_facts *facts)
{
    if (facts->code == MOOT_OK) {
        totals->succeeded++;
        uint64_t waited_ns = facts->waited_ns < facts->took_ns ? facts->waited_ns : facts->took_ns;
        moot__hist_record(&totals->took, facts->took_ns);
        moot__hist_record(&totals->worked, facts->took_ns - waited_ns);
    } else {
        enum moot_error_class error_class = moot_error_class(facts->code);
        assert((unsigned)error_class < MOOT_TOTALS_CLASSES);
        totals->failed++;
        totals->failed_by_class[error_class]++;
        totals->duplicates += facts->is_duplicate;
    }
    totals->calls += facts->calls;
    totals->retries += facts->retries;
    totals->fallbacks += facts->fallbacks;
    totals->possible_duplicates += facts->possible_duplicate;
    totals->input_tokens += facts->usage.input_tokens;
    totals->output_tokens += facts->usage.output_tokens;
    totals->cached_tokens += facts->usage.cached_tokens;
    totals->cache_written_tokens += facts->usage.cache_written_tokens;
    totals->cost += facts->cost;
}

static void write_quantiles(struct moot_json_writer *w, const char *key,
                            const struct moot_hist *hist)
{
    static const struct {
        const char *name;
        double fraction;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    moot__json_write_member_object_begin(w, key);
    moot__json_write_member_double(w, "mean", moot__hist_mean(hist) / (double)MOOT_NS_PER_MS);
    for (size_t i = 0; i < moot__countof(quantiles); i++)
        moot__json_write_member_double(w, quantiles[i].name,
                                       (double)moot__hist_quantile(hist, quantiles[i].fraction) /
                                           (double)MOOT_NS_PER_MS);
    moot__json_write_member_double(w, "max", (double)hist->max / (double)MOOT_NS_PER_MS);
    moot__json_write_object_end(w);
}

void moot__totals_write(const struct moot_totals *totals, struct moot_json_writer *w)
{
    moot__json_write_member_object_begin(w, "rows");
    moot__json_write_member_u64(w, "total", totals->succeeded + totals->failed);
    moot__json_write_member_u64(w, "succeeded", totals->succeeded);
    moot__json_write_member_u64(w, "failed", totals->failed);
    moot__json_write_member_u64(w, "duplicate_ids", totals->duplicates);
    moot__json_write_object_end(w);
    moot__json_write_member_object_begin(w, "failed_by_class");
    for (unsigned i = 0; i < MOOT_TOTALS_CLASSES; i++)
        if (totals->failed_by_class[i] > 0)
            moot__json_write_member_u64(w, moot_error_class_name((enum moot_error_class)i),
                                        totals->failed_by_class[i]);
    moot__json_write_object_end(w);
    moot__json_write_member_object_begin(w, "calls");
    moot__json_write_member_u64(w, "made", totals->calls);
    moot__json_write_member_u64(w, "retries", totals->retries);
    moot__json_write_member_u64(w, "fallbacks", totals->fallbacks);
    moot__json_write_member_u64(w, "possible_duplicates", totals->possible_duplicates);
    moot__json_write_object_end(w);
    moot__json_write_member_object_begin(w, "tokens");
    moot__json_write_member_u64(w, "input", totals->input_tokens);
    moot__json_write_member_u64(w, "output", totals->output_tokens);
    moot__json_write_member_u64(w, "cached", totals->cached_tokens);
    moot__json_write_member_u64(w, "cache_written", totals->cache_written_tokens);
    moot__json_write_object_end(w);
    moot__json_write_member_double(w, "cost", totals->cost);
    write_quantiles(w, "row_ms", &totals->took);
    write_quantiles(w, "row_ms_at_work", &totals->worked);
}
