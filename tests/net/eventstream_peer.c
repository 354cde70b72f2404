/* Our side of tests/interop/eventstream.py. `write` prints messages, a line each: the bytes in hex.
 * `read` takes such lines and prints what we make of each: kind, name, content type and payload in
 * hex, or the error's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "net/eventstream.h"

#define MESSAGES   300
#define LINE_BYTES (1 << 20)

static void put_hex(struct moot_view text)
{
    for (size_t i = 0; i < text.len; i++)
        printf("%02x", (unsigned)(unsigned char)text.ptr[i]);
}

static size_t draw(struct moot_rng *rng, size_t most, char *out)
{
    size_t len = (size_t)moot__rng_below(rng, most + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(' ' + (char)moot__rng_below(rng, 95));
    return len;
}

/* Names that are all different, and any bytes for a payload. */
static int write_message(struct moot_rng *rng, struct moot_buf *out)
{
    struct moot_eventstream_header headers[8];
    char names[8][16], values[8][300], payload[2000];
    size_t count = (size_t)moot__rng_below(rng, moot__countof(headers) + 1);
    for (size_t i = 0; i < count; i++) {
        names[i][0] = (char)('a' + (char)i);
        headers[i].name = moot__view(names[i], 1 + draw(rng, 15, names[i] + 1));
        headers[i].value = moot__view(values[i], draw(rng, sizeof values[i], values[i]));
    }
    size_t len = (size_t)moot__rng_below(rng, sizeof payload + 1);
    for (size_t i = 0; i < len; i++)
        payload[i] = (char)(unsigned char)moot__rng_below(rng, 256);
    return moot__eventstream_write(out, headers, count, moot__view(payload, len));
}

static int write_messages(void)
{
    struct moot_rng rng;
    int rc = MOOT_OK;
    moot__rng_init(&rng, 1);
    for (size_t i = 0; i < MESSAGES && !rc; i++) {
        struct moot_buf out;
        moot__buf_init(&out, NULL, LINE_BYTES);
        rc = write_message(&rng, &out);
        put_hex(moot__buf_view(&out));
        printf("\n");
        moot__buf_deinit(&out);
    }
    return rc;
}

static int put_event(void *context, const struct moot_eventstream_event *event)
{
    static const char *const kinds[] = {"event", "exception", "error"};
    (void)context;
    printf("%s ", kinds[event->kind]);
    put_hex(event->name);
    printf("|");
    put_hex(event->content_type);
    printf("|");
    put_hex(event->payload);
    return MOOT_OK;
}

static void read_message(char *line)
{
    struct moot_eventstream_parser parser;
    size_t len = strcspn(line, "\n") / 2;
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = {line[2 * i], line[2 * i + 1], '\0'};
        line[i] = (char)strtoul(pair, NULL, 16);
    }
    moot__eventstream_init(&parser, NULL);
    int rc = moot__eventstream_feed(&parser, moot__view(line, len), put_event, NULL);
    if (!rc && moot__eventstream_finish(&parser))
        rc = MOOT_ETRUNCATED;
    printf("%s\n", rc ? moot_error_name(rc) : "");
    moot__eventstream_deinit(&parser);
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES];
    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return write_messages() != MOOT_OK;
    while (fgets(line, sizeof line, stdin))
        read_message(line);
    return 0;
}
