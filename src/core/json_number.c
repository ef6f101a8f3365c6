/* json_number.c - see json_number.h. */
#include "json_number.h"

#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Halfway between two doubles lies no number of more digits than 767, so these are enough to round by when a nonzero
 * rest is remembered as one more digit. */
enum { MAX_SIGNIFICANT = 780 };

/* Past this an exponent gives 0 or infinity whatever the digits, of which no text has as many. */
static const int64_t EXPONENT_CEILING = INT64_C(10000000000);

struct decimal {
  const char *digits; /* perhaps with a point among them */
  const char *end;
  int64_t exponent; /* of the last digit */
};

static int64_t read_exponent(const char *p, const char *end)
{
  int negative = *p == '-';
  int64_t exponent = 0;
  if (*p == '-' || *p == '+')
    ++p;
  for (; p < end; ++p)
    if (exponent < EXPONENT_CEILING)
      exponent = exponent * 10 + (*p - '0');
  return negative ? -exponent : exponent;
}

static struct decimal read_decimal(const char *text, const char *end)
{
  struct decimal decimal = {.digits = text, .end = end};
  const char *point = NULL;
  for (const char *p = text; p < end; ++p) {
    if (*p == '.') {
      point = p;
    } else if (*p == 'e' || *p == 'E') {
      decimal.end = p;
      decimal.exponent = read_exponent(p + 1, end);
      break;
    }
  }
  if (point != NULL)
    decimal.exponent -= decimal.end - (point + 1);
  return decimal;
}

/* Both operands of the one operation are exact, so that it alone rounds (Clinger's fast path). */
static int convert_exactly(const struct decimal *decimal, double *value)
{
#if FLT_EVAL_METHOD == 0
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const int64_t most = (int64_t)(sizeof powers / sizeof *powers) - 1;
  if (decimal->end - decimal->digits > 17 || decimal->exponent > most || decimal->exponent < -most)
    return 0;
  int64_t mantissa = 0;
  for (const char *p = decimal->digits; p < decimal->end; ++p)
    if (*p != '.')
      mantissa = mantissa * 10 + (*p - '0');
  if (mantissa > INT64_C(1) << 53)
    return 0;
  double exact = (double)mantissa;
  *value = decimal->exponent < 0 ? exact / powers[-decimal->exponent] : exact * powers[decimal->exponent];
  return 1;
#else
  (void)decimal;
  (void)value;
  return 0;
#endif
}

/* strtod() of digits and an exponent: without a decimal point the locale has no say. */
static double convert(const struct decimal *decimal)
{
  char text[MAX_SIGNIFICANT + 32];
  size_t length = 0;
  int rest = 0;
  int64_t exponent = decimal->exponent;
  for (const char *p = decimal->digits; p < decimal->end; ++p) {
    if (*p == '.' || (length == 0 && *p == '0'))
      continue;
    if (length < MAX_SIGNIFICANT) {
      text[length++] = *p;
    } else {
      ++exponent;
      rest |= *p != '0';
    }
  }
  if (length == 0)
    return 0.0;
  if (rest) {
    text[length++] = '1';
    --exponent;
  }
  if (exponent > 99999)
    exponent = 99999;
  if (exponent < -99999)
    exponent = -99999;
  (void)snprintf(text + length, sizeof text - length, "e%d", (int)exponent);
  return strtod(text, NULL);
}

double avito_json_real(const char *text, const char *end)
{
  int negative = *text == '-';
  struct decimal decimal = read_decimal(text + negative, end);
  double value;
  if (!convert_exactly(&decimal, &value))
    value = convert(&decimal);
  return negative ? -value : value;
}
