--- Reading one HTTP/1.1 answer: strictly, for what can be read in two ways is read as another answer sooner or later, and with a
--- bound to everything a server may send.
local answer = {}

local MAX_LINES = 1000 -- of all heads and trailers: many tiny ones fit in few bytes, but cost whoever reads them
local MAX_CHUNKS = 100000
local MAX_CHUNK_LINE = 1024 -- bytes, with what servers add to the size

---@class avito_messenger.BrokenAnswer raised
---@field broken "cut"|"malformed"|"head"|"body"|"encoding" cut: the connection ended; head, body: longer than it may be
local Broken = {}

local function broken(what)
  error(setmetatable({ broken = what }, Broken), 0)
end

--- Is it what `answer.read` raised?
---@param problem any
---@return boolean
function answer.is_broken(problem)
  return getmetatable(problem) == Broken
end

-- ---- bytes and lines

--- Gets more bytes; those that are there have been taken. False at the end of the connection.
local function fill(reader)
  local data = reader.source()
  if not data then return false end
  reader.buffer, reader.at = data, 1
  return true
end

local function need(reader)
  if not fill(reader) then broken "cut" end
end

--- The next line without its end, and how many bytes it is with it. `over`: what is broken when that is more than `limit`.
local function line(reader, limit, over)
  local pieces, length = {}, 0
  while true do
    local stop = reader.buffer:find("\n", reader.at, true)
    local piece = reader.buffer:sub(reader.at, stop or -1)
    length = length + #piece
    if length > limit then broken(over) end
    pieces[#pieces + 1] = piece
    if stop then
      reader.at = stop + 1
      break
    end
    need(reader)
  end
  local text = table.concat(pieces)
  if text:sub(-2) ~= "\r\n" or text:find("[^\t\32-\126\128-\255]") ~= length - 1 then broken "malformed" end
  return text:sub(1, -3), length
end

--- Hands the next `count` bytes on.
local function take(reader, count, sink)
  while count > 0 do
    if reader.at > #reader.buffer then need(reader) end
    local piece = reader.buffer:sub(reader.at, reader.at + count - 1)
    reader.at = reader.at + #piece
    count = count - #piece
    sink(piece)
  end
end

-- ---- heads

local function head_line(reader)
  reader.lines = reader.lines + 1
  if reader.lines > MAX_LINES then broken "head" end
  local text, length = line(reader, reader.head_left, "head")
  reader.head_left = reader.head_left - length
  return text
end

--- A header's name and value. One that goes on in the next line is none.
local function field(text)
  local name, value = text:match "^([%w!#$%%&'*+.^_`|~-]+):[ \t]*(.-)[ \t]*$"
  if not name then broken "malformed" end
  return name:lower(), value
end

local READ = { ["content-length"] = true, ["transfer-encoding"] = true, connection = true, ["content-encoding"] = true }

local function one_head(reader)
  local first = head_line(reader)
  local minor, status = (first .. " "):match "^HTTP/1%.([01]) ([1-5]%d%d) "
  if not status or status == "101" then broken "malformed" end
  local head = { status = tonumber(status), minor = minor, fields = {} }
  local lines = { first }
  while true do
    local text = head_line(reader)
    lines[#lines + 1] = text
    if text == "" then break end
    local name, value = field(text)
    local before = head.fields[name] -- two lengths or codings make one that is none
    if READ[name] then head.fields[name] = (before and before .. "," or "") .. value:lower() end
  end
  head.text = table.concat(lines, "\r\n") .. "\r\n"
  return head
end

local START = "HTTP/1."

--- What speaks another language may never end its line.
local function check_start(reader)
  repeat
    local had = reader.buffer
    need(reader)
    reader.buffer = had .. reader.buffer
    local length = math.min(#reader.buffer, #START)
    if reader.buffer:sub(1, length) ~= START:sub(1, length) then broken "malformed" end
  until length == #START
end

--- The head of the final answer; those before it are dropped.
local function final_head(reader)
  local head
  check_start(reader)
  repeat head = one_head(reader) until head.status >= 200
  return head
end

-- ---- bodies

local function chunks(reader, sink)
  for _ = 1, MAX_CHUNKS do
    local digits, rest = line(reader, MAX_CHUNK_LINE, "malformed"):match "^(%x+)(.*)$"
    if not digits or #digits > 12 or not (rest == "" or rest:find "^[ \t]*;") then broken "malformed" end
    local size = tonumber(digits, 16)
    if size == 0 then
      repeat
        local text = head_line(reader)
        if text ~= "" then field(text) end
      until text == ""
      return
    end
    if size > reader.body_left then broken "body" end
    take(reader, size, sink)
    line(reader, 2, "malformed") -- which holds no more than its end
  end
  broken "malformed"
end

local function until_closed(reader, sink)
  repeat take(reader, #reader.buffer - reader.at + 1, sink) until not fill(reader)
end

--- How the body is framed: its length, "chunks" or "closed".
local function framing(head)
  local length, coding = head.fields["content-length"], head.fields["transfer-encoding"]
  if length and (coding or not length:find "^%d+$") then broken "malformed" end
  if coding and (coding ~= "chunked" or head.minor == "0") then broken "malformed" end
  if head.status == 204 or head.status == 304 then return 0 end
  return length and tonumber(length) or coding and "chunks" or "closed"
end

local function read_body(reader, how, sink)
  if how == "chunks" then
    chunks(reader, sink)
  elseif how == "closed" then
    until_closed(reader, sink)
  else
    if how > reader.body_left then broken "body" end
    take(reader, how, sink)
  end
end

--- Reads the answer to a request that is no HEAD.
---@param source fun(): string? the next bytes of the connection, at least one; nil at its end
---@param max_head integer bytes of all heads and trailers
---@param max_body integer bytes
---@param output? fun(piece: string) gets the body of a 2xx answer
---@return avito.Response
---@return boolean keep can the connection take another request?
function answer.read(source, max_head, max_body, output)
  local reader = { source = source, buffer = "", at = 1, lines = 0, head_left = max_head, body_left = max_body }
  local head = final_head(reader)
  local how = framing(head)
  local coding = head.fields["content-encoding"] or ""
  if how ~= 0 and coding ~= "" and coding ~= "identity" then broken "encoding" end
  local pieces = {}
  local to_file = output and head.status < 300 and output
  read_body(reader, how, function(piece)
    reader.body_left = reader.body_left - #piece
    if reader.body_left < 0 then broken "body" end
    if to_file then to_file(piece) else pieces[#pieces + 1] = piece end
  end)
  local response = { status = head.status, head = head.text, body = table.concat(pieces),
    bytes = to_file and max_body - reader.body_left or nil }
  local keep = how ~= "closed" and head.minor == "1" and reader.at > #reader.buffer
    and not ("," .. (head.fields.connection or "") .. ","):find "[, \t]close[, \t]"
  return response, keep
end

return answer
