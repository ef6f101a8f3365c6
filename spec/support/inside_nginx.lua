--- For specs: Lua that is run in a worker of a real nginx.
---
---   local inside = inside_nginx.start { http = "…" }       as nginx.start; errors of sockets are not logged
---   inside:run("local seconds = ... return 1", 0.1)        its values; raises what was raised there
---   inside:at("/other"):run(…)                             in a location of one's own, whose handler is `serve`
---   inside.server, inside:stop()
---
--- Arguments and values are what JSON can say. There `driver` is a driver of io.nginx, `nginx`, the module, `avito` and
--- `request(path, fields)`, a request to the server given as `raw`, are globals.
local json = require "avito_messenger.json"
local nginx = require "support.nginx"

local inside_nginx = {}

local Inside = {}
Inside.__index = Inside

local SERVER = [[
  location / { return 204; }
  location = /run {
    client_max_body_size 8m;
    client_body_buffer_size 8m;
    content_by_lua_block { require("support.inside_nginx").serve() }
  }
]]

---@param given? support.nginx.Given and `raw`, a server of support.raw_server
function inside_nginx.start(given)
  local all = {}
  for name, value in pairs(given or {}) do all[name] = value end
  all.http = "lua_socket_log_errors off;\n" .. (all.http or "")
  all.server = SERVER .. (all.server or "")
  return setmetatable({ server = nginx.start(all), url = all.raw and all.raw.url }, Inside)
end

function Inside:at(path)
  return setmetatable({ server = self.server, url = self.url, path = path }, Inside)
end

--- Runs a chunk in the phase of content.
---@param code string
---@param ... any
function Inside:run(code, ...)
  local response = self.server:request { method = "POST", path = self.path or "/run", timeout = 60,
    body = assert(json.encode { code = code, arguments = { ... }, count = select("#", ...), url = self.url }) }
  if response.error then error(response.message, 2) end
  if response.status ~= 200 then error(("%d: %s"):format(response.status, self.server:report()), 2) end
  local answer = assert(json.decode(response.body))
  if answer.raised then error(answer.raised, 0) end
  local values = {}
  for i, one in ipairs(answer.values) do values[i] = one.value end
  return unpack(values, 1, #answer.values)
end

function Inside:stop()
  self.server:stop()
end

-- ---- within nginx

local driver

local function environment(url)
  local driver_module = require "avito_messenger.io.nginx"
  driver = driver or driver_module.new()
  return setmetatable({ driver = driver, nginx = driver_module, avito = require "avito_messenger", request = function(path, fields)
    local one = { method = "GET", url = (url or "") .. path, headers = {}, timeout = 10, max_bytes = 1000000 }
    for name, value in pairs(fields or {}) do one[name] = value end
    return one
  end }, { __index = _G })
end

local function results(ok, ...)
  if not ok then return { raised = tostring((...)) } end
  local values = {}
  for i = 1, select("#", ...) do values[i] = { value = (select(i, ...)) } end
  return { values = values }
end

--- The handler of the location.
function inside_nginx.serve()
  local ngx = rawget(_G, "ngx")
  ngx.req.read_body()
  local given = assert(json.decode(ngx.req.get_body_data()))
  local chunk = assert(load(given.code, "=spec", "t", environment(given.url)))
  ngx.print(assert(json.encode(results(pcall(chunk, unpack(given.arguments, 1, given.count))))))
end

return inside_nginx
