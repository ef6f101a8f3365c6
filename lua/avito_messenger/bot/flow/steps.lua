--- What each call of c does when it is made for the first time. Puts what it gives into its entry of the journal; returns what
--- was wrong.
local ask = require "avito_messenger.bot.flow.ask"
local plain = require "avito_messenger.bot.flow.plain"

local steps = {}

local function render(host, text, extra)
  local ok, rendered, problem = pcall(host.render, text, extra)
  if not ok then return nil, tostring(rendered) end
  if type(rendered) ~= "string" then return nil, tostring(problem or "the text could not be filled in") end
  if not rendered:find "%S" then return nil, "the text is empty" end
  return rendered
end

function steps.say(_, host, request, _, at)
  local text, problem = render(host, request.text, request.extra)
  if not text then return problem end
  host.emit(at, { kind = "say", text = text })
end

function steps.image(_, host, request, _, at)
  host.emit(at, { kind = "image", image = request.image })
end

function steps.escalate(_, host, request, _, at)
  host.emit(at, { kind = "escalate", note = request.note })
end

function steps.ask(run, host, request, _, at)
  local open, problem = ask.open(request.question, host.now, run.state.expires, function(text) return render(host, text) end)
  if not open then return problem end
  host.emit(at, { kind = "say", text = open.prompt })
  run.state.open = open
end

function steps.call(run, _, request, _, at)
  run.state.calling = { step = at, name = request.name, args = request.args }
end

function steps.now(_, host, _, entry)
  entry.v = plain.copy(host.now)
end

function steps.date(_, host, request, entry)
  local ok, date = pcall(host.date, math.floor(request.unix or host.now), request.format)
  if not ok then return tostring(date) end
  local problem
  entry.v, problem = plain.copy(date)
  return problem
end

function steps.random(run, host, request, entry, at)
  local value = host.random(run.state.id .. ":" .. at)
  local bounds = request.bounds
  if bounds then value = bounds[1] + math.floor(value * (bounds[2] - bounds[1] + 1)) end
  entry.v = plain.copy(value)
end

function steps.get(run, host, request, entry)
  local write = run.writes[request.name]
  local value = host.memory[request.name]
  if write then value = write.value end
  local problem
  entry.v, problem = plain.copy(value)
  return problem and ("'%s' in the memory of the chat is %s"):format(request.name, problem)
end

function steps.set(run, _, request)
  run.writes[request.name] = { value = request.value }
end

return steps
