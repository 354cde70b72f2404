#ifndef MOOT_TEST_FAULTS_CASES_H
#define MOOT_TEST_FAULTS_CASES_H

/* The tables of the fault catalogue, for cases_*.c and test_catalogue.c. */
#include "stage.h"

#define B(text)                                                                                    \
    {                                                                                              \
        ("" text), sizeof(text) - 1                                                                \
    }
#define JSON                   "Content-Type: application/json\r\n"
#define SSE                    "Content-Type: text/event-stream\r\n"
#define DATA(json)             "data: " json "\n\n"
#define CHOICE                 "{\"choices\":[{\"index\":0,"
#define FINISH(of)             ",\"finish_reason\":" of "}]}"
#define CHUNK(content, finish) CHOICE "\"delta\":{\"content\":" content "}" FINISH(finish)
#define MESSAGE(content, finish)                                                                   \
    CHOICE "\"message\":{\"role\":\"assistant\",\"content\":" content "}" FINISH(finish)
#define SAY      DATA(CHUNK("\"Because.\"", "null"))
#define STOP     DATA(CHUNK("\"\"", "\"stop\""))
#define END_MARK DATA("[DONE]")
#define ANSWER   MESSAGE("\"Because.\"", "\"stop\"")

extern const struct fault_case fault_wire_cases[], fault_said_cases[];
extern const size_t fault_wire_case_count, fault_said_case_count;

#endif
