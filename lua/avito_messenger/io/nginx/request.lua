--- What goes over the wire: where to, the head, and whether the request is one at all.
local request = {}

local MAX_SECONDS = 24 * 3600
local MAX_BODY, MAX_HEAD = 32 * 1024 * 1024, 64 * 1024
local CONNECT = 5 -- seconds: one host that does not answer leaves time for another attempt
local MAX_FRAME = 64 * 1024

local METHODS = { GET = true, POST = true, PUT = true, PATCH = true, DELETE = true }
local BODILESS = { GET = true, DELETE = true }

local function misuse(...)
  error(string.format(...), 0)
end

local function check(field, value, kind, expected)
  if type(value) ~= kind then misuse("%s: %s expected, got %s", field, expected or kind, type(value)) end
  return value
end

local function seconds(field, value)
  check(field, value, "number", "number of seconds")
  if value ~= value or value <= 0 then misuse("%s must be greater than zero", field) end
  return math.min(value, MAX_SECONDS)
end

local function bytes(field, value)
  check(field, value, "number", "number of bytes")
  if value ~= value or value < 0 then misuse("%s must not be negative", field) end
  return value
end

local function path(field, value)
  if check(field, value, "string"):find("\0", 1, true) then misuse("%s holds a zero byte", field) end
  return value
end

local function frame(field, value)
  if #check(field, value or "", "string") > MAX_FRAME then misuse("%s is longer than %d bytes", field, MAX_FRAME) end
  return value or ""
end

local function read_upload(given)
  local upload = check("upload", given.upload, "table")
  if given.body then misuse "give body or upload, not both" end
  if BODILESS[given.method] then misuse("upload: a %s has none", given.method) end
  local read = { path = path("upload.path", upload.path), size = bytes("upload.size", upload.size),
    head = frame("upload.head", upload.head), tail = frame("upload.tail", upload.tail) }
  return read, #read.head + read.size + #read.tail
end

local OURS = { ["content-length"] = true, ["transfer-encoding"] = true }

local function check_headers(headers)
  local names = {}
  for i, text in ipairs(check("headers", headers, "table", "array of strings")) do
    check(("headers[%d]"):format(i), text, "string")
    if text:find "[\r\n]" or text:find("\0", 1, true) then misuse("headers[%d] holds CR, LF or a zero byte", i) end
    local name = text:match "^([%w!#$%%&'*+.^_`|~-]+):"
    if not name then misuse("headers[%d] is not of the form 'Name: value'", i) end
    name = name:lower()
    if OURS[name] then misuse("headers[%d]: %s follows from the body", i, name) end
    names[name] = true
  end
  return names
end

--- Checks a request and fills in what it leaves open. Raises for misuse, without a secret.
---@param given avito.Request
function request.read(given)
  check("a request", given, "table")
  local read = { method = check("method", given.method, "string"), url = check("url", given.url, "string"), body = given.body,
    timeout = seconds("timeout", given.timeout), max_bytes = bytes("max_bytes", given.max_bytes or MAX_BODY),
    max_head = bytes("max_head_bytes", given.max_head_bytes or MAX_HEAD), headers = given.headers or {} }
  if not METHODS[read.method] then misuse "method is none of GET, POST, PUT, PATCH, DELETE" end
  if read.url:find "[%c ]" then misuse "url holds a space or a control character" end
  read.connect = math.min(seconds("connect_timeout", given.connect_timeout or CONNECT), read.timeout)
  if read.body ~= nil then
    read.length = #check("body", read.body, "string")
    if read.method == "GET" then misuse "body: a GET has none" end
  end
  read.names = check_headers(read.headers)
  if given.upload ~= nil then read.upload, read.length = read_upload(given) end
  if given.output ~= nil then read.output = path("output", given.output) end
  return read
end

-- ---- where to

local PORTS = { http = 80, https = 443 }

local function is_loopback(host)
  if host == "localhost" or host == "[::1]" then return true end
  local a, b, c = host:match "^127%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$"
  return a ~= nil and tonumber(a) < 256 and tonumber(b) < 256 and tonumber(c) < 256
end

--- What a URL says: scheme, host, port, path, authority as it stands in a Host header; `address` is what to connect to. Or nil
--- and why nothing goes there.
---@param url string
---@return table?
---@return string?
function request.target(url)
  local scheme, authority, rest = url:match "^(%a+)://([^/?#]*)([^#]*)"
  scheme = scheme and scheme:lower()
  if not PORTS[scheme] then return nil, "the address must begin with https://" end
  if authority:find("@", 1, true) then return nil, "the address holds a user name" end
  local host, port = authority:match "^(%[[%x:.]+%]):?(%d*)$"
  if not host then host, port = authority:match "^([%w._-]+):?(%d*)$" end
  local number = port ~= "" and tonumber(port) or PORTS[scheme]
  if not host or number < 1 or number > 65535 then return nil, "the address is not a valid URL" end
  host = host:lower()
  if scheme == "http" and not is_loopback(host) then
    return nil, "plain http goes only to loopback (localhost, 127.0.0.0/8, [::1]); use https"
  end
  return {
    scheme = scheme, host = host, port = number, path = rest:sub(1, 1) == "/" and rest or "/" .. rest,
    authority = number == PORTS[scheme] and host or ("%s:%d"):format(host, number),
    -- nobody is asked for it, as nobody else's answer may make another machine of it
    address = host == "localhost" and "127.0.0.1" or host,
    is_name = host ~= "localhost" and not host:find "^%[" and not host:find "^[%d.]+$",
  }
end

local DEFAULTS = { { "accept", "Accept: */*" }, { "accept-encoding", "Accept-Encoding: identity" } }

--- The head of a request.
---@return string
function request.head(read, target)
  local lines = { ("%s %s HTTP/1.1"):format(read.method, target.path) }
  if not read.names.host then lines[2] = "Host: " .. target.authority end
  for _, default in ipairs(DEFAULTS) do
    if not read.names[default[1]] then lines[#lines + 1] = default[2] end
  end
  for _, text in ipairs(read.headers) do lines[#lines + 1] = text end
  if read.method ~= "GET" then lines[#lines + 1] = ("Content-Length: %.0f"):format(read.length or 0) end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

return request
