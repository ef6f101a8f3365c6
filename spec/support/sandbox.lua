--- For specs: a sandbox as a process of its own on a free port of loopback, and plain HTTP requests to it.
---
---   local running = sandbox.start { "--shapes", "contract" }     arguments of `avito-messenger sandbox`
---   running.base_url                                             "http://127.0.0.1:41234"
---   running:control("POST", "say", { chat_id = …, text = … })    the control API: decoded answer, status
---   running:get("/messenger/…", token) / :post(path, token, value)
---   running:token() -> access token of the first account
---   running:stop() -> "exit", 0
---
--- And one in the spec's own process, without any server:
---
---   local inside = sandbox.inside { shapes = "contract" }        options of avito_messenger.sandbox
---   inside.box, inside.now                                       the sandbox; the time its requests carry
---   inside:api("GET", "/messenger/…")                            with a token: decoded answer, status, response
---   inside:yandex("POST", "chats", {})                           the same of Yandex Market, below its business
---   inside:send { method =, path =, headers =, body = }          as it is: response
local json = require "avito_messenger.json"
local transfers = require "support.transfers"

local sandbox = {}

sandbox.lua = os.getenv("AVITO_LUA") or (_VERSION == "Lua 5.1" and "luajit" or "lua5.4")

--- Starts a program of this project under the interpreter of the spec.
function sandbox.spawn(arguments, options)
  local argv = {}
  for word in sandbox.lua:gmatch("%S+") do argv[#argv + 1] = word end
  for _, word in ipairs(arguments) do argv[#argv + 1] = word end
  options = options or { stdout = "pipe" }
  -- The modules of a sanitized build do not load without the sanitizer's library.
  options.env = options.env or { LD_PRELOAD = os.getenv("LD_PRELOAD") or false }
  return require("spec_support.process").spawn(argv, options)
end

--- Runs a command line of this project to its end. Returns its exit status and all that it wrote.
function sandbox.command(...)
  local child = sandbox.spawn({ "bin/avito-messenger", ... },
    { stdout = "pipe", stderr = "pipe", env = { NO_COLOR = "1", COLUMNS = "100", LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
  local output = assert(child:read_all(60))
  local how, code = child:wait()
  child:close()
  if how ~= "exit" then error(("ended by %s %s: %s"):format(how, code, output), 2) end
  return code, output
end

--- Performs one request. Returns what the transport reports: { status, head, body } or { error, … }.
--- `request.turn` is called between steps: a server in the same process works there.
function sandbox.request(request)
  local one = transfers.new()
  local finished
  one:add { method = request.method or "GET", url = request.url, headers = request.headers or {}, body = request.body,
    timeout = request.timeout or 10, connect_timeout = 5, max_bytes = 64 * 1024 * 1024, max_head_bytes = 256 * 1024,
    purpose = "call" }
  repeat
    finished = one:step(request.turn and 0.001 or 1)[1]
    if request.turn then request.turn() end
  until finished
  one:close()
  return finished.response
end

local Running = {}
Running.__index = Running

--- The credentials of the default world's first account.
sandbox.client_id, sandbox.client_secret, sandbox.user_id = "dummy-client-id", "dummy-client-secret", 94235311

---@param arguments? string[]
---@param port? integer default any
function sandbox.start(arguments, port)
  local given = { "bin/avito-messenger", "sandbox", "--port", ("%d"):format(port or 0) }
  for _, word in ipairs(arguments or {}) do given[#given + 1] = word end
  local child = sandbox.spawn(given)
  local line, problem = child:read_line()
  local url = line and line:match("^sandbox listening on (%S+)$")
  if not url then error("the sandbox did not start: " .. tostring(line or problem)) end
  return setmetatable({ child = child, base_url = url }, Running)
end

function Running:request(method, path, headers, body, timeout)
  return sandbox.request { method = method, url = self.base_url .. path, headers = headers, body = body,
    timeout = timeout }
end

local function bearer(token)
  return token and { "Authorization: Bearer " .. token } or {}
end

function Running:get(path, token)
  return self:request("GET", path, bearer(token))
end

function Running:post(path, token, value)
  local headers = bearer(token)
  if value ~= nil then headers[#headers + 1] = "Content-Type: application/json" end
  return self:request("POST", path, headers, value ~= nil and assert(json.encode(value)) or nil)
end

function Running:control(method, what, value)
  local response = self:request(method, "/sandbox/" .. what, {}, value ~= nil and assert(json.encode(value)) or nil)
  if response.error then error(response.message) end
  return json.decode(response.body), response.status
end

function Running:token(client_id, client_secret)
  local response = self:request("POST", "/token", { "Content-Type: application/x-www-form-urlencoded" },
    ("grant_type=client_credentials&client_id=%s&client_secret=%s"):format(client_id or sandbox.client_id,
      client_secret or sandbox.client_secret))
  return json.decode(response.body).access_token
end

--- Stops it as a person would, and says how it ended.
function Running:stop()
  self.child:kill("TERM")
  local how, code = self.child:wait()
  self.child:close()
  return how, code
end

local Inside = {}
Inside.__index = Inside

function sandbox.inside(options)
  local box = require("avito_messenger.sandbox").new(options)
  return setmetatable({ box = box, now = box.options.now }, Inside)
end

function Inside:send(request)
  local headers = { host = "127.0.0.1:8077" }
  for name, value in pairs(request.headers or {}) do headers[name] = value end
  return self.box:handle({ method = request.method or "GET", path = request.path, headers = headers,
    body = request.body or "", peer = request.peer }, self.now)
end

--- Asks for a token; fields of the form, which are the first account's unless given.
function Inside:grant(fields)
  local form = { grant_type = "client_credentials", client_id = sandbox.client_id,
    client_secret = sandbox.client_secret }
  for name, value in pairs(fields or {}) do form[name] = value end
  local pairs_of = {}
  for name, value in pairs(form) do pairs_of[#pairs_of + 1] = name .. "=" .. value end
  local response = self:send { method = "POST", path = "/token", body = table.concat(pairs_of, "&"),
    headers = { ["content-type"] = "application/x-www-form-urlencoded" } }
  return json.decode(response.body), response.status
end

--- An API call; `body` is a table, or text that is sent as JSON.
function Inside:api(method, path, body, token)
  self.token = self.token or self:grant().access_token
  local headers = { authorization = "Bearer " .. (token or self.token) }
  if body ~= nil then headers["content-type"] = "application/json" end
  if type(body) == "table" then body = assert(json.encode(body)) end
  local response = self:send { method = method, path = path, headers = headers, body = body }
  return response.body ~= "" and json.decode(response.body) or nil, response.status, response
end

--- The business of the default world.
sandbox.business_id, sandbox.api_key = 2200001, "dummy-api-key"

--- A call of Yandex Market's API for the default business; `headers` instead of its key.
function Inside:yandex(method, what, body, headers)
  headers = headers or { ["api-key"] = sandbox.api_key }
  if body ~= nil and not headers["content-type"] then headers["content-type"] = "application/json" end
  if type(body) == "table" then body = next(body) == nil and "{}" or assert(json.encode(body)) end
  local response = self:send { method = method, headers = headers, body = body,
    path = what:sub(1, 1) == "/" and what or ("/v2/businesses/%d/%s"):format(sandbox.business_id, what) }
  local plain = response.body == "" or not response.headers["Content-Type"]:find("json", 1, true)
  return not plain and json.decode(response.body) or nil, response.status, response
end

--- The first chat of the given type that the first account has.
function Inside:chat(kind)
  for _, chat in ipairs(self.box.market.account_list[1].chats) do
    if chat.type == (kind or "u2i") then return chat end
  end
end

return sandbox
