/* problem.c - what SQLite and the system say, in the words of the journal. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "journal.h"

void avito_problem_say(struct avito_problem *problem, const char *code, const char *format, ...)
{
  va_list arguments;
  problem->code = code;
  va_start(arguments, format);
  vsnprintf(problem->message, sizeof problem->message, format, arguments);
  va_end(arguments);
}

static const char *code_of_errno(int error, const char *otherwise)
{
  switch (error) {
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
    return "full";
  case EROFS:
    return "readonly";
  case EIO:
    return "io";
  case ENOMEM:
    return "memory";
  default:
    return otherwise;
  }
}

void avito_problem_of_errno(struct avito_problem *problem, const char *what, int error)
{
  avito_problem_say(problem, code_of_errno(error, "open"), "%s: %s", what, strerror(error));
}

static const char *code_of(int result, int error)
{
  if (result == SQLITE_IOERR_NOMEM)
    return "memory";
  if (result == SQLITE_IOERR_CORRUPTFS)
    return "damaged";
  switch (result & 0xff) {
  case SQLITE_FULL:
    return "full";
  case SQLITE_IOERR:
    return code_of_errno(error, "io");
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_PROTOCOL:
    return "busy";
  case SQLITE_READONLY:
    return "readonly";
  case SQLITE_CANTOPEN:
    return code_of_errno(error, "open");
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return "open";
  case SQLITE_NOMEM:
    return "memory";
  default: /* SQLITE_ERROR, too: its tables are not those it should have */
    return "damaged";
  }
}

bool avito_problem_is_misuse(int result)
{
  switch (result & 0xff) {
  case SQLITE_CONSTRAINT:
  case SQLITE_MISMATCH:
  case SQLITE_TOOBIG:
  case SQLITE_RANGE:
  case SQLITE_MISUSE:
    return true;
  default:
    return false;
  }
}

void avito_problem_of(struct avito_problem *problem, sqlite3 *handle, int result)
{
  int error = errno; /* sqlite3_system_errno knows it only of some failures */
  int kind = result & 0xff;
  if (kind != SQLITE_IOERR && kind != SQLITE_CANTOPEN && kind != SQLITE_FULL)
    error = 0; /* it is of something else */
  const char *text = handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
  if (error != 0)
    avito_problem_say(problem, code_of(result, error), "%s (SQLite %d, %s)", text, result, strerror(error));
  else
    avito_problem_say(problem, code_of(result, error), "%s (SQLite %d)", text, result);
}
