/* Prints the framing table, a JSON object a line, for the comparison with another client's parser:
 * name, rule, how it was asked, the bytes in hex, what we make of it, and the body in hex. */
#include <stdio.h>
#include <string.h>

#include "http1_vectors.h"

static void put_hex(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", (unsigned)(unsigned char)data[i]);
}

static const char *method_of(const struct http1_vector *vector)
{
    return vector->request == HEAD ? "HEAD" : vector->request == CONNECT ? "CONNECT" : "POST";
}

static int put_vector(const struct http1_vector *vector)
{
    struct moot_buf bytes;
    moot__buf_init(&bytes, NULL, 1 << 20);
    int rc = http1_vector_write(vector, false, &bytes);
    bool is_whole = vector->response == KEEP || vector->response == CLOSE;
    printf("{\"name\": \"%s\", \"rule\": \"%s\", \"method\": \"%s\", \"verdict\": \"%s\", "
           "\"surplus\": %zu, \"body\": ",
           vector->name, vector->rule, method_of(vector),
           is_whole ? "OK" : moot_error_name((int)vector->response), vector->surplus);
    if (is_whole && strcmp(vector->body, "*") != 0) {
        printf("\"");
        put_hex(vector->body, strlen(vector->body));
        printf("\"");
    } else {
        printf("null");
    }
    printf(", \"bytes\": \"");
    put_hex(bytes.data, bytes.len);
    printf("\"}\n");
    moot__buf_deinit(&bytes);
    return rc;
}

int main(void)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < http1_vector_count(); i++)
        rc = put_vector(http1_vector_at(i));
    return rc != 0;
}
