--- Signals that a program wants to know of while the loop runs, and Ctrl-C.
---
--- Interpreters make an error of Ctrl-C wherever the program is just then. In the midst of the scheduler's work that would leave
--- tasks that nobody ends, so the loop raises it itself, between two turns. A second Ctrl-C ends the process.
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

local Interrupts = { idle = true }
Interrupts.__index = Interrupts

function Interrupts:ready()
  if self.watch:caught() then scheduler.interrupt() end
end

local interrupts -- while the loop runs, the program has no handler for INT, and the interpreter has

local function watch_interrupts()
  local watch = not handlers.INT and curl.interrupts()
  if not watch then return end
  interrupts = watch
  scheduler.watch(watch:fd(), "r", setmetatable({ watch = watch }, Interrupts))
end

local function unwatch_interrupts()
  if not interrupts then return end
  scheduler.unwatch(interrupts:fd())
  interrupts:close()
  interrupts = nil
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
  unwatch_interrupts()
  if fn and not watches[name] then open(name) end
  if not fn and watches[name] then close(name) end
  watch_interrupts()
end

function signals.start()
  for name in pairs(handlers) do open(name) end
  watch_interrupts()
end

function signals.stop()
  unwatch_interrupts()
  for name in pairs(watches) do close(name) end
end

return signals
