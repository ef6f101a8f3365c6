--- What a task raises: kept with its traceback until somebody asks for it, or reported.
local errors = require "avito_messenger.errors"

local failure = {}

---@class avito_messenger.TaskError what a task raised that was no error of a call
---@field kind "raised"
---@field message string
---@field value any what was raised, when it was no string
---@field traceback string
local TaskError = { __name = "avito_messenger.TaskError" }
TaskError.__index = TaskError

function TaskError:__tostring()
  return self.traceback
end

function TaskError.__concat(left, right)
  return tostring(left) .. tostring(right)
end

--- As xpcall's handler: an error of a call stays what it is and gets a traceback; a table of the program's own stays
--- untouched; anything else becomes a TaskError.
---@param problem any
---@return any
function failure.keep(problem)
  if errors.is(problem) then
    if not problem.traceback then problem.traceback = debug.traceback(tostring(problem), 2) end
    return problem
  end
  if type(problem) == "table" then return problem end
  local message = type(problem) == "string" and problem or ("a %s was raised: %s"):format(type(problem), tostring(problem))
  return setmetatable({ kind = "raised", message = message, value = problem, traceback = debug.traceback(message, 2) },
    TaskError)
end

--- Is it an error of a call, so what the world does, and no mistake of the program?
failure.is_of_call = errors.is

local handler

--- Sets what gets the errors nobody waited for; nil: they are written to stderr.
---@param fn? fun(err: any)
function failure.on_error(fn)
  handler = fn
end

--- What was raised, with its traceback where it has one.
---@param err any
---@return string
function failure.text(err)
  if type(err) == "table" and type(err.traceback) == "string" then return err.traceback end
  return errors.text(err)
end

---@param err any
function failure.report(err)
  if handler then
    local ok, problem = pcall(handler, err)
    if ok then return end
    io.stderr:write("avito_messenger: the loop's on_error raised: ", failure.text(problem), "\n")
  end
  io.stderr:write("avito_messenger: a task failed, and nobody waited for it: ", failure.text(err), "\n")
end

return failure
