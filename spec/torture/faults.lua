--- The faults of the torture: every kind strikes every operation at least once, some strike now and then.
local routes = require "avito_messenger.sandbox.routes"

local faults = {}

local KINDS = {
  { kind = "latency", seconds = { 0.05, 0.3 } },
  { kind = "token_expired" },
  { kind = "status", status = 500 },
  { kind = "status", status = 503, apply = true },
  { kind = "status", status = 503, headers = { ["Retry-After"] = "0" } },
  { kind = "status", status = 400 },
  { kind = "status", status = 401 },
  { kind = "status", status = 402 },
  { kind = "status", status = 403 },
  { kind = "status", status = 404 },
  { kind = "status", status = 409 },
  { kind = "html" },
  { kind = "html", apply = true },
  { kind = "close" },
  { kind = "apply_and_close" },
  { kind = "cut" },
  { kind = "cut", bytes = 0 },
  { kind = "empty" },
  { kind = "empty", apply = true },
  { kind = "invalid_json" },
  { kind = "invalid_json", apply = true },
  { kind = "drip", seconds = 0.001 },
  { kind = "hang" },
  { kind = "hang", apply = true },
  { kind = "rate_limited" },
  { kind = "rate_limited", retry_after = 0 },
  { kind = "rate_limited", retry_after = 60 },
  { kind = "rate_limited", retry_after = "date" },
}

-- Below "/messenger", where no file is served: a file that is empty, or another than was asked for, cannot be told from a
-- whole one when the server says 200.
faults.now_and_then = {
  { kind = "latency", seconds = { 0, 0.05 }, probability = 0.05 },
  { kind = "token_expired", probability = 0.01 },
  { kind = "status", status = 503, probability = 0.01 },
  { kind = "html", probability = 0.005 },
  { kind = "close", probability = 0.01 },
  { kind = "apply_and_close", probability = 0.01 },
  { kind = "cut", probability = 0.01 },
  { kind = "empty", path = "/messenger", probability = 0.005 },
  { kind = "invalid_json", path = "/messenger", probability = 0.005 },
  { kind = "drip", seconds = 0.001, probability = 0.005 },
  { kind = "hang", probability = 0.002 },
  { kind = "rate_limited", retry_after = 0, probability = 0.01 },
}

local BROKEN = { empty = true, invalid_json = true }

local function copy(fault)
  local new = {}
  for name, value in pairs(fault) do new[name] = value end
  return new
end

local function holds_up(fault)
  return fault.kind == "rate_limited" and fault.retry_after ~= 0
end

--- Every fault, in an order and at requests that the seed decides. Those that have an operation strike once.
---@param random avito.sandbox.Random
---@param paced boolean without those that hold all calls of an account up
---@return avito.sandbox.Fault[]
function faults.list(random, paced)
  local list = {}
  for _, route in ipairs(routes.list) do
    local name = route.name
    local first = #list
    if route.marketplace == "avito" and name ~= "authorize" then -- a page for people
      for _, kind in ipairs(KINDS) do
        local fault = copy(kind)
        fault.operation = name
        if name:find("^download_") and BROKEN[fault.kind] then fault.status = 502 end
        if not (paced and holds_up(fault)) then table.insert(list, first + random:pick(#list - first + 1), fault) end
      end
    end
    for i = first + 1, #list do list[i].after = i - first end
  end
  for _, fault in ipairs(faults.now_and_then) do list[#list + 1] = copy(fault) end
  return list
end

return faults
