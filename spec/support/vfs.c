/* vfs.c - spec_support.vfs: makes the disk fail under SQLite, for specs. Once it is required, it is under every database
 * that this process opens from then on; it changes nothing until it is told to.
 *
 *   vfs.fail{ at =, code =, from_then_on =, reads = }
 *     at             the operation that fails, counted from 1 from now on; 0 or nil: none, it only counts
 *     code           "full": the disk is, "io": it does not work, "busy": somebody else has the lock
 *     from_then_on   all after it fail, too
 *     reads          reads are operations, too. Without: opening, writing, syncing, truncating and deleting files, and
 *                    growing the shared memory. With "busy" only locking is one.
 *     A write that fails has written half of what it should. Until off(), a sync that works is not done: it would only
 *     take time.
 *   vfs.count()      -> how many operations there were since
 *   vfs.failed()     -> how many of them failed, and what the last of those was: "write", "sync", …
 *   vfs.readonly(yes)   files are opened as those one may only read
 *   vfs.off()        all works again */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "compat.h"

AVITO_EXPORT int luaopen_spec_support_vfs(lua_State *L);

static struct {
  sqlite3_vfs *real;
  lua_Integer at;
  lua_Integer count;
  lua_Integer failures;
  const char *last;
  bool counting;
  bool full;
  bool busy;
  bool from_then_on;
  bool reads;
  bool readonly;
  bool without_wal;
} shim;

/* What SQLite holds; the file of the real VFS lies behind it. */
struct file {
  sqlite3_file base;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
  return (sqlite3_file *)((struct file *)file + 1);
}

static bool reached(const char *what)
{
  shim.count++;
  if (shim.at == 0 || shim.count < shim.at || (shim.count > shim.at && !shim.from_then_on))
    return false;
  shim.failures++;
  shim.last = what;
  errno = shim.full ? ENOSPC : EIO;
  return true;
}

/* Counts an operation: tells whether it is to fail. */
static bool fails(const char *what)
{
  return !shim.busy && reached(what);
}

static bool is_busy(const char *what)
{
  return shim.busy && reached(what);
}

/* Files */

static int on_close(sqlite3_file *file)
{
  return real_of(file)->pMethods->xClose(real_of(file));
}

static int on_read(sqlite3_file *file, void *into, int size, sqlite3_int64 offset)
{
  if (shim.reads && fails("read"))
    return SQLITE_IOERR_READ;
  return real_of(file)->pMethods->xRead(real_of(file), into, size, offset);
}

static int on_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
  sqlite3_file *real = real_of(file);
  if (!fails("write"))
    return real->pMethods->xWrite(real, data, size, offset);
  if (shim.count == shim.at)
    (void)real->pMethods->xWrite(real, data, size / 2, offset);
  errno = shim.full ? ENOSPC : EIO;
  return shim.full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
  if (fails("truncate"))
    return SQLITE_IOERR_TRUNCATE;
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int on_sync(sqlite3_file *file, int flags)
{
  if (fails("sync"))
    return SQLITE_IOERR_FSYNC;
  return shim.counting ? SQLITE_OK : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int on_lock(sqlite3_file *file, int lock)
{
  if (is_busy("lock"))
    return SQLITE_BUSY;
  return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int on_unlock(sqlite3_file *file, int lock)
{
  return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int on_check_reserved_lock(sqlite3_file *file, int *locked)
{
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), locked);
}

static int on_file_control(sqlite3_file *file, int operation, void *argument)
{
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int on_sector_size(sqlite3_file *file)
{
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int on_device_characteristics(sqlite3_file *file)
{
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int on_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **memory)
{
  if (extend && fails("shm")) {
    *memory = NULL;
    return SQLITE_IOERR_SHMSIZE;
  }
  return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, memory);
}

static int on_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
  if ((flags & SQLITE_SHM_LOCK) && is_busy("shm lock"))
    return SQLITE_BUSY;
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
  real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int on_shm_unmap(sqlite3_file *file, int remove)
{
  return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: nothing is read past xRead. Version 1 knows no shared memory. */
#define FILE_METHODS                                                                                                   \
  .xClose = on_close, .xRead = on_read, .xWrite = on_write, .xTruncate = on_truncate, .xSync = on_sync,                \
  .xFileSize = on_file_size, .xLock = on_lock, .xUnlock = on_unlock, .xCheckReservedLock = on_check_reserved_lock,     \
  .xFileControl = on_file_control, .xSectorSize = on_sector_size, .xDeviceCharacteristics = on_device_characteristics
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    FILE_METHODS,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};
static const sqlite3_io_methods methods_without_wal = {.iVersion = 1, FILE_METHODS};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
  (void)vfs;
  file->pMethods = NULL;
  if (fails("open"))
    return SQLITE_CANTOPEN;
  if (shim.readonly && (flags & SQLITE_OPEN_MAIN_DB))
    flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
  int result = shim.real->xOpen(shim.real, name, real_of(file), flags, given);
  if (real_of(file)->pMethods != NULL)
    file->pMethods = shim.without_wal ? &methods_without_wal : &methods;
  return result;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
  (void)vfs;
  if (fails("delete"))
    return SQLITE_IOERR_DELETE;
  return shim.real->xDelete(shim.real, name, sync_directory);
}

/* The real VFS takes whatever it is called with for itself, so that all else can stay its own. */
static void put_under(void)
{
  static sqlite3_vfs under;
  if (shim.real != NULL)
    return;
  shim.real = sqlite3_vfs_find(NULL);
  under = *shim.real;
  under.pNext = NULL;
  under.zName = "spec";
  under.szOsFile += (int)sizeof(struct file);
  under.xOpen = on_open;
  under.xDelete = on_delete;
  sqlite3_vfs_register(&under, 1);
}

/* Lua */

static void start(void)
{
  shim.at = shim.count = shim.failures = 0;
  shim.last = NULL;
  shim.counting = shim.full = shim.busy = shim.from_then_on = shim.reads = false;
}

static bool flag(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name);
  bool set = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return set;
}

static int fail(lua_State *L)
{
  static const char *const codes[] = {"io", "full", "busy", NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "at");   /* options at */
  lua_getfield(L, 1, "code"); /* options at code */
  lua_Integer at = luaL_optinteger(L, 2, 0);
  int code = luaL_checkoption(L, 3, "io", codes);
  start();
  shim.counting = true;
  shim.at = at;
  shim.full = code == 1;
  shim.busy = code == 2;
  shim.from_then_on = flag(L, "from_then_on");
  shim.reads = flag(L, "reads");
  return 0;
}

static int count(lua_State *L)
{
  lua_pushinteger(L, shim.count);
  return 1;
}

static int failed(lua_State *L)
{
  lua_pushinteger(L, shim.failures);
  lua_pushstring(L, shim.last);
  return 2;
}

static int readonly(lua_State *L)
{
  shim.readonly = lua_toboolean(L, 1);
  return 0;
}

static int without_wal(lua_State *L)
{
  shim.without_wal = lua_toboolean(L, 1);
  return 0;
}

static int off(lua_State *L)
{
  (void)L;
  start();
  shim.readonly = shim.without_wal = false;
  return 0;
}

int luaopen_spec_support_vfs(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"fail", fail}, {"count", count}, {"failed", failed}, {"readonly", readonly}, {"without_wal", without_wal},
      {"off", off},   {NULL, NULL},
  };
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  put_under();
  return 1;
}
