/* database.c - the file, its schema, and transactions on it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"

#define APPLICATION_ID 0x4156494a /* "AVIJ" */
#define BUSY_STEP_NS   1000000L

static const char *const steps[] = {
#define STEP(version, sql) sql,
#include "schema.def"
#undef STEP
};

/* Waiting */

static int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void avito_database_be_patient(struct avito_database *database, double seconds)
{
  database->deadline = now_ms() + (int64_t)(seconds * 1000);
}

/* SQLite's own handler waits up to 100 ms at a time: somebody else always comes first. */
static int on_busy(void *context, int times)
{
  const struct avito_database *database = context;
  const struct timespec step = {.tv_nsec = times < 10 ? BUSY_STEP_NS / 4 : BUSY_STEP_NS};
  if (now_ms() >= database->deadline)
    return 0;
  nanosleep(&step, NULL);
  return 1;
}

/* Statements of no rows */

static bool execute(struct avito_database *database, const char *sql, struct avito_problem *problem)
{
  errno = 0;
  int result = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
  if (result != SQLITE_OK)
    avito_problem_of(problem, database->handle, result);
  return result == SQLITE_OK;
}

/* The one number that `sql` selects. */
static bool read_number(struct avito_database *database, const char *sql, int64_t *number,
                        struct avito_problem *problem)
{
  sqlite3_stmt *statement = NULL;
  errno = 0;
  int result = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK)
    result = sqlite3_step(statement);
  if (result == SQLITE_ROW)
    *number = sqlite3_column_int64(statement, 0);
  else
    avito_problem_of(problem, database->handle, result);
  sqlite3_finalize(statement);
  return result == SQLITE_ROW;
}

/* Opening */

/* SQLite would make the file for all to read. Only one that is not there yet may be opened here: closing it lets go of all
 * locks this process has on the file. */
static bool make_file(const char *path, struct avito_problem *problem)
{
  struct stat found;
  int fd;
  do {
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  } while (fd < 0 && errno == EINTR);
  if (fd >= 0) {
    close(fd);
    return true;
  }
  if (errno != EEXIST)
    avito_problem_of_errno(problem, "it cannot be made", errno);
  else if (stat(path, &found) != 0)
    avito_problem_of_errno(problem, "it cannot be opened", errno);
  else if (!S_ISREG(found.st_mode)) /* a pipe would be waited for */
    avito_problem_say(problem, "open", "it is no file, but %s",
                      S_ISDIR(found.st_mode) ? "a directory" : "a device or pipe");
  else
    return true;
  return false;
}

/* 0 for a file that is empty yet; fails for what is not a journal, or one of the future. */
static bool read_version(struct avito_database *database, int64_t *version, struct avito_problem *problem)
{
  int64_t application;
  int64_t things;
  if (!read_number(database, "PRAGMA application_id", &application, problem) ||
      !read_number(database, "PRAGMA user_version", version, problem) ||
      !read_number(database, "SELECT count(*) FROM sqlite_schema", &things, problem))
    return false;
  if (application == 0 && *version == 0 && things == 0)
    return true;
  if (application != APPLICATION_ID || *version < 1) {
    avito_problem_say(problem, "damaged", "it is a database of another program: give the journal a file of its own");
    return false;
  }
  if (*version > AVITO_JOURNAL_VERSION) {
    avito_problem_say(problem, "version",
                      "it was made by a newer version of this program (%lld, this one knows up to %d)",
                      (long long)*version, AVITO_JOURNAL_VERSION);
    return false;
  }
  return true;
}

/* In one transaction: another process may be at making it. */
static bool look(struct avito_database *database, int64_t *version, struct avito_problem *problem)
{
  bool ok = execute(database, "BEGIN", problem) && read_version(database, version, problem);
  sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
  return ok;
}

static bool migrate(struct avito_database *database, struct avito_problem *problem)
{
  char pragmas[100];
  int64_t version;
  /* Another process may have done it since one looked. */
  if (!execute(database, "BEGIN EXCLUSIVE", problem) || !read_version(database, &version, problem))
    return false;
  for (int64_t i = version; i < AVITO_JOURNAL_VERSION; i++)
    if (!execute(database, steps[i], problem))
      return false;
  snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
           AVITO_JOURNAL_VERSION);
  return execute(database, pragmas, problem);
}

static bool is_wal(struct avito_database *database)
{
  sqlite3_stmt *statement = NULL;
  const unsigned char *mode = NULL;
  if (sqlite3_prepare_v2(database->handle, "PRAGMA journal_mode", -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    mode = sqlite3_column_text(statement, 0);
  bool wal = mode != NULL && strcmp((const char *)mode, "wal") == 0;
  sqlite3_finalize(statement);
  return wal;
}

static bool use_wal(struct avito_database *database, struct avito_problem *problem)
{
  if (!execute(database, "PRAGMA journal_mode = WAL", problem))
    return false;
  if (!is_wal(database)) {
    avito_problem_say(problem, "open", "write-ahead logging does not work on this file system: choose another one");
    return false;
  }
  return true;
}

static bool prepare(struct avito_database *database, bool full, struct avito_problem *problem)
{
  int64_t version;
  sqlite3_extended_result_codes(database->handle, 1);
  sqlite3_busy_handler(database->handle, on_busy, database);
  if (!execute(database,
               "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
               "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 8388608;",
               problem) ||
      !look(database, &version, problem))
    return false;
  if (sqlite3_db_readonly(database->handle, "main") == 1) {
    avito_problem_say(problem, "readonly", "the file may be read, but not written");
    return false;
  }
  return use_wal(database, problem) &&
         execute(database, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", problem) &&
         (version == AVITO_JOURNAL_VERSION || migrate(database, problem));
}

void avito_database_calm(struct avito_database *database)
{
  if (database->running != NULL)
    sqlite3_reset(database->running);
  database->running = NULL;
}

static void undo(struct avito_database *database)
{
  avito_database_calm(database);
  if (!sqlite3_get_autocommit(database->handle)) /* SQLite may have done it by itself */
    sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* Those that make or leave the same file get into each other's way here, and SQLite does not always wait then. */
static bool prepare_patiently(struct avito_database *database, bool full, struct avito_problem *problem)
{
  for (int times = 0; !prepare(database, full, problem); times++) {
    undo(database);
    if (strcmp(problem->code, "busy") != 0 || !on_busy(database, times))
      return false;
  }
  return true;
}

bool avito_database_open(struct avito_database *database, const char *path, bool full, struct avito_problem *problem)
{
  if (!make_file(path, problem))
    return false;
  database->pid = getpid();
  avito_database_be_patient(database, AVITO_JOURNAL_PATIENCE);
  errno = 0;
  int result = sqlite3_open_v2(path, &database->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  bool ok = result == SQLITE_OK;
  if (!ok)
    avito_problem_of(problem, database->handle, result);
  else
    ok = prepare_patiently(database, full, problem);
  if (!ok)
    avito_database_close(database);
  return ok;
}

void avito_database_close(struct avito_database *database)
{
  /* To close it in a child would take the parent's file away from under it. */
  if (database->handle != NULL && database->pid == getpid()) {
    for (int i = 0; i < AVITO_STATEMENTS; i++)
      sqlite3_finalize(database->statements[i]);
    sqlite3_close_v2(database->handle);
  }
  memset(database, 0, sizeof *database);
}

/* Transactions */

static void end(struct avito_database *database)
{
  database->transaction = false;
  database->broken.code = NULL;
}

/* What is written to a file that has no name any more is lost with the process. */
static bool is_in_place(struct avito_database *database, struct avito_problem *problem)
{
  int moved = 0;
  if (sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved)
    return true;
  avito_problem_say(problem, "io", "the file was moved, removed or replaced: start the program again");
  return false;
}

bool avito_database_begin(struct avito_database *database, double seconds, struct avito_problem *problem)
{
  avito_database_calm(database);
  if (!is_in_place(database, problem))
    return false;
  avito_database_be_patient(database, seconds);
  if (!execute(database, "BEGIN IMMEDIATE", problem)) {
    undo(database);
    return false;
  }
  avito_database_be_patient(database, 0); /* nobody else has the file now */
  database->transaction = true;
  return true;
}

bool avito_database_commit(struct avito_database *database, struct avito_problem *problem)
{
  avito_database_calm(database);
  if (database->broken.code != NULL)
    *problem = database->broken;
  bool ok = database->broken.code == NULL && execute(database, "COMMIT", problem);
  undo(database);
  end(database);
  return ok;
}

void avito_database_rollback(struct avito_database *database)
{
  undo(database);
  end(database);
}

void avito_database_break(struct avito_database *database, const struct avito_problem *problem)
{
  undo(database);
  if (database->transaction && database->broken.code == NULL)
    database->broken = *problem;
}
