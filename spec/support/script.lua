--- A driver for specs: answers requests from a script, under a clock that only moves when it is told to.
local assert = require "luassert"
local avito = require "avito_messenger"
local core = require "avito_messenger.core"

local script = {}

local metatable = { __index = {} }
local driver = metatable.__index

--- An HTTP answer; `body` as JSON text, `headers` as a table.
function script.answer(status, body, headers)
  local head = { ("HTTP/1.1 %d Whatever"):format(status) }
  for name, value in pairs(headers or {}) do head[#head + 1] = name .. ": " .. value end
  return { status = status, head = table.concat(head, "\r\n") .. "\r\n\r\n", body = body or "" }
end

--- No answer.
function script.failure(kind, dispatched, stale)
  return { error = kind, message = "scripted " .. kind, dispatched = dispatched, stale = stale }
end

script.TOKEN = '{"access_token":"dummy-token-1","expires_in":86400,"token_type":"Bearer"}'

--- `answers` is a list, or a function (request, number) -> response. After the end of a list every request raises.
--- `before`, a field of the driver, is called with each request.
function script.driver(answers)
  return setmetatable({ answers = answers, requests = {}, waits = {}, clock = 1000, unix = 1700000000 }, metatable)
end

function driver:now() return self.clock end

function driver:time() return self.unix + self.clock end

function driver:sleep(seconds)
  self.waits[#self.waits + 1] = seconds
  self.clock = self.clock + seconds
end

-- Writes the answer where the request wants it.
local function deliver(request, answer)
  if not request.output or answer.error then return answer end
  local file, message = io.open(request.output, "wb")
  if not file then return { error = "file", message = "cannot write " .. message, dispatched = false } end
  local written = answer.status >= 200 and answer.status < 300
  if written then file:write(answer.body) end
  file:close()
  return written and { status = answer.status, head = answer.head, body = "", bytes = #answer.body } or answer
end

--- The body of a request, also where it is a file.
function script.body(request)
  local upload = request.upload
  if not upload then return request.body end
  local file = assert(io.open(upload.path, "rb"))
  local data = file:read(upload.size)
  file:close()
  return upload.head .. data .. upload.tail
end

function driver:perform(request)
  local number = #self.requests + 1
  self.requests[number] = request
  if self.before then self.before(request) end
  local answer
  if type(self.answers) == "function" then
    answer = self.answers(request, number)
  else
    answer = self.answers[number]
  end
  assert(answer, "the script has no answer to request " .. number .. ": " .. request.method .. " " .. request.url)
  local takes = answer.takes or 0.01
  if takes > request.timeout then
    answer, takes = script.failure("timeout", true), request.timeout
  end
  self.clock = self.clock + takes
  return deliver(request, answer)
end

function driver:close() self.closed = true end

--- A client over a scripted driver, and the driver. An option that is false is left out. It has no pace unless one is given.
function script.client(answers, options)
  local scripted = script.driver(answers)
  local given = { base_url = "https://api.example", access_token = "dummy-token-0", user_id = 7, io = scripted,
    pace = false }
  for name, value in pairs(options or {}) do
    given[name] = value
    if value == false then given[name] = nil end
  end
  return avito.client(given), scripted
end

--- The same with credentials instead of a token.
function script.client_with_credentials(answers, options)
  local given = { access_token = false, client_id = "dummy-id", client_secret = "dummy-secret" }
  for name, value in pairs(options or {}) do given[name] = value end
  return script.client(answers, given)
end

--- A session of the core, without a client or a driver.
function script.session(more)
  local given = { base_url = "https://api.example", client_id = "dummy", client_secret = "dummy-secret", user_id = "7", seed = "x" }
  for name, value in pairs(more or {}) do given[name] = value or nil end
  return core.session(given)
end

--- Asserts that an operation has failed; its error.
function script.fails(op, now)
  local step, err = op:next(now)
  assert.equal("fail", step)
  return err
end

--- Asserts that two times are the same, but for what sums of waits lose.
function script.near(expected, got)
  assert.is_true(math.abs(expected - got) < 0.002, ("%s is not near %s"):format(got, expected))
end

--- What a client's method makes of one answer.
function script.outcome(response, name, ...)
  local client = script.client { response }
  return client[name](client, ...)
end

--- The value of a request's header, or nil.
function script.header(request, name)
  for _, line in ipairs(request.headers) do
    local key, value = line:match("^([^:]+): (.*)$")
    if key:lower() == name:lower() then return value end
  end
end

return script
