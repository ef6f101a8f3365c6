/* limits.h - every bound of the core, in one place. Sizes are bytes, times are seconds. */
#ifndef AVITO_LIMITS_H
#define AVITO_LIMITS_H

/* What the APIs themselves bound. */
#define AVITO_MAX_TEXT         1000 /* code points of a message text */
#define AVITO_MAX_MARKET_TEXT  4096 /* the same on Yandex Market */
#define AVITO_MAX_FILE_BYTES   (5u * 1024 * 1024)
#define AVITO_MAX_IMAGE_BYTES  (24u * 1024 * 1024)
#define AVITO_MAX_IMAGE_PIXELS UINT64_C(75000000)

/* What the client accepts from a server. */
#define AVITO_MAX_ANSWER     (16u * 1024 * 1024)
#define AVITO_MAX_DOWNLOAD   (64u * 1024 * 1024)
#define AVITO_MAX_HEAD       (64u * 1024)
#define AVITO_MAX_DEPTH      64
#define AVITO_MAX_ERROR_BODY 4096 /* kept in err.body */

/* What the client accepts from its caller. */
#define AVITO_MAX_URL     (16u * 1024)
#define AVITO_MAX_ID      512
#define AVITO_MAX_TOKEN   (16u * 1024)
#define AVITO_MAX_RETRIES 10
#define AVITO_MAX_TIMEOUT 86400.0
#define AVITO_MAX_CONNECT 5.0 /* longest wait for one connection */

/* Backoff: a random time below min(CAP, BASE * 2^n). */
#define AVITO_BACKOFF_BASE 0.5
#define AVITO_BACKOFF_CAP  20.0

/* The retry quota: a retry costs one. A call earns a little, an answered call more, so that a flaky API is
 * retried freely while a dead one sees less than 1.1 times the normal traffic (START + EARN * n < 0.1 * n
 * from the 61st call on). */
#define AVITO_QUOTA_START    3.0
#define AVITO_QUOTA_CAP      10.0
#define AVITO_QUOTA_CALL     0.05
#define AVITO_QUOTA_ANSWERED 0.2

/* The pace of an account's requests: of its lanes and its gate. Rates are requests a second. */
#define AVITO_PACE_RATE    6.0 /* the API publishes no limit of the messenger; what clients are known to get on with */
#define AVITO_PACE_BURST   12
#define AVITO_MAX_PACE     1000   /* most of either */
#define AVITO_PACE_LEAST   6.0    /* requests a period: a refusal or a server's limit slows no further down */
#define AVITO_PACE_STEPS   50     /* answers after which the rate is what it was before refusals */
#define AVITO_PACE_PAUSE   1.0    /* after a refusal that does not say how long */
#define AVITO_PACE_LONGEST 3600.0 /* and after one that does, at most */
#define AVITO_PACE_LOOK    0.25   /* a call whose turn is further off looks again half way, as turns change */
#define AVITO_SLOT_POLL    0.05   /* how often a call looks whether there is a place in the gate for it */

/* Tokens. */
#define AVITO_TOKEN_MARGIN 300.0 /* renewed this long before they expire, or a tenth of their life */
#define AVITO_TOKEN_PAUSE  30.0  /* between attempts to renew a token that still works */
#define AVITO_FLIGHT_POLL  0.02  /* how often a call looks whether another's renewal has ended */
#define AVITO_LOCK_POLL    0.05  /* how often a token store that another process holds is tried */

#endif
