-- busted output handler: prints what failed, in full, as it happens, and writes the counts to the
-- file named by AVITO_COUNTS once the whole suite came to its end, added to those that are there already. No file: the run
-- broke off. The file named by AVITO_DURATIONS, if any, gets a line for each spec file: its seconds, those of a processor that
-- this process used in it, those that programs it started and waited for used, and its name.

local pretty = require "pl.pretty"

local function describe_message(failure)
  local message = failure.message
  if message == nil then
    return "nil error"
  end
  if type(message) ~= "string" then
    message = type(message) == "table" and getmetatable(message) and getmetatable(message).__tostring
      and tostring(message) or pretty.write(message)
  end
  return message
end

-- Clock ticks of the processor, of this process and of its children.
local function ticks()
  local file = assert(io.open("/proc/self/stat"))
  local stat = file:read "*a"
  file:close()
  local own, system, children, children_system = stat:match("^.*%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+) (%d+) (%d+)")
  return own + system, children + children_system
end

-- Writes how long each spec file took.
local function measure(busted, name)
  local now = require("system").monotime
  local began, own, children
  busted.subscribe({ "file", "start" }, function()
    began, own, children = now(), ticks()
    return nil, true
  end)
  busted.subscribe({ "file", "end" }, function(file)
    local own_after, children_after = ticks()
    local out = assert(io.open(name, "a"))
    out:write(("%7.2f %7.2f %7.2f %s\n"):format(now() - began, (own_after - own) / 100, (children_after - children) / 100,
      file.name))
    out:close()
    return nil, true
  end)
end

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()

  local function report(kind, failure)
    local trace = failure.element.trace or failure.trace or {}
    io.write(("%s: %s:%s: %s\n"):format(kind, trace.short_src or "?", trace.currentline or "?", failure.name or "?"))
    io.write("  ", (describe_message(failure):gsub("\n", "\n  ")), "\n")
    local traceback = (failure.trace or {}).traceback
    if traceback and (options.verbose or kind == "ERROR") then
      io.write("  ", (traceback:gsub("^\n", ""):gsub("\n", "\n  ")), "\n")
    end
    io.flush()
  end

  local function on_test_end(_, _, status)
    if status == "failure" then
      report("FAILED", handler.failures[#handler.failures])
    elseif status == "error" then
      report("ERROR", handler.errors[#handler.errors])
    elseif status == "pending" then
      local pending = handler.pendings[#handler.pendings]
      local message = pending.message and (" (" .. describe_message(pending) .. ")") or ""
      io.write("skipped: ", pending.name, message, "\n")
    end
    return nil, true
  end

  -- Errors outside of a test: a file that does not load, a broken setup.
  local function on_error(element)
    if element.descriptor ~= "it" then
      report("ERROR", handler.errors[#handler.errors])
    end
    return nil, true
  end

  local function on_exit()
    local name = os.getenv "AVITO_COUNTS"
    if name then
      local before = { 0, 0, 0 }
      local file = io.open(name)
      if file then
        before = { file:read("*n", "*n", "*n") }
        file:close()
      end
      file = assert(io.open(name, "w"))
      local failed = handler.failuresCount + handler.errorsCount
      file:write(("%d %d %d\n"):format(before[1] + handler.successesCount, before[2] + failed, before[3] + handler.pendingsCount))
      assert(file:close())
    end
    return nil, true
  end

  busted.subscribe({ "test", "end" }, on_test_end, { predicate = handler.cancelOnPending })
  busted.subscribe({ "error" }, on_error)
  busted.subscribe({ "failure" }, on_error)
  busted.subscribe({ "exit" }, on_exit)

  if os.getenv "AVITO_DURATIONS" then
    measure(busted, os.getenv "AVITO_DURATIONS")
  end

  return handler
end
