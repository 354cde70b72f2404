/* The list of metrics as a table, for whoever prints all of them. */
#include "metrics.h"

#include <string.h>

const struct moot_metric_info moot__metric_infos[MOOT_METRICS] = {
#define X(field, kind, meaning)                                                                    \
    {#field, meaning, MOOT_METRIC_##kind, offsetof(struct moot_metrics, field)},
    MOOT_METRIC_MAP(X)
#undef X
};

uint64_t moot__metrics_get(const struct moot_metrics *metrics, const struct moot_metric_info *info)
{
    uint64_t value;
    memcpy(&value, (const char *)metrics + info->offset, sizeof value);
    return value;
}

#define ADD_COUNTER(total, one) ((total) += (one))
#define ADD_GAUGE(total, one)   ((total) += (one))
#define ADD_MAXIMUM(total, one) ((total) = (total) > (one) ? (total) : (one))

void moot__metrics_add(struct moot_metrics *total, const struct moot_metrics *one)
{
#define X(field, kind, meaning) ADD_##kind(total->field, one->field);
    MOOT_METRIC_MAP(X)
#undef X
}
