--- Puts a flow's function, and the helpers it reaches, into an environment in which nothing does something else when the
--- flow is replayed. Outside of a running flow they behave as ever.
---
--- Reached are: functions in locals of the function, and so on; and, in tables that such locals hold, functions of the same
--- file. Modules, objects (tables with a metatable) and tables deeper than two levels are left alone. Of outer
--- locals it is seen when a flow gives them another value, not when it changes a table they hold.
local guards = require "avito_messenger.bot.flow.guards"

local environment = {}

local TABLE_LEVELS = 2
local HOME = debug.getinfo(1, "S").source:match "^(.*[/\\])bot[/\\]flow[/\\]" -- this project's own files

local Walk = {}
Walk.__index = Walk

local function modules()
  local set = {}
  for _, module in pairs(package.loaded) do set[module] = true end
  return set
end

local function is_own(source)
  return HOME ~= nil and source:sub(1, #HOME) == HOME
end

function Walk:mistake(text)
  self.problem = self.problem or text
end

-- Its calls are out of sight of the guards, and with the blocking driver nothing else would stop them.
local function is_client(value)
  local metatable = type(value) == "table" and getmetatable(value)
  return type(metatable) == "table" and rawget(metatable, "__name") == "avito_messenger.Client"
end

--- Notes what is behind `where`, a text like "the local 'x'". `level`: how many tables it is inside of.
function Walk:add(value, where, level)
  local why = guards.why_forbidden(value)
  if why then return self:mistake(("%s is a function that a flow may not use: %s"):format(where, why)) end
  if is_client(value) then
    return self:mistake(where .. " is a client, which a flow may not use: its calls would be made again when the flow is "
      .. "replayed; use c:call() with a function of calls")
  end
  if value == nil or self.seen[value] then return end
  if type(value) == "function" then
    local info = debug.getinfo(value, "S")
    if info.what == "C" or is_own(info.source) or (level > 0 and info.source ~= self.source) then return end
  elseif type(value) ~= "table" or level >= TABLE_LEVELS or getmetatable(value) ~= nil or self.modules[value] then
    return
  end
  self.seen[value] = true
  self.queue[#self.queue + 1] = { value = value, where = where, level = level, is_function = type(value) == "function" }
end

local function place_of(fn)
  local info = debug.getinfo(fn, "S")
  return ("of the function at %s:%d"):format(info.short_src, info.linedefined)
end

function Walk:visit_upvalue(fn, at, name, value)
  local where = ("the local '%s'"):format(name)
  if fn ~= self.first then where = where .. " " .. place_of(fn) end
  local twin = guards.twin(value)
  if twin and not guards.why_forbidden(value) then
    self.joins[#self.joins + 1] = { fn = fn, at = at, value = twin }
  else
    self:add(value, where, 0)
  end
end

function Walk:visit_function(fn)
  self.functions[#self.functions + 1] = fn
  local is_near = debug.getinfo(fn, "S").source == self.source
  for at = 1, 255 do
    local name, value = debug.getupvalue(fn, at)
    if not name then return end
    if name ~= "_ENV" then
      self:visit_upvalue(fn, at, name, value)
      if is_near then self.cells[#self.cells + 1] = { fn = fn, at = at, name = name } end
    end
  end
end

function Walk:visit_table(value, where, level)
  for key, member in next, value do
    local kind = type(member)
    if kind == "function" or kind == "table" then
      self:add(member, ("%s: its field '%s'"):format(where, tostring(key)), level + 1)
    end
  end
end

local function walk_from(fn)
  local walk = setmetatable({
    first = fn, source = debug.getinfo(fn, "S").source,
    modules = modules(), seen = {}, queue = {}, functions = {}, joins = {}, cells = {},
  }, Walk)
  walk:add(fn, "the function", 0)
  local at = 1
  while walk.queue[at] do
    local entry = walk.queue[at]
    if entry.is_function then
      walk:visit_function(entry.value)
    else
      walk:visit_table(entry.value, entry.where, entry.level)
    end
    at = at + 1
  end
  return walk
end

local function join(fn, at, value)
  debug.upvaluejoin(fn, at, function() return value end, 1)
end

-- Lua 5.1 and LuaJIT keep the environment with the function, Lua 5.4 in an upvalue that a whole file shares.
local function enclose(fn)
  if setfenv then return setfenv(fn, guards.environment(getfenv(fn))) end -- luacheck: ignore 113
  for at = 1, 255 do
    local name, env = debug.getupvalue(fn, at)
    if not name then return end
    if name == "_ENV" and type(env) == "table" then return join(fn, at, guards.environment(env)) end
  end
end

--- Encloses the function. May be called again, for locals that were given a value since.
---@param fn function
---@return table? cells the outer locals to watch, for `snapshot`
---@return string? problem what of it a flow may not use
function environment.protect(fn)
  local walk = walk_from(fn)
  if walk.problem then return nil, walk.problem end
  for _, entry in ipairs(walk.joins) do join(entry.fn, entry.at, entry.value) end
  for _, reached in ipairs(walk.functions) do enclose(reached) end
  return walk.cells
end

--- The values of the outer locals, for `changed`.
---@param cells table
---@return table
function environment.snapshot(cells)
  local values = {}
  for index, cell in ipairs(cells) do
    local _, value = debug.getupvalue(cell.fn, cell.at)
    values[index] = value
  end
  return values
end

--- The name of an outer local that is not what it was.
---@param cells table
---@param values table what snapshot returned
---@return string?
function environment.changed(cells, values)
  for index, cell in ipairs(cells) do
    local _, value = debug.getupvalue(cell.fn, cell.at)
    local before = values[index]
    if not rawequal(value, before) and (value == value or before == before) then return cell.name end
  end
end

return environment
