--- `avito-messenger sandbox`.
local arguments = require "avito_messenger.cli.arguments"
local help = require "avito_messenger.cli.help"
local terminal = require "avito_messenger.terminal"

local sandbox = {}

local NUMBERS = { seconds = true, status = true, after = true, times = true, probability = true, bytes = true,
  account = true }

-- "kind=status,status=503" as the fault a program would set.
local function read_fault(text)
  local fault = {}
  for pair in text:gmatch("[^,]+") do
    local name, value = pair:match("^([%w_]+)=(.*)$")
    if not name then return nil, ("'%s' is no name=value pair"):format(pair) end
    if NUMBERS[name] then
      value = name == "seconds" and arguments.range(value) or tonumber(value)
      if not value then return nil, ("%s: a number expected"):format(name) end
    elseif name == "retry_after" and value ~= "date" then
      value = tonumber(value)
    elseif name == "apply" then
      value = value == "true"
    end
    fault[name] = value
  end
  return fault
end

local function read_rate_limit(text)
  if text == "off" then return "off" end
  return arguments.integer(1, 1e9)(text)
end

local rules = {
  help = {}, log = {}, lenient = {}, version = {},
  port = { value = "N", read = arguments.integer(0, 65535) }, host = { value = "ADDRESS" },
  seed = { value = "N", read = arguments.integer(0, 2 ^ 53) }, shapes = { value = "real|contract" },
  world = { value = "FILE" }, latency = { value = "TIME", read = arguments.range },
  ["rate-limit"] = { value = "N|off", read = read_rate_limit },
  fault = { value = "kind=…,name=value", many = true, read = read_fault },
}

local function load_world(path)
  local chunk, problem = loadfile(path)
  if not chunk then return nil, problem end
  local ok, world = pcall(chunk)
  if not ok then return nil, tostring(world) end
  if type(world) ~= "table" then return nil, path .. " must return a table" end
  return world
end

local function options_of(given)
  local options = { now = os.time(), seed = given.seed, shapes = given.shapes, latency = given.latency,
    faults = given.fault }
  if given.lenient then options.strict = false end
  if given["rate-limit"] == "off" then
    options.rate_limit = false
  elseif given["rate-limit"] then
    options.rate_limit = { per_minute = given["rate-limit"] }
  end
  if given.world then
    local world, problem = load_world(given.world)
    if not world then return nil, problem end
    for name, value in pairs(world) do options[name] = value end
  end
  return options
end

local function log_line(colour)
  return function(entry, response, request)
    local status = response.status ~= 0 and tostring(response.status) or "---"
    local paint = { ["2"] = "32", ["3"] = "36", ["4"] = "33", ["5"] = "31" }
    if colour then status = ("\27[%sm%s\27[0m"):format(paint[status:sub(1, 1)] or "35", status) end
    local notes = {}
    if entry.operation then notes[#notes + 1] = entry.operation end
    if entry.applied then notes[#notes + 1] = "applied" end
    if entry.fault then notes[#notes + 1] = "fault " .. entry.fault end
    io.stdout:write(("%s %-4s %s  (%s)\n"):format(status, request.method, request.path, table.concat(notes, ", ")))
    io.stdout:flush()
  end
end

local function fail(status, message)
  return arguments.fail("sandbox", status, message)
end

local function is_loopback(host)
  return host == "localhost" or host == "::1" or host:find("^127%.%d+%.%d+%.%d+$") ~= nil
end

local function print_address(box, server)
  local one, business = box:credentials()[1], box:businesses()[1]
  io.stdout:write(("sandbox listening on %s\n"):format(server.url))
  if one then
    io.stdout:write(("client_id %s  client_secret %s  user_id %.0f\n"):format(one.client_id, one.client_secret, one.user_id))
  end
  if business then
    io.stdout:write(("Yandex Market: api_key %s  business_id %s\n"):format(business.api_key, business.business_id))
  end
  io.stdout:write(("control API: curl %s/sandbox/\n"):format(server.url))
  io.stdout:flush()
end

local function run(box, given)
  local loop = require "avito_messenger.io.loop"
  return loop.run(function()
    local server, problem = box:listen { host = given.host, port = given.port,
      on_request = given.log and log_line(terminal.colour()) or nil }
    if not server then return fail(1, problem) end
    for _, name in ipairs { "INT", "TERM" } do
      loop.on_signal(name, function() server:close() end)
    end
    print_address(box, server)
    server:wait()
    return 0
  end)
end

--- Runs the command; returns the exit status.
---@param words string[] the arguments after the command's name
---@return integer
function sandbox.main(words)
  local given, problem = arguments.read(words, rules)
  if not given then return fail(2, problem) end
  if given.help then
    io.stdout:write(help.sandbox)
    return 0
  end
  if given.host and not is_loopback(given.host) then
    return fail(2, ("--host %s: only loopback addresses; the sandbox is not made for a network"):format(given.host))
  end
  local options
  options, problem = options_of(given)
  if not options then return fail(2, problem) end
  local ok, box = pcall(require("avito_messenger.sandbox").new, options)
  if not ok then return fail(2, (tostring(box):gsub("^[^\n]-%.lua:%d+: ", ""))) end
  local ran, status = pcall(run, box, given)
  if not ran then return fail(1, tostring(status)) end
  return status
end

return sandbox
