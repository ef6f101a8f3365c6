--- For specs of flows: a host that notes what is emitted, and buyers' answers.
local Runner = require "avito_messenger.bot.flow.run"
local json = require "avito_messenger.json"

local flows = {}

--- A host whose `emitted` has "1 say привет" for each action.
---@param given? table
function flows.host(given)
  local host = { now = 1000, memory = {}, emitted = {} }
  function host.emit(step, action)
    host.emitted[#host.emitted + 1] = ("%d %s %s"):format(step, action.kind, action.text or action.image or action.note)
  end
  function host.random() return 0.5 end
  function host.date(unix, format) return ("%s of %d"):format(format, unix) end
  function host.render(text, extra)
    if text:find "{bad}" then return nil, "unknown name 'bad'" end
    return (text:gsub("{(%w+)}", extra or {}))
  end
  for name, value in pairs(given or {}) do host[name] = value end
  return host
end

--- A turn of the buyer, as the engine makes it.
function flows.turn(text, given)
  local turn = { text = text, messages = { { id = "m1", type = "text", content = { text = text } } } }
  function turn:numbers()
    local numbers = {}
    for digits in self.text:gmatch "%d+" do numbers[#numbers + 1] = tonumber(digits) end
    return numbers
  end
  function turn.phones() return {} end
  for name, value in pairs(given or {}) do turn[name] = value end
  return turn
end

--- The state as it comes back from where it was kept.
function flows.kept(state)
  return assert(json.decode(assert(json.encode(state))))
end

--- Starts a run of the last of the flows and lets it go on. Returns its outcome, state, host and runner.
function flows.run(...)
  local list = { ... }
  local runner, host = Runner.new(list), flows.host()
  local state = runner:start(list[#list].name, "u2i-1/m1", {}, 1000)
  return runner:advance(state, host), state, host, runner
end

return flows
