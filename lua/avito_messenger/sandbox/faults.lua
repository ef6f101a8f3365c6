--- Faults: which requests they strike, and what they do to the answer.
local reply = require "avito_messenger.sandbox.reply"
local routes = require "avito_messenger.sandbox.routes"
local rules = require "avito_messenger.sandbox.rules"
local words = require "avito_messenger.words"

local faults = {}

---@class avito.sandbox.Fault
---@field kind string see faults.kinds
---@field operation? string only requests of this operation
---@field method? string only requests with this method
---@field path? string only requests whose path begins so
---@field account? integer only requests with a token of this account, or to this business
---@field after? integer let so many matching requests pass first (0)
---@field times? integer strike so many requests (1; without end when a probability is given)
---@field probability? number strike a matching request with this probability
---@field seconds? number|number[] latency: how long; drip: seconds a byte
---@field status? integer status, html, empty, invalid_json
---@field body? string status
---@field headers? table<string, string> status
---@field apply? boolean status, html, empty, invalid_json, hang: do what was asked all the same
---@field bytes? integer cut: bytes of the body that are sent (half)
---@field retry_after? number|"date" rate_limited: seconds, or a date a few seconds ahead

-- What stands in `fields` may be given; `before` answers without the operation, `after` changes its answer.
-- One fault decides the answer of a request; those that are `passing` may strike beside it.
local kinds = {}

local function answer(fault, status, body, content_type)
  local response = reply.text(fault.status or status, fault.body or body, content_type)
  for name, value in pairs(fault.headers or {}) do response.headers[name] = value end
  return response
end

local function applied_or_not(make)
  return {
    before = function(fault, call) if not fault.apply then return make(fault, call) end end,
    after = function(fault, call) if fault.apply then return make(fault, call) end end,
  }
end

local function answering(fields, make)
  local kind = applied_or_not(make)
  kind.fields = { status = true, apply = true }
  for _, name in ipairs(fields) do kind.fields[name] = true end
  return kind
end

kinds.latency = { passing = true, fields = { seconds = true }, before = function(fault, call)
  call.delay = call.delay + call.sandbox.random:within(fault.seconds or 1)
end }

kinds.status = answering({ "body", "headers" }, function(fault)
  if fault.body == nil and not (fault.headers and next(fault.headers)) then
    return reply.error(fault.status or 500, "Error while processing request. Please, contact support")
  end
  return answer(fault, 500, "", "application/json")
end)

local HTML = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1>" ..
  "</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

kinds.html = answering({ "body" }, function(fault) return answer(fault, 502, HTML, "text/html") end)
kinds.empty = answering({}, function(fault) return answer(fault, 200, "") end)
kinds.invalid_json = answering({ "body" }, function(fault)
  return answer(fault, 200, '{"chats":[{"id":"u2i-', "application/json")
end)

local function with_fault(fault, response)
  response.fault = fault
  return response
end

local function silence(kind)
  return with_fault({ kind = kind }, { status = 0, headers = {}, body = "" })
end

kinds.close = { fields = {}, before = function() return silence("close") end }
kinds.apply_and_close = { fields = {}, after = function() return silence("close") end }
kinds.hang = applied_or_not(function() return silence("hang") end)
kinds.hang.fields = { apply = true }

kinds.cut = { fields = { bytes = true }, after = function(fault, _, response)
  if #response.body == 0 then response.body = "{}" end
  local bytes = math.min(fault.bytes or math.floor(#response.body / 2), #response.body - 1)
  return with_fault({ kind = "cut", bytes = bytes }, response)
end }

kinds.drip = { fields = { seconds = true }, after = function(fault, call, response)
  return with_fault({ kind = "drip", seconds = call.sandbox.random:within(fault.seconds or 1) }, response)
end }

kinds.token_expired = { passing = true, fields = {}, before = function(_, call) call.marketplace.expire(call) end }

kinds.rate_limited = { fields = { retry_after = true }, before = function(fault, call)
  local after = fault.retry_after
  return call.marketplace.limited(call, after == "date" and 2 or after, after == "date")
end }

faults.kinds = kinds

local MATCH = { kind = true, operation = true, method = true, path = true, account = true, after = true, times = true,
  probability = true }

local function want(fault, name, kind, extra)
  local value = fault[name]
  if value == nil then return end
  if type(value) ~= kind or (extra and not extra(value)) then
    error(("fault field '%s': %s expected"):format(name, kind == "number" and "a fitting number" or "a " .. kind), 0)
  end
end

local function count(value) return value >= 0 and value % 1 == 0 end

--- Checks a fault as a program gives it. Raises with the nearest known word.
---@param spec avito.sandbox.Fault
---@return table fault
function faults.read(spec)
  if type(spec) ~= "table" then error("fault: table expected, got " .. type(spec), 0) end
  if spec.kind == nil then error("fault: field 'kind' is required", 0) end
  local kind = kinds[spec.kind]
  if not kind then error(words.unknown(spec.kind, words.names(kinds), "fault kind"), 0) end
  local fields = {}
  for name in pairs(MATCH) do fields[name] = true end
  for name in pairs(kind.fields) do fields[name] = true end
  words.check(spec, fields, ("field of fault '%s':"):format(spec.kind), 0)
  if spec.operation ~= nil and not routes.names[spec.operation] then
    error(words.unknown(spec.operation, words.names(routes.names), "operation"), 0)
  end
  for _, name in ipairs { "method", "path", "body" } do want(spec, name, "string") end
  for _, name in ipairs { "after", "times", "bytes", "account" } do want(spec, name, "number", count) end
  want(spec, "headers", "table")
  want(spec, "apply", "boolean")
  want(spec, "status", "number", function(value) return value >= 200 and value <= 599 and value % 1 == 0 end)
  if spec.probability ~= nil then
    local problem = rules.chance(spec.probability)
    if problem then error("fault field 'probability': " .. problem, 0) end
  end
  if spec.seconds ~= nil and rules.range(spec.seconds) then
    error("fault field 'seconds': " .. rules.range(spec.seconds), 0)
  end
  if spec.retry_after ~= nil and spec.retry_after ~= "date" then want(spec, "retry_after", "number", count) end
  local fault = {}
  for name, value in pairs(spec) do fault[name] = value end
  fault.seen, fault.struck = 0, 0
  return fault
end

local function strikes(fault, call)
  local route = call.route
  if fault.operation and (not route or route.name ~= fault.operation) then return false end
  if fault.method and fault.method ~= call.request.method then return false end
  if fault.path and call.path:sub(1, #fault.path) ~= fault.path then return false end
  if fault.account and fault.account ~= call.owner then return false end
  local times = fault.times or (fault.probability and math.huge or 1)
  if fault.struck >= times then return false end
  fault.seen = fault.seen + 1
  if fault.seen <= (fault.after or 0) then return false end
  if fault.probability and not call.sandbox.random:chance(fault.probability) then return false end
  fault.struck = fault.struck + 1
  return true
end

--- The faults that strike a request, in the order they were set. One that was not needed keeps its turn.
---@param call table
---@return table[]
function faults.striking(call)
  local list = {}
  for _, fault in ipairs(call.sandbox.faults) do
    if strikes(fault, call) then
      list[#list + 1] = fault
      if not kinds[fault.kind].passing then break end
    end
  end
  return list
end

--- Before the operation: an answer that takes its place, or nil.
---@return avito.sandbox.Response?
function faults.before(list, call)
  for _, fault in ipairs(list) do
    local act = kinds[fault.kind].before
    local response = act and act(fault, call)
    if response then return response end
  end
end

--- After the operation: the answer as it goes out.
---@return avito.sandbox.Response
function faults.after(list, call, response)
  for _, fault in ipairs(list) do
    local act = kinds[fault.kind].after
    response = act and act(fault, call, response) or response
  end
  return response
end

return faults
