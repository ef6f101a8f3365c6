--- multipart/form-data (RFC 7578), as far as an upload needs it.
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

return multipart
