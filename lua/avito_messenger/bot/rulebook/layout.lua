--- Where the parts of a rulebook stand in its file: a plain table knows nothing of where it was written, and a debug hook
--- that watches the chunk would slow down and disturb what it runs.
local layout = {}

--- Where a comment, text, name or sign that begins at `at` ends, and which of them it is.
local function token(text, at)
  local comment = text:find("^%-%-", at)
  local equals = text:match(comment and "^%-%-%[(=*)%[" or "^%[(=*)%[", at)
  if equals then
    local _, stop = text:find("]" .. equals .. "]", at, true)
    return stop or #text, comment and "comment" or "text"
  end
  if comment then return (text:find("\n", at, true) or #text + 1) - 1, "comment" end
  local quote = text:match("^[\"']", at)
  if quote then
    local stop = at + 1
    while stop <= #text and text:sub(stop, stop) ~= quote do
      stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
    end
    return stop, "text"
  end
  local _, stop = text:find("^[%a_\128-\255][%w_\128-\255]*", at)
  if stop then return stop, "name" end
  return at, "sign"
end

--- The tokens of a Lua file but for comments, each with its line.
local function tokens(text)
  local at, line, last = 1, 1, 1
  return function()
    while true do
      at = text:find("%S", at)
      if not at then return end
      line = line + select(2, text:sub(last, at - 1):gsub("\n", ""))
      last = at
      local stop, kind = token(text, at)
      local written = text:sub(at, stop)
      at = stop + 1
      if kind ~= "comment" then return kind, written, line end
    end
  end
end

--- Notes an element of the table: the name of a field, or one of the list.
local function note(found, element)
  if not element then return end
  if element.bracket or element.name and element.sign == "=" then
    if element.name then found.fields[element.name] = element.line end
  else
    found.entries[#found.entries + 1] = { line = element.line, is_table = element.is_table }
  end
end

local OPENS, CLOSES = { ["{"] = true, ["("] = true, ["["] = true }, { ["}"] = true, [")"] = true, ["]"] = true }

--- The elements of the table whose brace was just taken.
local function elements(next_token)
  local found, depth, element = { fields = {}, entries = {} }, 0, nil
  for kind, written, line in next_token do
    if depth == 0 and (written == "," or written == ";" or written == "}") then
      note(found, element)
      element = nil
      if written == "}" then return found end
    elseif not element then
      element = { line = line, name = kind == "name" and written or nil, is_table = written == "{",
        bracket = written == "[" }
    elseif element.sign == nil then
      element.sign = written
      if element.bracket and kind == "text" then element.name = written:sub(2, -2) end
    end
    if kind == "sign" and OPENS[written] then depth = depth + 1 end
    if kind == "sign" and CLOSES[written] then depth = depth - 1 end
  end
  return found
end

--- The lines of the fields and of the list of the table that the file returns; where it is not written there, of none.
---@param text string
---@return { fields: table<string, integer>, entries: { line: integer, is_table: boolean }[] }
function layout.read(text)
  local found, returns = { fields = {}, entries = {} }, false
  local next_token = tokens(text)
  for kind, written in next_token do
    if returns and written == "{" then
      found, returns = elements(next_token), false
    elseif kind == "name" then
      returns = written == "return" or returns and written ~= "end"
    elseif written ~= "." and written ~= "(" then
      returns = false
    end
  end
  return found
end

return layout
