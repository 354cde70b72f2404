/* The fault catalogue, lived: each case on the loop that this program is linked with, on real
 * sockets or in simulation, with one table of expectations. After the fault a second question must
 * be answered, and at the end nothing may be left. Prints the table and its count. */
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "engine/base/check.h"
#include "engine/base/utf8.h"

static unsigned complain(const struct fault_case *fault, bool is_stream, const struct stage *stage,
                         const char *what)
{
    print_error("%s %s, %s: %s; it said %s (%s), duplicate %d, \"%s\", %u connections\n",
                fault->row, fault->name, is_stream ? "stream" : "whole", what,
                moot_error_name(stage->error.code), stage->error.message,
                (int)stage->possible_duplicate, stage->text, stage->connections);
    return 1;
}

/* A connection that ends as soon as it is made: whether that is still a refusal, and whether bytes
 * of the request were under way, is a race. */
static bool is_race(const struct fault_case *fault, const struct stage *stage)
{
    return fault->place == AT_ACCEPT && fault->code == MOOT_ERESET &&
           (stage->error.code == MOOT_ERESET || stage->error.code == MOOT_ECONNECT);
}

static unsigned judge(const struct fault_case *fault, bool is_stream, const struct stage *stage)
{
    const char *text = fault->text ? fault->text : fault->code == MOOT_OK ? STAGE_ANSWER : "";
    if (is_race(fault, stage))
        return stage->text[0] != '\0';
    if (stage->error.code != fault->code)
        return complain(fault, is_stream, stage, moot_error_name(fault->code));
    if (strcmp(stage->text, text) != 0)
        return complain(fault, is_stream, stage, text);
    if (stage->possible_duplicate != fault->is_duplicate)
        return complain(fault, is_stream, stage, "duplicate or not");
    if (fault->says && !strstr(stage->error.message, fault->says))
        return complain(fault, is_stream, stage, fault->says);
    if (strstr(stage->error.message, STAGE_KEY))
        return complain(fault, is_stream, stage, "the key is told");
    if (!moot__utf8_valid(moot__view_str(stage->error.message)))
        return complain(fault, is_stream, stage, "the message is not UTF-8");
    return 0;
}

static unsigned live(const struct fault_case *fault, bool is_stream)
{
    struct stage stage;
    stage_open(&stage, fault, is_stream, NULL);
    stage_ask(&stage);
    unsigned wrong = judge(fault, is_stream, &stage);
    bool is_refused = fault->code == MOOT_EAUTH; /* that key is not tried again */
    if (!is_refused)
        stage_ask(&stage);
    if (!is_refused && (stage.error.code != MOOT_OK || strcmp(stage.text, STAGE_ANSWER) != 0))
        wrong += complain(fault, is_stream, &stage, "the second question is not answered");
    if (fault->connections && stage.connections != fault->connections)
        wrong += complain(fault, is_stream, &stage, "connections");
    stage_close(&stage);
    return wrong;
}

static unsigned live_table(const struct fault_case *cases, size_t count, unsigned *lived)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++) {
        const struct fault_case *fault = &cases[i];
        printf("%-4s %-44s %-7s %s\n", fault->row, fault->name,
               fault->modes == BOTH     ? "both"
               : fault->modes == STREAM ? "stream"
                                        : "whole",
               moot_error_name(fault->code));
        for (int mode = STREAM; mode <= WHOLE; mode++) {
            if (!(fault->modes & (unsigned)mode))
                continue;
            wrong += live(fault, mode == STREAM);
            ++*lived;
        }
    }
    return wrong;
}

static void connections_and_http(void **state)
{
    (void)state;
    unsigned lived = 0, wrong = live_table(fault_wire_cases, fault_wire_case_count, &lived);
    printf("%zu cases of rows A and C, lived %u times\n", fault_wire_case_count, lived);
    assert_int_equal(wrong, 0);
}

static void answers_and_refusals(void **state)
{
    (void)state;
    unsigned lived = 0, wrong = live_table(fault_said_cases, fault_said_case_count, &lived);
    printf("%zu cases of rows D and E, lived %u times\n", fault_said_case_count, lived);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_and_http),
        cmocka_unit_test(answers_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
