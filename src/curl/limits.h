/* limits.h - every bound of the transport, in one place. */
#ifndef AVITO_CURL_LIMITS_H
#define AVITO_CURL_LIMITS_H

/* Used when a request names none. Bytes. */
#define AVITO_DEFAULT_MAX_BODY ((size_t)32 * 1024 * 1024)
#define AVITO_DEFAULT_MAX_HEAD ((size_t)64 * 1024)

/* Milliseconds until a connection must stand, when a request names none and its timeout is longer: one host that does not
 * answer leaves time for another attempt. */
#define AVITO_CONNECT_MS 5000L

/* Bytes of a body from which on libcurl asks for leave to send it ("Expect: 100-continue"), with some to spare. */
#define AVITO_EXPECT_BYTES ((size_t)512 * 1024)

/* Bytes of a body before the file that is uploaded, and again after it. */
#define AVITO_MAX_FRAME ((size_t)64 * 1024)

/* Lines of all heads and trailers of one answer: ten thousand tiny headers fit in few bytes, but
 * cost whoever reads them. */
#define AVITO_MAX_HEAD_LINES 1000

/* Seconds of one transfer or one wait at most, so that no number of milliseconds overflows a long.
 */
#define AVITO_MAX_SECONDS (24.0 * 3600.0)

/* Bytes of a received head or body whose memory is kept for the next transfer. */
#define AVITO_KEPT_CAPACITY ((size_t)64 * 1024)

/* Seconds an idle connection is reused. Common servers close theirs after 60 or 75: a request that
 * races the close is lost, and a lost POST may not be repeated. */
#define AVITO_MAX_IDLE_SECONDS 50L

/* A dead peer is noticed after idle + 9 intervals, whatever the timeout of a call is. Seconds. */
#define AVITO_KEEPALIVE_IDLE     30L
#define AVITO_KEEPALIVE_INTERVAL 10L

/* Bytes of the sentence that says why a transfer failed; longer ones are cut. */
#define AVITO_MESSAGE_SIZE 512

/* Idle easy handles a multi keeps for the next transfers. */
#define AVITO_MAX_IDLE_TRANSFERS 256

/* Events one turn takes from the kernel, and calls of libcurl's timer in a row. */
#define AVITO_EVENTS      64
#define AVITO_TIMER_TURNS 4

/* Sets of transport options one multi may be given. */
#define AVITO_MAX_TRANSPORTS ((size_t)1 << 16)

/* Transfers one multi may hold at once: a slot number and a generation share one exact Lua number.
 */
#define AVITO_MAX_TRANSFERS ((size_t)1 << 20)

#endif
