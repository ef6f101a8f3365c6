--- The file a rulebook is written in: running it, and finding the line of a rule.
local errors = require "avito_messenger.errors"
local layout = require "avito_messenger.bot.rulebook.layout"
local syntax = require "avito_messenger.bot.rulebook.syntax"

local source = {}

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local text
  text, message = file:read "*a"
  file:close()
  if not text then return nil, ("%s: %s"):format(path, message) end
  return text
end

-- Tables that begin with a string and are no rules.
local LISTS = { say = true, image = true, act = true, on = true, chat_type = true, flow_id = true, id = true }
local FAR = 200 -- bytes that are looked at before a brace

--- Is the brace behind this part of a line that of a rule? Not in a comment, nor in `avito.flow { "обмен"`, `say = { "торг"`.
local function begins_rule(before)
  if before:find("--", 1, true) then return false end
  local word, sign = before:match "([%w_]*)[ \t]*(=?)[ \t]*$"
  if sign == "=" then return not LISTS[word] end
  return word == "" or word == "return"
end

--- The line of every rule by its name; false for a name that stands at several.
---
--- For rules that do not stand in the table itself the text is searched for `{ "name"`, the way a rule begins. Those that
--- are made by a loop, come from another file or share their name with another table have no line.
---@param text string
---@return table<string, integer|false>
function source.lines(text)
  local lines, line, last = {}, 1, 1
  for at, _, name in text:gmatch "(){%s*([\"'])([^\"'\n]-)%2" do
    line = line + select(2, text:sub(last, at - 1):gsub("\n", ""))
    last = at
    if begins_rule(text:sub(math.max(1, at - FAR), at - 1):match "[^\n]*$") then
      if lines[name] == nil then lines[name] = line else lines[name] = false end
    end
  end
  return lines
end

--- The line of the file that was running when something was raised, and the message without its place.
local function raised(path)
  return function(problem)
    local message = errors.text(problem, "raised a ")
    local level = 2
    local info = debug.getinfo(level, "Sl")
    while info and info.source ~= "@" .. path do
      level = level + 1
      info = debug.getinfo(level, "Sl")
    end
    return { line = info and info.currentline, message = message }
  end
end

--- "file.lua:3: what is wrong" in its parts, where it is this file.
local function place(path, message)
  if message:sub(1, #path + 1) == path .. ":" then
    local line, rest = message:match("^(%d+): (.*)$", #path + 2)
    if line then return tonumber(line), rest end
  end
  return nil, message
end

-- What one Lua has and the other has not, and programs ask for.
local MAY_BE_ABSENT = {}
for name in ("jit bit bit32 utf8 unpack setfenv getfenv loadstring newproxy arg warn"):gmatch "%S+" do
  MAY_BE_ABSENT[name] = true
end

--- An environment of its own: a global that a rulebook sets by mistake stays in it. What is asked for while the file runs
--- and nobody has set, a misspelled name most often, is noted in `unknown` with its line.
local function environment(unknown)
  return setmetatable({}, { __index = function(_, name)
    local value = _G[name]
    if value == nil and not unknown.done and not MAY_BE_ABSENT[name] then
      unknown[#unknown + 1] = { name = tostring(name), line = debug.getinfo(2, "l").currentline }
    end
    return value
  end })
end

local function line_of(text, number)
  local line = 0
  for written in (text .. "\n"):gmatch "([^\n]*)\n" do
    line = line + 1
    if line == number then return written end
  end
end

local function run(text, path)
  if text:sub(1, 1) == "\27" then return nil, { message = "is compiled Lua, and a rulebook is text" } end
  -- What a file may begin with for the shell or an editor is no Lua; the line it stands on stays.
  text = text:gsub("^\239\187\191", ""):gsub("^#[^\n]*", "")
  local unknown = {}
  local chunk, message = load(text, "@" .. path, "t", environment(unknown))
  if not chunk then
    local line, rest = place(path, message)
    return nil, { line = line, message = syntax.told(rest, line and line_of(text, line) or "") }
  end
  local ok, value = xpcall(chunk, raised(path))
  unknown.done = true
  if ok then return { value = value, unknown = unknown } end
  local line, rest = place(path, value.message)
  -- Where a module was looked for fills a screen and says nothing to a seller.
  rest = rest:gsub("^(module '[^']*' not found:)\n.*", "%1 is its name misspelled, or is it not installed?")
  return nil, { line = line or value.line, message = rest }
end

--- Runs a file. What it returns, and the lines of its rules and settings; or what went wrong.
---@param path string
---@return { value: any, lines: table<string, integer|false>, layout: table, unknown: { name: string, line: integer }[] }?
---@return { line?: integer, message: string }?
function source.load(path)
  local text, message = read(path)
  if not text then return nil, { message = "cannot be read: " .. (message:match ":%s*(.*)$" or message) } end
  local result, problem = run(text, path)
  if not result then return nil, problem end
  result.lines, result.layout = source.lines(text), layout.read(text)
  return result
end

return source
