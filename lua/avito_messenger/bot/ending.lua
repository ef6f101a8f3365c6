--- What is raised because the program, or the task, is to end: nobody may take it for a failure of the work it broke off.
local errors = require "avito_messenger.errors"

local ending = {}

--- Was it Ctrl-C, or the cancellation of a task, or was the client closed?
---@param problem any
---@return boolean
function ending.is(problem)
  if errors.is(problem) then return problem.kind == "cancelled" end
  return type(problem) == "string" and problem:match("^[^\n]*"):find "interrupted!$" ~= nil
end

--- Raises it again if so.
---@param problem any
function ending.pass(problem)
  if ending.is(problem) then error(problem, 0) end
end

return ending
