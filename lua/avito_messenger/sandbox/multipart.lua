--- multipart/form-data (RFC 7578), as far as an upload needs it.
local check = require "avito_messenger.sandbox.check"
local reply = require "avito_messenger.sandbox.reply"

local multipart = {}

---@class avito.sandbox.Part
---@field name string
---@field filename? string
---@field type? string
---@field data string

local function parameter(header, name)
  return header:match("[;%s]" .. name .. '="([^"]*)"') or header:match("[;%s]" .. name .. "=([^;%s]+)")
end

local function read_part(text)
  local head, data = text:match("^(.-)\r\n\r\n(.*)$")
  if text:sub(1, 2) == "\r\n" then head, data = "", text:sub(3) end
  if not head then return nil, "a part has no end of its head" end
  local part = { data = data }
  for name, value in (head .. "\r\n"):gmatch("([^:\r\n]+):[ \t]*([^\r\n]*)\r\n") do
    name = name:lower()
    if name == "content-disposition" then
      if not value:lower():find("^form%-data") then return nil, "a part is no form-data" end
      part.name, part.filename = parameter(value, "name"), parameter(value, "filename")
    elseif name == "content-type" then
      part.type = value
    end
  end
  if not part.name then return nil, "a part has no name" end
  return part
end

--- The parts of a body.
---@param content_type string the request's Content-Type
---@param body string
---@return avito.sandbox.Part[]? parts
---@return string? problem
function multipart.read(content_type, body)
  local boundary = parameter(content_type, "boundary")
  if not boundary or #boundary > 70 then return nil, "the Content-Type has no boundary" end
  local mark = "\r\n--" .. boundary
  body = "\r\n" .. body -- so that the first mark looks like the others
  local parts = {}
  local _, at = body:find(mark, 1, true)
  if not at then return nil, "the boundary does not occur in the body" end
  while body:sub(at + 1, at + 2) ~= "--" do
    local _, line = body:find("^[ \t]*\r\n", at + 1)
    if not line then return nil, "a boundary line does not end" end
    local next_mark, next_at = body:find(mark, line + 1, true)
    if not next_mark then
      next_mark, next_at = body:find(mark, line - 1, true)
    end
    if not next_mark then return nil, "the last part does not end with its boundary" end
    local part, problem = read_part(body:sub(line + 1, next_mark - 1))
    if not part then return nil, problem end
    parts[#parts + 1] = part
    at = next_at
  end
  return parts
end

--- The one file a request uploads under a name; refuses a request that is none.
---@param request avito.sandbox.Request
---@param name string
---@param strict boolean refuse other parts
---@return avito.sandbox.Part
function multipart.file(request, name, strict)
  if check.media_type(request) ~= "multipart/form-data" then
    reply.refuse(reply.error(415, "Unsupported Media Type: multipart/form-data expected"))
  end
  local parts, problem = multipart.read(request.headers["content-type"], request.body)
  if not parts then reply.refuse(reply.error(400, "Bad Request: " .. problem)) end
  local file
  for _, part in ipairs(parts --[[@as table]]) do
    if part.name == name then
      if file then check.refuse(name, "one file a request") end
      file = part
    elseif strict then
      check.refuse(part.name, "the contract has no such field")
    end
  end
  if not file then check.refuse(name, "required") end
  if not file.filename then check.refuse(name, "a file (with a file name) expected") end
  return file
end

return multipart
