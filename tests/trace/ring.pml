/* trace/ring.c as a model: every interleaving of one producer, one consumer and one onlooker, for a
 * ring of CAP cells and records of 1 to CAP / 2 cells whose sizes are chosen freely. Cells are
 * written and read one at a time, apart from the marks, so in some interleaving the producer stalls
 * between any two of them; the consumer may die at any moment. Checked:
 *
 *   - no cell is written while the consumer may look at it, none is read that was not published;
 *   - records arrive whole, in order, none twice; taken = received, taken + dropped = all;
 *   - the producer ends whatever the consumer does: none of its statements can block;
 *   - a reader that meets a pad finds the record behind it;
 *   - what is pending is never negative, whoever looks.
 *
 * The mutants are what the orders of the atomics, the check for room and the single store for pad
 * and record prevent. Each has to fail, or the model proves nothing:
 *
 *   PUBLISH_FIRST  the mark moves before the cells are written: `published` stored relaxed
 *   RELEASE_FIRST  cells are given back before they are read: `released` stored relaxed
 *   ROOM_PLUS_ONE  the room is counted one cell too large
 *   PAD_ALONE      the pad is published by a store of its own
 *   SEEN_AHEAD     the producer believes in a release that has not happened */
#ifndef CAP
#define CAP 4
#endif
#ifndef RECORDS
#define RECORDS 5
#endif

#define HEAD(id, size) ((id) * 4 + (size)) /* the first cell of a record */
#define BODY(id)       (100 + (id))        /* its other cells */
#define PAD(size)      (200 + (size))

byte cell[CAP];
byte published, released;       /* the marks; they only grow */
byte kept;                      /* what the consumer may still look at starts here */
byte taken, dropped, received;  /* records */
bool producer_done, consumer_dead;

inline put(position, value)
{
    assert((position) - kept < CAP);
    cell[(position) % CAP] = value
}

inline get(position, value)
{
    assert((position) < published);
    assert(cell[(position) % CAP] == (value))
}

active proctype producer()
{
    byte id = 1, size, pad, at, i, seen;
    byte room = CAP;
#ifdef ROOM_PLUS_ONE
    room = CAP + 1;
#endif
    do
    :: id > RECORDS -> break
    :: else ->
        select(size : 1 .. (CAP / 2));
        at = published;
        pad = (size <= CAP - at % CAP -> 0 : CAP - at % CAP);
        if
        :: at + pad + size - seen <= room -> skip
        :: else -> seen = released /* the acquire load */
        fi;
#ifdef SEEN_AHEAD
        seen = (seen < at -> seen + 1 : seen);
#endif
        if
        :: at + pad + size - seen > room -> dropped++
        :: else ->
#ifdef PUBLISH_FIRST
            published = at + pad + size;
#endif
            if
            :: pad > 0 ->
                put(at, PAD(pad));
#ifdef PAD_ALONE
                published = at + pad
#endif
            :: else -> skip
            fi;
            put(at + pad, HEAD(id, size));
            for (i : 1 .. (size - 1)) {
                put(at + pad + i, BODY(id))
            }
            taken++;
            published = at + pad + size /* the release store */
        fi;
        id++
    od;
    producer_done = true
}

active proctype consumer()
{
    byte next, seen, head, id, size, last, i;
    bool was_done;
    do
    :: consumer_dead = true; break /* it may die at any moment */
    :: kept = next; released = next /* the release store, after any number of reads */
    :: was_done = producer_done;
        if
        :: next == seen -> seen = published /* the acquire load */
        :: else -> skip
        fi;
        if
        :: next == seen && was_done -> kept = next; released = next; break
        :: next == seen && !was_done -> skip
        :: next != seen ->
            head = cell[next % CAP];
            if
            :: head > PAD(0) ->
                next = next + head - PAD(0);
                assert(next % CAP == 0 && next < seen);
                head = cell[next % CAP]
            :: else -> skip
            fi;
            assert(head >= HEAD(1, 1) && head <= HEAD(RECORDS, CAP / 2));
            id = head / 4;
            size = head % 4;
            assert(id > last && next + size <= seen);
#ifdef RELEASE_FIRST
            released = next + size;
#endif
            for (i : 1 .. (size - 1)) {
                get(next + i, BODY(id))
            }
            last = id;
            next = next + size;
            received++
        fi
    od;
    (producer_done); /* it always comes: no statement of the producer can block */
    assert(taken + dropped == RECORDS);
    assert(consumer_dead || received == taken && released == published)
}

/* A third thread that asks what is pending. */
active proctype onlooker()
{
    byte old = released;
    assert(published >= old)
}
