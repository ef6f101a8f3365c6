--- The answers of the sandbox, in the shapes that were seen, and the way a check gives up with one.
local json = require "avito_messenger.json"

local reply = {}

---@class avito.sandbox.Response
---@field status integer
---@field headers table<string, string>
---@field body string
---@field fault? table what the transport is to do to the answer
---@field delay? number seconds before the answer leaves
---@field problem? { message: string, fields?: table<string, string> } an error, which another marketplace words in its own way
---@field probe? avito.sandbox.Delivery the answer is not known before this delivery is tried

---@param status integer
---@param value any
---@return avito.sandbox.Response
function reply.json(status, value)
  local body, problem = json.encode(value)
  if not body then error("the sandbox made an answer that has no JSON form: " .. problem) end
  return { status = status, headers = { ["Content-Type"] = "application/json; charset=utf-8" }, body = body }
end

---@param status integer
---@param text string
---@param content_type? string
---@return avito.sandbox.Response
function reply.text(status, text, content_type)
  return { status = status, headers = { ["Content-Type"] = content_type or "text/plain; charset=utf-8" },
    body = text }
end

--- `{"error":{"code","message","fields"}}`: the documented shape.
---@param status integer
---@param message string
---@param fields? table<string, string>
---@return avito.sandbox.Response
function reply.error(status, message, fields)
  local response = reply.json(status, { error = { code = status, message = message, fields = fields } })
  response.problem = { message = message, fields = fields }
  return response
end

--- `{"result":{"status":false,"message"}}`: the shape of token trouble in real traffic.
---@param status integer
---@param message string
---@return avito.sandbox.Response
function reply.result(status, message)
  return reply.json(status, { result = { status = false, message = message } })
end

local Refusal = { __name = "avito.sandbox.Refusal" }

--- Ends the handling of the request with this answer.
---@param response avito.sandbox.Response
function reply.refuse(response)
  error(setmetatable({ response = response }, Refusal), 0)
end

--- Runs fn(...); a refusal inside becomes its answer and true, any other error stays an error.
---@param fn function
---@return avito.sandbox.Response response
---@return boolean refused
function reply.guard(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result, false end
  if getmetatable(result) == Refusal then return result.response, true end
  return error(result, 0)
end

return reply
