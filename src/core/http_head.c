#include "http_head.h"

#include <string.h>

static char lower(char c)
{
  return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static bool same_name(const char *line, const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (lower(line[i]) != name[i]) {
      return false;
    }
  }
  return true;
}

/* The value of a header line, or NULL when it is not of that name. */
static const char *value_of(const char *line, const char *end, const char *name, size_t name_length, size_t *length)
{
  if ((size_t)(end - line) <= name_length || line[name_length] != ':' || !same_name(line, name, name_length)) {
    return NULL;
  }
  const char *value = line + name_length + 1;
  while (value < end && (*value == ' ' || *value == '\t')) {
    value++;
  }
  while (end > value && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t')) {
    end--;
  }
  *length = (size_t)(end - value);
  return value;
}

const char *avito_head_find(const char *head, size_t length, const char *name, size_t *value_length)
{
  size_t name_length = strlen(name);
  const char *end = head + length;
  const char *line = memchr(head, '\n', length); /* past the status line */
  while (line != NULL && ++line < end) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    const char *value = value_of(line, stop != NULL ? stop : end, name, name_length, value_length);
    if (value != NULL) {
      return value;
    }
    line = stop;
  }
  return NULL;
}

/* A reader of dates: `at` moves on over what was understood; NULL once something was not. */
struct reader {
  const char *at;
  const char *end;
};

static void skip(struct reader *r, const char *bytes)
{
  size_t length = strlen(bytes);
  if (r->at != NULL && (size_t)(r->end - r->at) >= length && memcmp(r->at, bytes, length) == 0) {
    r->at += length;
  } else {
    r->at = NULL;
  }
}

static int number(struct reader *r, int digits)
{
  int value = 0;
  for (int i = 0; i < digits; i++) {
    if (r->at == NULL || r->at == r->end || *r->at < '0' || *r->at > '9') {
      r->at = NULL;
      return 0;
    }
    value = value * 10 + (*r->at++ - '0');
  }
  return value;
}

static int month(struct reader *r)
{
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (r->at != NULL && r->end - r->at >= 3) {
    for (int i = 0; i < 12; i++) {
      if (memcmp(r->at, names + 3 * (size_t)i, 3) == 0) {
        r->at += 3;
        return i + 1;
      }
    }
  }
  r->at = NULL;
  return 1;
}

struct date {
  int year, month, day, hour, minute, second;
};

static void time_of_day(struct reader *r, struct date *d)
{
  d->hour = number(r, 2);
  skip(r, ":");
  d->minute = number(r, 2);
  skip(r, ":");
  d->second = number(r, 2);
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_since_epoch(int64_t year, int month_number, int day)
{
  year -= month_number <= 2;
  int64_t era = year / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month_number + (month_number > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

static bool in_range(const struct date *d)
{
  return d->year >= 1970 && d->day >= 1 && d->day <= 31 && d->hour <= 23 && d->minute <= 59 && d->second <= 60;
}

/* How many digits come next. */
static int digits(const struct reader *r)
{
  int count = 0;
  while (r->at != NULL && r->at + count < r->end && r->at[count] >= '0' && r->at[count] <= '9') {
    count++;
  }
  return count;
}

/* 06 Nov 1994, 6 Nov 94, or the same with dashes */
static void day_of_year(struct reader *r, struct date *d)
{
  d->day = number(r, digits(r) == 1 ? 1 : 2);
  const char *separator = r->at != NULL && r->at < r->end && *r->at == '-' ? "-" : " ";
  skip(r, separator);
  d->month = month(r);
  skip(r, separator);
  bool century = digits(r) != 2;
  d->year = number(r, century ? 4 : 2);
  if (!century) {
    d->year += d->year < 70 ? 2000 : 1900;
  }
}

/* The seconds that a zone is ahead of UTC. */
static int zone(struct reader *r)
{
  static const char *const names[] = {"GMT", "UTC", "UT", "Z"};
  size_t left = r->at != NULL ? (size_t)(r->end - r->at) : 0;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (left == strlen(names[i]) && memcmp(r->at, names[i], left) == 0) {
      r->at = r->end;
      return 0;
    }
  }
  bool behind = left > 0 && *r->at == '-';
  skip(r, behind ? "-" : "+");
  int hours = number(r, 2);
  int minutes = number(r, 2);
  int ahead = hours * 3600 + minutes * 60;
  return behind ? -ahead : ahead;
}

bool avito_http_date(const char *text, size_t length, int64_t *unix_seconds)
{
  const char *comma = memchr(text, ',', length);
  struct reader r = {text, text + length};
  struct date d = {0};
  int ahead = 0;
  if (comma != NULL || digits(&r) > 0) { /* Sun, 06 Nov 1994 08:49:37 GMT */
    if (comma != NULL) {
      r.at = comma + 1;
      skip(&r, " ");
    }
    day_of_year(&r, &d);
    skip(&r, " ");
    time_of_day(&r, &d);
    skip(&r, " ");
    ahead = zone(&r);
  } else { /* Sun Nov  6 08:49:37 1994 */
    if (length < 4) {
      return false;
    }
    r.at = text + 3;
    skip(&r, " ");
    d.month = month(&r);
    skip(&r, " ");
    bool padded = r.at != NULL && r.at < r.end && *r.at == ' ';
    skip(&r, padded ? " " : "");
    d.day = number(&r, padded ? 1 : 2);
    skip(&r, " ");
    time_of_day(&r, &d);
    skip(&r, " ");
    d.year = number(&r, 4);
  }
  if (r.at != r.end || !in_range(&d)) {
    return false;
  }
  *unix_seconds = days_since_epoch(d.year, d.month, d.day) * 86400 + d.hour * 3600 + d.minute * 60 + d.second - ahead;
  return true;
}

/* The seconds from the answer's own Date, else from `unix_now`, to that date; 0 when it has passed, -1 when it is none. */
static double seconds_until(const char *head, size_t length, const char *value, size_t size, double unix_now)
{
  int64_t at;
  int64_t answered;
  size_t date_size;
  if (!avito_http_date(value, size, &at)) {
    return -1;
  }
  const char *date = avito_head_find(head, length, "date", &date_size);
  double now = date != NULL && avito_http_date(date, date_size, &answered) ? (double)answered : unix_now;
  return (double)at > now ? (double)at - now : 0;
}

#define LONGEST_WAIT 1e9

double avito_retry_after(const char *head, size_t length, double unix_now)
{
  size_t size;
  const char *value = avito_head_find(head, length, "retry-after", &size);
  if (value == NULL || size == 0) {
    return -1;
  }
  double seconds = 0;
  size_t i = 0;
  while (i < size && value[i] >= '0' && value[i] <= '9') {
    seconds = seconds * 10 + (value[i++] - '0');
  }
  if (i == size) {
    return seconds < LONGEST_WAIT ? seconds : LONGEST_WAIT;
  }
  return seconds_until(head, length, value, size, unix_now);
}

/* The number a header holds, or `otherwise`. */
static int64_t count_of(const char *value, size_t length, int64_t otherwise)
{
  struct reader r = {value, value + length};
  if (length < 1 || length > 9 || digits(&r) != (int)length) {
    return otherwise;
  }
  return number(&r, (int)length);
}

void avito_rate_limit(const char *head, size_t length, const char *prefix, double unix_now,
                      struct avito_rate_limit *told)
{
  size_t prefix_length = strlen(prefix);
  const char *end = head + length;
  const char *line = memchr(head, '\n', length); /* past the status line */
  *told = (struct avito_rate_limit){.limit = -1, .remaining = -1, .until = -1};
  while (line != NULL && ++line < end) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    const char *line_end = stop != NULL ? stop : end;
    if ((size_t)(line_end - line) > prefix_length && same_name(line, prefix, prefix_length)) {
      const char *name = line + prefix_length;
      const char *value;
      size_t size;
      if ((value = value_of(name, line_end, "limit", 5, &size)) != NULL) {
        told->limit = count_of(value, size, told->limit);
      } else if ((value = value_of(name, line_end, "remaining", 9, &size)) != NULL) {
        told->remaining = count_of(value, size, told->remaining);
      } else if ((value = value_of(name, line_end, "until", 5, &size)) != NULL) {
        told->until = seconds_until(head, length, value, size, unix_now);
      }
    }
    line = stop;
  }
}
