/* journal.h - what the files of the journal share.
 *
 * The journal is one SQLite file with all that must outlive the process. Its layers: what went wrong (problem.c), the
 * file and its transactions (database.c), the statements by name (statement.c), which processes are alive (owners.c), and
 * Lua (journal.c). The SQL is in schema.def and statements.def, and nowhere else.
 *
 * A database is used by one thread of the process that opened it. All-zero is the empty state of every struct. */
#ifndef AVITO_JOURNAL_H
#define AVITO_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "compat.h"

/* RETURNING came with 3.35. */
#if SQLITE_VERSION_NUMBER < 3035000
#error "SQLite 3.35 or newer is needed"
#endif

/* How long a statement outside of a transaction, or the opening of a file, waits for other processes. */
#define AVITO_JOURNAL_PATIENCE 5.0

/* The versions of the schema; an empty file is the first. */
enum {
  AVITO_VERSION_0,
#define STEP(version, sql) AVITO_VERSION_##version,
#include "schema.def"
#undef STEP
  AVITO_VERSIONS
};
#define AVITO_JOURNAL_VERSION (AVITO_VERSIONS - 1)

enum avito_statement {
#define STATEMENT(name, kind, sql) AVITO_STATEMENT_##name,
#include "statements.def"
#undef STATEMENT
  AVITO_STATEMENTS
};

/* What the world did. */
struct avito_problem {
  const char *code; /* static; NULL: nothing went wrong */
  char message[512];
};

struct avito_database {
  sqlite3 *handle; /* NULL: closed */
  pid_t pid;       /* the process that may use it */
  sqlite3_stmt *statements[AVITO_STATEMENTS];
  sqlite3_stmt *running;       /* begun and not reset: a Lua error came between */
  int64_t deadline;            /* of waiting for another process, in ms of the monotonic clock */
  bool transaction;            /* between begin and commit or rollback */
  struct avito_problem broken; /* why the transaction was rolled back before its end */
};

/* A process among those that share the file. */
struct avito_owners {
  int fd_plus_one; /* of the lock file; 0: not open */
  int64_t id;      /* the byte that is locked; 0: none */
};

/* problem.c */

/* Says what the call on the handle met that has just failed; errno was 0 before it. `handle` is NULL when it could not even
 * be made. */
void avito_problem_of(struct avito_problem *problem, sqlite3 *handle, int result);
/* Says what a system call met; `what` is what was to be done. */
void avito_problem_of_errno(struct avito_problem *problem, const char *what, int error);
void avito_problem_say(struct avito_problem *problem, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether the caller is to blame, not the world. */
bool avito_problem_is_misuse(int result);

/* database.c: those that return bool fill `problem` when they fail. */

/* Opens or makes the file, brings its schema up to date. The database must not move in memory until it is closed; it is
 * closed after a failure. The path is neither empty nor a special name of SQLite's. */
bool avito_database_open(struct avito_database *database, const char *path, bool full, struct avito_problem *problem);
/* Waits at most so many seconds for other writers. */
bool avito_database_begin(struct avito_database *database, double seconds, struct avito_problem *problem);
/* Ends the transaction, one way or the other: it is rolled back when it cannot be committed. */
bool avito_database_commit(struct avito_database *database, struct avito_problem *problem);
/* Harmless without a transaction. */
void avito_database_rollback(struct avito_database *database);
/* A statement failed: rolls the transaction back at once. It goes on as a broken one until commit or rollback. */
void avito_database_break(struct avito_database *database, const struct avito_problem *problem);
/* Resets what a Lua error left running. */
void avito_database_calm(struct avito_database *database);
/* Lets what follows wait so long for other processes. */
void avito_database_be_patient(struct avito_database *database, double seconds);
/* May be called again, and in a forked child, which only forgets it. */
void avito_database_close(struct avito_database *database);

/* statement.c */

/* [-0, +1, m] Pushes the table of name -> number of a statement. */
void avito_statement_push_names(lua_State *L);
/* [-0, +n, m|v] Runs a statement with the values from stack index `first` to the top and pushes what it gives; returns
 * how many values that is, or -1 when it failed, with `problem` filled. */
int avito_statement_run(lua_State *L, struct avito_database *database, int statement, int first,
                        struct avito_problem *problem);

/* owners.c */

/* Locks byte `id` > 0 of the lock file beside the database; a byte locked before is given up. 1: it is ours, 0: another has
 * it, -1: `problem`. The lock goes when the process ends, however it does. */
int avito_owners_lock(struct avito_owners *owners, sqlite3 *handle, int64_t id, struct avito_problem *problem);
/* Whether anybody has byte `id` locked: 1, 0, or -1 and `problem`. */
int avito_owners_alive(struct avito_owners *owners, sqlite3 *handle, int64_t id, struct avito_problem *problem);
/* Gives the lock up; may be called again. In a forked child the parent keeps it. */
void avito_owners_close(struct avito_owners *owners);

#endif
