#include "http1_vectors.h"

#include "net/http1.h"

size_t http1_vector_count(void)
{
    return http1_body_vector_count + http1_head_vector_count;
}

const struct http1_vector *http1_vector_at(size_t index)
{
    return index < http1_body_vector_count ? &http1_body_vectors[index]
                                           : &http1_head_vectors[index - http1_body_vector_count];
}

bool http1_vector_is_request(const struct http1_vector *vector)
{
    return vector->request != ALONE && vector->request != HEAD && vector->request != CONNECT;
}

unsigned http1_vector_flags(const struct http1_vector *vector)
{
    if (vector->request == HEAD)
        return MOOT_HTTP1_NO_BODY;
    return vector->request == CONNECT ? MOOT_HTTP1_CONNECT : 0;
}

/* The inside of "@3*ab@". */
static int write_repeated(struct moot_view inside, struct moot_buf *out)
{
    size_t star = moot__view_find(inside, '*', 0);
    struct moot_view count = {inside.ptr, star}, text = {inside.ptr + star + 1, 0};
    uint64_t times = 0;
    text.len = inside.len - star - 1;
    int rc = moot__view_to_u64(count, &times) ? MOOT_OK : MOOT_EINVAL;
    for (uint64_t i = 0; !rc && i < times; i++)
        rc = moot__buf_append_view(out, text);
    return rc;
}

int http1_vector_write(const struct http1_vector *vector, bool request, struct moot_buf *out)
{
    const char *front = request ? "POST /x HTTP/1.1\r\nHost: h\r\n" : H200;
    struct moot_view left = vector->bytes;
    int rc = http1_vector_is_request(vector) ? moot__buf_append_str(out, front) : MOOT_OK;
    for (bool repeated = false; !rc && left.len > 0; repeated = !repeated) {
        size_t at = moot__view_find(left, '@', 0);
        struct moot_view part = {left.ptr, at};
        rc = repeated ? write_repeated(part, out) : moot__buf_append_view(out, part);
        size_t taken = at < left.len ? at + 1 : at;
        left = moot__view(left.ptr + taken, left.len - taken);
    }
    return rc;
}
