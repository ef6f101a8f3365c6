--- What stands for the functions and libraries that would do something else when a flow is replayed: errors that name the
--- right call while a flow runs, and the functions themselves at any other time.
---
--- Not seen: a loop without calls of c. A count hook would end it, but turns LuaJIT's compiler off.
local coroutines = require "avito_messenger.coroutines"

local guards = {}

local current -- the run whose flow runs now
local globals = _G
local twins = {} -- by the function or library they stand for
local named = {} -- of the globals, by name: for those that somebody replaced after this file was loaded
local forbidden = {} -- why the function may not be used, by the function

local OTHER = "it gives another value when the flow is replayed; use %s"
local AGAIN = "it would be done again when the flow is replayed; use c:call() with a function of calls"
local ORDER = "the order of a table is another when the flow is replayed; use c:pairs() or ipairs()"
local CODE = "what it does cannot be watched; write a function outside of the flow"

local WHY = {
  os = { time = OTHER:format "c:now()", date = OTHER:format "c:date()", clock = OTHER:format "c:now()" },
  io = {},
  math = { random = OTHER:format "c:random()", randomseed = OTHER:format "c:random()" },
  coroutine = {},
  debug = {},
  package = {},
  table = { foreach = ORDER },
}
local WHOLE = {
  os = AGAIN, io = AGAIN, package = CODE, debug = CODE,
  coroutine = "only c:ask() and c:call() may wait, and they do it by themselves",
}
local FUNCTIONS = {
  pairs = ORDER, next = ORDER,
  require = "require the module outside of the flow, into a local",
  load = CODE, loadstring = CODE, loadfile = CODE, dofile = CODE, setfenv = CODE, getfenv = CODE,
  collectgarbage = OTHER:format "nothing of it",
  gcinfo = OTHER:format "nothing of it",
}

local function forbid(name, real, why)
  forbidden[real] = ("%s is not allowed in a flow: %s"):format(name, why)
  twins[real] = function(...)
    if current then error(forbidden[real], 2) end
    return real(...)
  end
  return twins[real]
end

local function write_global(name)
  error(("a flow may not write the global '%s': it would be written again when the flow is replayed; make it local")
    :format(tostring(name)), 3)
end

--- A library with other functions in it. What it has beyond them stays, or goes when there is a reason.
local function library(name, members, whole)
  local real = globals[name]
  twins[real] = setmetatable(members, {
    __index = function(_, key)
      local value = real[key]
      if current and whole and value ~= nil then
        error(("%s.%s is not allowed in a flow: %s"):format(name, tostring(key), whole), 2)
      end
      return value
    end,
    __newindex = function(_, key, value)
      if current then write_global(name .. "." .. tostring(key)) end
      real[key] = value
    end,
    __metatable = false,
  })
  named[name] = twins[real]
end

for name, reasons in pairs(WHY) do
  local members = {}
  for key, value in pairs(globals[name]) do
    local why = reasons[key] or WHOLE[name]
    if why and type(value) == "function" then members[key] = forbid(name .. "." .. key, value, why) end
  end
  library(name, members, WHOLE[name])
end

for name, why in pairs(FUNCTIONS) do
  if globals[name] then named[name] = forbid(name, globals[name], why) end
end

-- ---- texts that would hold an address

local ADDRESSED = { table = true, ["function"] = true, userdata = true, thread = true }

local function check_text(what, value, level)
  if not ADDRESSED[type(value)] then return end
  local metatable = debug.getmetatable(value)
  if type(metatable) == "table" and rawget(metatable, "__tostring") then return end
  error(("%s of a %s is not allowed in a flow: it is an address, another one when the flow is replayed")
    :format(what, type(value)), level + 1)
end

local real_tostring, real_format = tostring, string.format

local function guarded_tostring(...)
  if current then check_text("tostring", (...), 2) end
  return real_tostring(...)
end

local function guarded_format(pattern, ...)
  if current and type(pattern) == "string" then
    if pattern:gsub("%%%%", ""):find "%%[-+ #0-9.]*p" then
      error("%p is not allowed in a flow: an address is another one when the flow is replayed", 2)
    end
    for at = 1, select("#", ...) do check_text("string.format", (select(at, ...)), 2) end
  end
  return real_format(pattern, ...)
end

twins[real_tostring], named.tostring = guarded_tostring, guarded_tostring
twins[real_format] = guarded_format
library("string", {
  format = guarded_format,
  dump = forbid("string.dump", string.dump, CODE),
})

-- ---- what is written while a flow is replayed was written before

local function once(name)
  local real = globals[name]
  if not real then return end
  twins[real] = function(...)
    if current and current:replaying() then return end
    return globals[name](...)
  end
  named[name] = twins[real]
end

once "print"
once "warn"

-- ---- the environments

local proxies = setmetatable({}, { __mode = "kv" }) -- by the environment they stand for
local is_proxy = setmetatable({}, { __mode = "k" })

local function stand_in(key, value)
  if value == nil then return nil end
  local twin = proxies[value] or twins[value]
  if twin == nil and value == globals[key] then twin = named[key] end
  if twin == nil then return value end
  return twin
end

--- The table that stands for an environment: the same but for what a flow may not use while one runs.
---@param env table
---@return table
function guards.environment(env)
  if is_proxy[env] then return env end
  local proxy = proxies[env]
  if proxy then return proxy end
  proxy = setmetatable({}, {
    __index = function(_, key)
      if current then return stand_in(key, env[key]) end
      return env[key]
    end,
    __newindex = function(_, key, value)
      if current then write_global(key) end
      env[key] = value
    end,
    __metatable = false,
  })
  proxies[env], is_proxy[proxy] = proxy, true
  return proxy
end

guards.globals = guards.environment(globals) -- held, so that it always stands for _G

local real_rawset = rawset
twins[rawset] = function(...)
  if current and is_proxy[(...)] then write_global((select(2, ...))) end
  return real_rawset(...)
end
named.rawset = twins[rawset]

--- Why the value may not be used in a flow, when it is such a function.
---@param value any
---@return string?
function guards.why_forbidden(value)
  return value ~= nil and forbidden[value] or nil
end

--- What stands for the value in a flow, when something does.
---@param value any
---@return any
function guards.twin(value)
  if value == nil then return nil end
  return proxies[value] or twins[value]
end

-- ---- whether a flow runs

-- Methods of strings are found here, whatever the environment.
local string_metatable = debug.getmetatable ""
local strings = named.string

--- The run whose flow runs now.
---@return table?
function guards.running()
  return current
end

local function switch(run)
  if string_metatable.__index == (run and string or strings) then string_metatable.__index = run and strings or string end
  current = run
end

local function leave(previous, ...)
  switch(previous)
  return ...
end

--- Resumes the coroutine of a run as one in which a flow runs. Returns what coroutine.resume does.
---@param run table has a method `replaying`
---@param co thread
function guards.resume(run, co, ...)
  local previous = current
  switch(run)
  return leave(previous, coroutines.resume(co, ...))
end

return guards
