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

/* The number the header line holds, or `otherwise`. */
static int64_t number_of(const char *line, const char *end, const char *name, size_t name_length, int64_t otherwise)
{
  size_t length;
  const char *value = value_of(line, end, name, name_length, &length);
  if (value == NULL || length < 1 || length > 9) {
    return otherwise;
  }
  int64_t number = 0;
  for (size_t i = 0; i < length; i++) {
    if (value[i] < '0' || value[i] > '9') {
      return otherwise;
    }
    number = number * 10 + (value[i] - '0');
  }
  return number;
}

void avito_rate_limit(const char *head, size_t length, int64_t *limit, int64_t *remaining)
{
  static const char limit_name[] = "x-ratelimit-limit";
  static const char remaining_name[] = "x-ratelimit-remaining";
  const char *end = head + length;
  const char *line = memchr(head, '\n', length); /* past the status line */
  *limit = *remaining = -1;
  while (line != NULL && ++line < end) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (lower(*line) == 'x') {
      const char *line_end = stop != NULL ? stop : end;
      *limit = number_of(line, line_end, limit_name, sizeof limit_name - 1, *limit);
      *remaining = number_of(line, line_end, remaining_name, sizeof remaining_name - 1, *remaining);
    }
    line = stop;
  }
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

bool avito_http_date(const char *text, size_t length, int64_t *unix_seconds)
{
  const char *comma = memchr(text, ',', length);
  struct reader r = {text, text + length};
  struct date d = {0};
  if (comma != NULL) {
    r.at = comma + 1;
    skip(&r, " ");
    d.day = number(&r, 2);
    if (r.at != NULL && r.at < r.end && *r.at == '-') { /* Sunday, 06-Nov-94 08:49:37 GMT */
      skip(&r, "-");
      d.month = month(&r);
      skip(&r, "-");
      d.year = number(&r, 2);
      d.year += d.year < 70 ? 2000 : 1900;
    } else { /* Sun, 06 Nov 1994 08:49:37 GMT */
      skip(&r, " ");
      d.month = month(&r);
      skip(&r, " ");
      d.year = number(&r, 4);
    }
    skip(&r, " ");
    time_of_day(&r, &d);
    skip(&r, " GMT");
  } else { /* Sun Nov  6 08:49:37 1994 */
    if (length < 4) {
      return false;
    }
    r.at = text + 3;
    skip(&r, " ");
    d.month = month(&r);
    skip(&r, " ");
    if (r.at != NULL && r.at < r.end && *r.at == ' ') {
      r.at++;
      d.day = number(&r, 1);
    } else {
      d.day = number(&r, 2);
    }
    skip(&r, " ");
    time_of_day(&r, &d);
    skip(&r, " ");
    d.year = number(&r, 4);
  }
  if (r.at != r.end || !in_range(&d)) {
    return false;
  }
  *unix_seconds = days_since_epoch(d.year, d.month, d.day) * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
  return true;
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
  int64_t at;
  if (!avito_http_date(value, size, &at)) {
    return -1;
  }
  int64_t answered;
  size_t date_size;
  const char *date = avito_head_find(head, length, "date", &date_size);
  double now = date != NULL && avito_http_date(date, date_size, &answered) ? (double)answered : unix_now;
  return (double)at > now ? (double)at - now : 0;
}
