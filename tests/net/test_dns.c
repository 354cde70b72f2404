/* The cache of names: one lookup per name, its lifetimes, its bounds, and cancelling at each point.
 */
#include "tests/support/test.h"

#include <stdio.h>

#include "engine/base/alloc.h"
#include "engine/base/check.h"
#include "net/dns.h"
#include "tests/support/fake_net.h"

struct asker {
    struct moot_dns_query query;
    int done;
    struct asker *cancels; /* from within on_done */
};

static struct fake_net net;
static struct moot_dns dns;

static void on_done(struct moot_dns_query *query)
{
    struct asker *asker = moot__container_of(query, struct asker, query);
    asker->done++;
    if (asker->cancels)
        moot__dns_query_cancel(&asker->cancels->query);
}

static int try_ask(struct asker *asker, const char *host, uint16_t port)
{
    *asker = (struct asker){.query = {.on_done = on_done}};
    return moot__dns_query_start(&dns, &asker->query, moot__view_str(host), port);
}

static void ask(struct asker *asker, const char *host)
{
    assert_int_equal(try_ask(asker, host, 443), MOOT_OK);
    assert_int_equal(asker->done, 0);
    fake_net_run(&net);
}

static int set_up(void **state)
{
    (void)state;
    fake_net_init(&net, NULL);
    moot__dns_init(&dns, &net.base);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    moot__dns_deinit(&dns);
    moot__dns_deinit(&dns);
    assert_true(moot__list_is_empty(&net.tasks));
    for (unsigned i = 0; i < net.lookup_count; i++)
        assert_null(net.lookups[i]);
    return 0;
}

static void literals_need_no_lookup(void **state)
{
    (void)state;
    struct asker four, six;
    ask(&four, "10.1.2.3");
    ask(&six, "2001:DB8::1");
    assert_int_equal(four.done + six.done, 2);
    assert_int_equal(net.lookup_count, 0);
    struct moot_address expected = {.bytes = {10, 1, 2, 3}, .port = 443};
    assert_memory_equal(&four.query.addresses[0], &expected, sizeof expected);
    assert_true(six.query.addresses[0].is_ipv6);
    assert_int_equal(six.query.addresses[0].bytes[15], 1);
}

static void one_lookup_serves_all_who_ask(void **state)
{
    (void)state;
    struct asker a, b, c;
    ask(&a, "api.example");
    assert_int_equal(try_ask(&b, "API.Example", 8443), MOOT_OK);
    assert_int_equal(net.lookup_count, 1);
    assert_string_equal(net.lookups[0]->host, "api.example");
    fake_net_answer(&net, 0, "192.0.2.1 2001:db8::1");
    assert_int_equal(a.done, 1);
    assert_int_equal(b.done, 1);
    assert_int_equal(a.query.status, MOOT_OK);
    assert_int_equal(a.query.count, 2);
    assert_int_equal(a.query.addresses[1].port, 443);
    assert_int_equal(b.query.addresses[1].port, 8443);
    fake_net_advance(&net, 59 * MOOT_NS_PER_S);
    ask(&c, "api.example");
    assert_int_equal(c.done, 1);
    fake_net_advance(&net, MOOT_NS_PER_S);
    ask(&c, "api.example");
    assert_int_equal(c.done, 0);
    assert_int_equal(net.lookup_count, 2);
    fake_net_answer(&net, 1, "192.0.2.2");
    assert_int_equal(c.done, 1);
    assert_int_equal(c.query.count, 1);
}

static void failures_are_kept_for_a_second(void **state)
{
    (void)state;
    struct asker a;
    ask(&a, "nowhere.example");
    fake_net_answer(&net, 0, NULL);
    assert_int_equal(a.query.status, MOOT_EDNS);
    assert_string_equal(a.query.detail, "no such name, says the test");
    fake_net_advance(&net, MOOT_NS_PER_S - 1);
    ask(&a, "nowhere.example");
    assert_int_equal(a.query.status, MOOT_EDNS);
    assert_int_equal(a.done, 1);
    fake_net_advance(&net, 1);
    ask(&a, "nowhere.example");
    assert_int_equal(net.lookup_count, 2);
    fake_net_answer(&net, 1, "192.0.2.1");
    assert_int_equal(a.query.status, MOOT_OK);
    assert_string_equal(a.query.detail, "");
}

static void last_asker_to_go_cancels_the_lookup(void **state)
{
    (void)state;
    struct asker a, b, c;
    ask(&a, "slow.example");
    ask(&b, "slow.example");
    moot__dns_query_cancel(&a.query);
    moot__dns_query_cancel(&a.query);
    assert_int_equal(net.cancel_count, 0);
    moot__dns_query_cancel(&b.query);
    assert_int_equal(net.cancel_count, 1);
    assert_int_equal(dns.count, 0);
    ask(&c, "slow.example");
    assert_int_equal(net.lookup_count, 2);
    fake_net_answer(&net, 1, "192.0.2.1");
    assert_int_equal(a.done + b.done, 0);
    assert_int_equal(c.done, 1);
}

static void cancelling_an_answer_that_is_on_its_way(void **state)
{
    (void)state;
    struct asker a, b;
    ask(&a, "x.example");
    ask(&b, "x.example");
    a.cancels = &b;
    fake_net_answer(&net, 0, "192.0.2.1");
    assert_int_equal(a.done, 1);
    assert_int_equal(b.done, 0);
    assert_int_equal(try_ask(&a, "10.0.0.1", 1), MOOT_OK);
    moot__dns_query_cancel(&a.query);
    fake_net_run(&net);
    assert_int_equal(a.done, 0);
}

static void impossible_names_are_refused(void **state)
{
    (void)state;
    struct asker a = {.query = {.on_done = on_done}};
    char name[256];
    memset(name, 'a', sizeof name);
    assert_int_equal(moot__dns_query_start(&dns, &a.query, moot__view(name, 254), 1), MOOT_EINVAL);
    assert_int_equal(moot__dns_query_start(&dns, &a.query, MOOT_VIEW(""), 1), MOOT_EINVAL);
    assert_int_equal(moot__dns_query_start(&dns, &a.query, MOOT_VIEW("a\0b"), 1), MOOT_EINVAL);
    assert_int_equal(moot__dns_query_start(&dns, &a.query, moot__view(name, 253), 1), MOOT_OK);
    moot__dns_query_cancel(&a.query);
}

static void refused_lookup_leaves_nothing(void **state)
{
    (void)state;
    struct asker a;
    net.resolve_error = MOOT_EDNS;
    assert_int_equal(try_ask(&a, "x.example", 1), MOOT_EDNS);
    assert_int_equal(dns.count, 0);
    net.resolve_error = MOOT_OK;
    ask(&a, "x.example");
    fake_net_answer(&net, 0, "192.0.2.1");
    assert_int_equal(a.done, 1);
}

static void cache_is_bounded_and_forgets_the_oldest(void **state)
{
    (void)state;
    static struct asker askers[MOOT_LIMIT_DNS_CACHE_ENTRIES];
    struct asker more;
    char name[32];
    for (unsigned i = 0; i < MOOT_LIMIT_DNS_CACHE_ENTRIES; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        ask(&askers[i], name);
    }
    assert_int_equal(try_ask(&more, "more.example", 1), MOOT_EDNS); /* all are pending */
    for (unsigned i = 0; i < MOOT_LIMIT_DNS_CACHE_ENTRIES; i++)
        fake_net_answer(&net, i, "192.0.2.1");
    ask(&more, "n0.example"); /* used again: n1 is the oldest now */
    assert_int_equal(more.done, 1);
    ask(&more, "more.example");
    assert_int_equal(dns.count, MOOT_LIMIT_DNS_CACHE_ENTRIES);
    fake_net_answer(&net, MOOT_LIMIT_DNS_CACHE_ENTRIES, "192.0.2.1");
    ask(&more, "n0.example");
    assert_int_equal(more.done, 1);
    ask(&more, "n1.example");
    assert_int_equal(more.done, 0);
    moot__dns_query_cancel(&more.query);
}

static void deinit_ends_queries_without_a_callback(void **state)
{
    (void)state;
    struct asker waiting, also, ready;
    ask(&waiting, "x.example");
    ask(&also, "x.example");
    assert_int_equal(try_ask(&ready, "10.0.0.1", 1), MOOT_OK);
    moot__dns_deinit(&dns);
    fake_net_run(&net);
    assert_int_equal(waiting.done + also.done + ready.done, 0);
    assert_int_equal(net.cancel_count, 1);
}

static void winning_family_is_remembered(void **state)
{
    (void)state;
    struct asker a;
    moot__dns_prefer(&dns, MOOT_VIEW("x.example"), MOOT_DNS_IPV6); /* not known: nothing */
    ask(&a, "x.example");
    fake_net_answer(&net, 0, "192.0.2.1");
    assert_int_equal(a.query.preferred, MOOT_DNS_ANY);
    moot__dns_prefer(&dns, MOOT_VIEW("X.example"), MOOT_DNS_IPV6);
    ask(&a, "x.example");
    assert_int_equal(a.query.preferred, MOOT_DNS_IPV6);
}

#define ON_NET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_NET(literals_need_no_lookup),
        ON_NET(one_lookup_serves_all_who_ask),
        ON_NET(failures_are_kept_for_a_second),
        ON_NET(last_asker_to_go_cancels_the_lookup),
        ON_NET(cancelling_an_answer_that_is_on_its_way),
        ON_NET(impossible_names_are_refused),
        ON_NET(refused_lookup_leaves_nothing),
        ON_NET(cache_is_bounded_and_forgets_the_oldest),
        ON_NET(deinit_ends_queries_without_a_callback),
        ON_NET(winning_family_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
