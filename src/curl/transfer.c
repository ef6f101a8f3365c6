#include "transfer.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "failure.h"

#define FIRST_CAPACITY ((size_t)1024)
#define CLIENT_HEADER  512 /* bytes of a header line that is rewritten for libcurl */

static bool append(struct avito_bytes *bytes, const char *data, size_t length)
{
  size_t needed = bytes->length + length;

  if (needed > bytes->capacity) {
    size_t capacity = bytes->capacity ? bytes->capacity : FIRST_CAPACITY;
    char *grown;
    while (capacity < needed)
      capacity *= 2;
    grown = realloc(bytes->data, capacity);
    if (!grown)
      return false;
    bytes->data = grown;
    bytes->capacity = capacity;
  }
  memcpy(bytes->data + bytes->length, data, length);
  bytes->length = needed;
  return true;
}

static void clear(struct avito_bytes *bytes, size_t kept)
{
  if (bytes->capacity > kept) {
    free(bytes->data);
    memset(bytes, 0, sizeof *bytes);
  }
  bytes->length = 0;
}

/* ---- callbacks: returning anything but the expected value ends the transfer ---- */

/* libcurl repeats a request by itself when a kept-alive connection dies before the first byte of
 * the answer, POST included, and no option forbids it. It asks here before each start; there is
 * only one. */
static int on_start(void *user, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
  struct avito_transfer *transfer = user;

  (void)primary_ip;
  (void)local_ip;
  (void)primary_port;
  (void)local_port;
  if (transfer->starts++ > 0)
    return CURL_PREREQFUNC_ABORT;
  transfer->reused = !transfer->connected;
  return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct avito_transfer *transfer = user;
  int type = address->socktype;

  (void)purpose;
  transfer->connected = true;
  if (address->addrlen <= sizeof transfer->peer)
    memcpy(&transfer->peer, &address->addr, address->addrlen);
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC; /* a program the caller starts must not hold the connection open */
#endif
  return socket(address->family, type, address->protocol);
}

static bool is_status_line(const char *line, size_t length)
{
  return length > strlen("HTTP/") && memcmp(line, "HTTP/", strlen("HTTP/")) == 0;
}

/* libcurl takes "10, 20" or "1x" for a number and calls an answer whole that is not. */
static bool is_length(const char *value, const char *end)
{
  const char *digit;

  while (value < end && (*value == ' ' || *value == '\t'))
    value++;
  while (end > value && strchr(" \t\r\n", end[-1]))
    end--;
  for (digit = value; digit < end; digit++)
    if (*digit < '0' || *digit > '9')
      return false;
  return digit > value;
}

static bool is_well_framed(const char *line, size_t length)
{
  static const char name[] = "Content-Length:";
  const size_t name_length = sizeof name - 1;

  if (length < name_length || !curl_strnequal(line, name, name_length))
    return true;
  return is_length(line + name_length, line + length);
}

static size_t on_head(char *line, size_t size, size_t count, void *user)
{
  struct avito_transfer *transfer = user;
  size_t length = size * count;
  long status = 0;

  /* heads of 1xx answers and trailers count too: a server could send them for ever */
  transfer->head_seen += length;
  if (transfer->head_seen > transfer->max_head || ++transfer->head_lines > AVITO_MAX_HEAD_LINES) {
    transfer->head_over = true;
    return 0;
  }
  if (transfer->in_body) /* a trailer */
    return length;
  if (is_status_line(line, length))
    transfer->head.length = 0;
  if (!is_well_framed(line, length)) {
    transfer->misframed = true;
    return 0;
  }
  if (!append(&transfer->head, line, length)) {
    transfer->no_memory = true;
    return 0;
  }
  if (line[0] == '\r' || line[0] == '\n') {
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->in_body = status >= 200;
    transfer->to_file = transfer->files.output && status >= 200 && status < 300;
  }
  return length;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
  struct avito_transfer *transfer = user;
  size_t length = size * count;

  if (length > transfer->max_body - transfer->body_seen) {
    transfer->body_over = true;
    return 0;
  }
  transfer->body_seen += length;
  if (transfer->to_file)
    return avito_files_write(&transfer->files, data, length) ? length : 0;
  if (!append(&transfer->body, data, length)) {
    transfer->no_memory = true;
    return 0;
  }
  return length;
}

/* ---- the handle ---- */

static bool set_callbacks(CURL *easy, struct avito_transfer *transfer)
{
  AVITO_SET(easy, CURLOPT_ERRORBUFFER, transfer->detail);
  AVITO_SET(easy, CURLOPT_PRIVATE, transfer);
  AVITO_SET(easy, CURLOPT_PREREQFUNCTION, on_start);
  AVITO_SET(easy, CURLOPT_PREREQDATA, transfer);
  AVITO_SET(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
  AVITO_SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
  AVITO_SET(easy, CURLOPT_HEADERFUNCTION, on_head);
  AVITO_SET(easy, CURLOPT_HEADERDATA, transfer);
  AVITO_SET(easy, CURLOPT_WRITEFUNCTION, on_body);
  AVITO_SET(easy, CURLOPT_WRITEDATA, transfer);
  AVITO_SET(easy, CURLOPT_READFUNCTION, avito_files_read);
  AVITO_SET(easy, CURLOPT_READDATA, &transfer->files);
  AVITO_SET(easy, CURLOPT_SEEKFUNCTION, avito_files_seek);
  AVITO_SET(easy, CURLOPT_SEEKDATA, &transfer->files);
  return true;
}

bool avito_transfer_open(struct avito_transfer *transfer, const struct avito_transport *transport)
{
  CURL *easy = curl_easy_init();

  if (!easy)
    return false;
  transfer->easy = easy;
  transfer->proxied = transport->proxy && *transport->proxy;
  if (avito_transport_set(easy, transport) && set_callbacks(easy, transfer))
    return true;
  avito_transfer_close(transfer);
  return false;
}

/* ---- one exchange ---- */

static bool is_named(const char *line, const char *name)
{
  size_t length = strlen(name);
  return curl_strnequal(line, name, length) && line[length] == ':';
}

static bool add_header(struct avito_transfer *transfer, const char *line)
{
  struct curl_slist *list = curl_slist_append(transfer->headers, line);

  if (list)
    transfer->headers = list;
  return list != NULL;
}

/* libcurl reads "Name:" as "leave Name out" and wants "Name;" for a header without a value. */
static bool add_empty_header(lua_State *L, struct avito_transfer *transfer, const char *line, size_t name_length)
{
  char name[CLIENT_HEADER];

  if (name_length > sizeof name - 2)
    luaL_error(L, "headers: a header name is too long");
  memcpy(name, line, name_length);
  memcpy(name + name_length, ";", sizeof ";");
  return add_header(transfer, name);
}

static bool read_header(lua_State *L, struct avito_transfer *transfer, int position, bool *content_type)
{
  const char *line;
  const char *colon;
  size_t length;

  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "headers[%d]: string expected, got %s", position, luaL_typename(L, -1));
  line = lua_tolstring(L, -1, &length);
  if (strlen(line) != length || strpbrk(line, "\r\n"))
    luaL_error(L, "headers[%d] holds CR, LF or a zero byte", position);
  colon = strchr(line, ':');
  if (!colon || colon == line || strcspn(line, " \t;") < (size_t)(colon - line))
    return luaL_error(L, "headers[%d] is not of the form 'Name: value'", position) != 0;
  if (is_named(line, "Content-Type"))
    *content_type = true;
  if (colon[1 + strspn(colon + 1, " \t")] == '\0')
    return add_empty_header(L, transfer, line, (size_t)(colon - line));
  return add_header(transfer, line);
}

static enum avito_body_kind kind_of_body(const struct avito_request *request)
{
  if (strcmp(request->method, "GET") == 0)
    return AVITO_NO_BODY;
  return request->body_length < AVITO_EXPECT_BYTES ? AVITO_SMALL_BODY : AVITO_LARGE_BODY;
}

/* Were the same lines checked and made into a list for the last request? They mostly were. */
static bool same_headers(lua_State *L, const struct avito_transfer *transfer, const struct avito_request *request,
                         int count, enum avito_body_kind kind)
{
  const struct curl_slist *node = transfer->headers;
  bool same = transfer->header_lines == count && transfer->headers_of == kind;

  for (int i = 1; i <= count && same; i++) {
    size_t length = 0;
    lua_rawgeti(L, request->headers, i); /* ... line */
    const char *line = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : "";
    same = strlen(node->data) == length && memcmp(node->data, line, length) == 0;
    node = node->next;
    lua_pop(L, 1); /* ... */
  }
  return same;
}

/* The list is the transfer's from its first node on, so that an error may be raised at any line. */
static void set_headers(lua_State *L, struct avito_transfer *transfer, const struct avito_request *request)
{
  bool content_type = false;
  bool enough = true;
  enum avito_body_kind kind = kind_of_body(request);
  int count = lua_istable(L, request->headers) ? (int)lua_rawlen(L, request->headers) : 0;

  if (same_headers(L, transfer, request, count, kind))
    return;
  curl_slist_free_all(transfer->headers);
  transfer->headers = NULL;
  transfer->header_lines = -1; /* of no use again until it is whole */
  for (int i = 1; i <= count && enough; i++) {
    lua_rawgeti(L, request->headers, i); /* ... line */
    enough = read_header(L, transfer, i, &content_type);
    lua_pop(L, 1); /* ... */
  }
  if (kind == AVITO_LARGE_BODY)
    enough = enough && add_header(transfer, "Expect:"); /* waiting for 100 costs a second */
  if (kind != AVITO_NO_BODY && !content_type)           /* else libcurl claims a form */
    enough = enough && add_header(transfer, "Content-Type:");
  if (!enough)
    luaL_error(L, "not enough memory");
  transfer->header_lines = count;
  transfer->headers_of = kind;
}

static bool set_method(CURL *easy, const struct avito_request *request)
{
  if (strcmp(request->method, "GET") == 0) {
    AVITO_SET(easy, CURLOPT_HTTPGET, 1L);
    AVITO_SET(easy, CURLOPT_CUSTOMREQUEST, NULL);
    return true;
  }
  AVITO_SET(easy, CURLOPT_POST, 1L);
  /* without the bytes themselves libcurl asks for them */
  AVITO_SET(easy, CURLOPT_POSTFIELDS, request->upload.path ? NULL : request->body ? request->body : "");
  AVITO_SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
  AVITO_SET(easy, CURLOPT_CUSTOMREQUEST, strcmp(request->method, "POST") == 0 ? NULL : request->method);
  return true;
}

static bool set_exchange(struct avito_transfer *transfer, const struct avito_request *request)
{
  CURL *easy = transfer->easy;

  AVITO_SET(easy, CURLOPT_CURLU, transfer->target.parts);
  AVITO_SET(easy, CURLOPT_HTTPHEADER, transfer->headers);
  if (transfer->timeout_ms != request->timeout_ms) {
    AVITO_SET(easy, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    transfer->timeout_ms = request->timeout_ms;
  }
  if (transfer->connect_timeout_ms != request->connect_timeout_ms) {
    AVITO_SET(easy, CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_ms);
    transfer->connect_timeout_ms = request->connect_timeout_ms;
  }
  if (transfer->direct != transfer->plain) {
    /* no proxy may see what is meant for this machine; else the environment's no_proxy holds */
    AVITO_SET(easy, CURLOPT_NOPROXY, transfer->plain ? "*" : NULL);
    transfer->direct = transfer->plain;
  }
  return set_method(easy, request);
}

bool avito_transfer_begin(lua_State *L, struct avito_transfer *transfer, const struct avito_request *request)
{
  avito_transfer_rest(transfer);
  set_headers(L, transfer, request);
  transfer->max_body = request->max_body;
  transfer->max_head = request->max_head;
  transfer->refusal = avito_address_refusal(request->url, &transfer->plain);
  if (!transfer->refusal)
    transfer->refusal = avito_target_set(&transfer->target, request->url);
  if (transfer->refusal)
    return false;
  if (!append(&transfer->url, request->url, strlen(request->url) + 1) || !avito_files_take(&transfer->files, request))
    luaL_error(L, "not enough memory");
  if (!avito_files_open(&transfer->files))
    return false;
  if (!set_exchange(transfer, request))
    luaL_error(L, "libcurl could not take the request");
  return true;
}

void avito_transfer_end(struct avito_transfer *transfer, CURLcode code)
{
  transfer->code = code;
  avito_files_close(&transfer->files, transfer->to_file && code == CURLE_OK);
  (void)curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
}

bool avito_transfer_dispatched(const struct avito_transfer *transfer)
{
  return transfer->starts > 0;
}

static void push_failure(lua_State *L, const struct avito_transfer *transfer)
{
  struct avito_failure failure;

  avito_transfer_failure(transfer, &failure);
  lua_createtable(L, 0, 4); /* response */
  lua_pushstring(L, failure.kind);
  lua_setfield(L, -2, "error");
  if (transfer->files.failed)
    avito_files_push(L, &transfer->files);
  else
    lua_pushstring(L, failure.message);
  lua_setfield(L, -2, "message");
  lua_pushboolean(L, failure.dispatched);
  lua_setfield(L, -2, "dispatched");
  if (failure.stale) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "stale");
  }
}

void avito_transfer_push(lua_State *L, const struct avito_transfer *transfer)
{
  long status = 0;

  if (transfer->refusal || transfer->files.failed || transfer->code != CURLE_OK || !transfer->in_body) {
    push_failure(L, transfer);
    return;
  }
  curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
  lua_createtable(L, 0, 3); /* response */
  lua_pushinteger(L, (lua_Integer)status);
  lua_setfield(L, -2, "status");
  lua_pushlstring(L, transfer->head.data, transfer->head.length);
  lua_setfield(L, -2, "head");
  lua_pushlstring(L, transfer->body.length ? transfer->body.data : "", transfer->body.length);
  lua_setfield(L, -2, "body");
  if (transfer->to_file) {
    lua_pushinteger(L, (lua_Integer)transfer->body_seen);
    lua_setfield(L, -2, "bytes");
  }
}

void avito_transfer_rest(struct avito_transfer *transfer)
{
  clear(&transfer->head, AVITO_KEPT_CAPACITY);
  clear(&transfer->body, AVITO_KEPT_CAPACITY);
  clear(&transfer->url, AVITO_KEPT_CAPACITY);
  avito_files_free(&transfer->files);
  transfer->refusal = NULL;
  transfer->body_seen = 0;
  transfer->to_file = false;
  transfer->head_seen = 0;
  transfer->head_lines = 0;
  transfer->starts = 0;
  transfer->connected = false;
  transfer->reused = false;
  transfer->in_body = false;
  transfer->head_over = false;
  transfer->misframed = false;
  transfer->body_over = false;
  transfer->no_memory = false;
  transfer->peer.ss_family = AF_UNSPEC;
  transfer->code = CURLE_OK;
  transfer->detail[0] = '\0';
}

void avito_transfer_abandon(struct avito_transfer *transfer)
{
  curl_slist_free_all(transfer->headers);
  free(transfer->head.data);
  free(transfer->body.data);
  free(transfer->url.data);
  avito_files_free(&transfer->files);
  avito_target_free(&transfer->target);
  memset(transfer, 0, sizeof *transfer);
}

void avito_transfer_close(struct avito_transfer *transfer)
{
  curl_easy_cleanup(transfer->easy);
  avito_transfer_abandon(transfer);
}
