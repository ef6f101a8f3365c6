--- The errors calls return: `nil, err`. What each kind means and what to do about it.
---
---@class avito_messenger.Error
---@field kind avito_messenger.ErrorKind
---@field message string one sentence
---@field endpoint string the method that failed
---@field dispatched boolean may the server have seen the request? Of a send: false means that no message can have gone out
---@field status? integer the HTTP status
---@field code? integer|string the API's own code
---@field fields? table<string, any> what is wrong with which parameter
---@field retry_after? number seconds the server asked to wait; without a status, in how many the call's turn would have come
---@field hint? string what to do about it
---@field body? string the start of an answer whose shape is not known (at most 4096 bytes)
---
---@alias avito_messenger.ErrorKind
---| "auth"             the credentials or the token are not accepted
---| "forbidden"        403: a wrong scope, an employee's key, another account's chat
---| "payment_required" 402: the tariff does not include the API; stays so
---| "not_found"        404
---| "invalid"          refused as it is: by the client before anything was sent (no status), or by the server; or a file
---                    that cannot be read or written
---| "rate_limited"     429, and it could not be waited out before the deadline; or, without a status, so many calls of this
---                       account wait (see pace) that this one's turn would come past its deadline
---| "server"           5xx, or an answer that contradicts itself
---| "network"          no connection, or one that broke
---| "timeout"          the deadline passed
---| "decode"           the answer is not what the API promises, or larger than it may be
---| "cancelled"        the program gave the call up, or closed the client
local core = require "avito_messenger.core"

local errors = {}

local metatable = core.error_metatable
metatable.__name = "avito_messenger.Error"

--- "send_message: rate_limited (429): too many requests; leave more time between calls"
function metatable.__tostring(err)
  local text = ("%s: %s"):format(err.endpoint, err.kind)
  if err.status then text = ("%s (%d)"):format(text, err.status) end
  text = text .. ": " .. err.message
  if err.hint then text = text .. "; " .. err.hint end
  return text
end

--- So that a raised error can be joined to other text.
function metatable.__concat(left, right)
  return tostring(left) .. tostring(right)
end

--- Makes an error for what happens before an operation exists, or beside one.
---@param kind avito_messenger.ErrorKind
---@param endpoint string
---@param message string
---@return avito_messenger.Error
function errors.new(kind, endpoint, message)
  return setmetatable({ kind = kind, endpoint = endpoint, message = message, dispatched = false }, metatable)
end

--- What every call of a client that is closed returns.
---@param endpoint string
---@return nil
---@return avito_messenger.Error
function errors.closed(endpoint)
  return nil, errors.new("cancelled", endpoint, "the client is closed")
end

--- Whatever was raised, as text: also what cannot say what it is.
---@param problem any
---@param lead? string what stands before its type then; "a " when absent
---@return string
function errors.text(problem, lead)
  local ok, text = pcall(tostring, problem)
  return ok and text or (lead or "a ") .. type(problem)
end

--- Is the value one of these errors?
---@param value any
---@return boolean
function errors.is(value)
  return getmetatable(value) == metatable
end

return errors
