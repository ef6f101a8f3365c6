--- Signals that a program wants to know of while the loop runs.
local curl = require "avito_messenger.curl"
local scheduler = require "avito_messenger.io.loop.scheduler"
local words = require "avito_messenger.words"

local signals = {}

local NAMES = { "INT", "TERM", "HUP", "USR1", "USR2" }
local handlers = {} -- by name
local watches = {} -- by name, while the loop runs

local Watch = {}
Watch.__index = Watch

function Watch:ready()
  while self.watch:caught() do scheduler.spawn(false, handlers[self.name], self.name) end
end

local function open(name)
  local watch = curl.signals { name }
  watches[name] = watch
  scheduler.watch(watch:fd(), "r", setmetatable({ watch = watch, name = name }, Watch))
end

local function close(name)
  local watch = watches[name]
  watches[name] = nil
  scheduler.unwatch(watch:fd())
  watch:close()
end

---@param name string
---@param fn function?
function signals.set(name, fn)
  local known = false
  for _, one in ipairs(NAMES) do known = known or one == name end
  if not known then error("loop.on_signal: " .. words.unknown(name, NAMES, "signal"), 3) end
  handlers[name] = fn
  if not scheduler.is_running() then return end
  if fn and not watches[name] then open(name) end
  if not fn and watches[name] then close(name) end
end

function signals.start()
  for name in pairs(handlers) do open(name) end
end

function signals.stop()
  for name in pairs(watches) do close(name) end
end

return signals
