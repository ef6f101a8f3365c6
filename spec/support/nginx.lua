--- For specs: a real nginx with its Lua module, on a free port of loopback.
---
---   if not nginx.wanted() then return end        only where the specs' Lua is the one that nginx has
---   local server = nginx.start { workers = 2, init_worker = [[Lua]], server = [[location = /x { … }]] }
---   server.url, server.port
---   server:get("/x") / server:post("/x", body, headers)    { status =, head =, body = }, or { error = … }
---   server:workers() -> pids of those that take requests;  server:all() -> of all, those that are ending included
---   server:reload()      HUP; until all that take requests are new
---   server:kill(pid)     a worker, at once; until another stands in its place
---   server:log() -> text of the error log;  server:unexpected() -> a line of it that nobody expected, or nil
---   server:stop()        quits in order; raises where nginx logged what nobody expects
local clock = require "avito_messenger.clock"
local files = require "support.files"
local ports = require "support.ports"
local process = require "spec_support.process"
local sandbox = require "support.sandbox"

local nginx = {}

local MODULES = "/usr/lib/nginx/modules"
local LONGEST = 20 -- seconds that anything may take

local Server = {}
Server.__index = Server

--- Is this the run of the specs that nginx belongs to? Its Lua is LuaJIT, without the sanitizers.
---@return boolean
function nginx.wanted()
  return rawget(_G, "jit") ~= nil and not os.getenv "AVITO_SANITIZED"
end

local function wait_until(what, condition, report)
  local ends = clock.now() + LONGEST
  while not condition() do
    if clock.now() > ends then error(("nginx: %s was waited for in vain\n%s"):format(what, report())) end
    clock.sleep(0.01)
  end
end

local function block(name, code)
  return code and ("%s { %s }\n"):format(name, code) or ""
end

--- The paths by which nginx finds what the spec finds.
local function paths()
  local here = os.getenv "PWD"
  local build = os.getenv "AVITO_BUILD"
  if build:sub(1, 1) ~= "/" then build = here .. "/" .. build end
  return ("%s/lua/?.lua;%s/lua/?/init.lua;%s/spec/?.lua;;"):format(here, here, here), ("%s/?.so;;"):format(build), here
end

local CONFIGURATION = [[
daemon off;
user root;
load_module ]] .. MODULES .. [[/ndk_http_module.so;
load_module ]] .. MODULES .. [[/ngx_http_lua_module.so;
worker_processes %d;
error_log %s/error.log %s;
pid %s/pid;
%s
events { worker_connections %d; }
http {
  access_log off;
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi;
  scgi_temp_path %s/scgi;
  lua_package_path "%s";
  lua_package_cpath "%s";
  lua_shared_dict avito 1m;
  %s
  %s
  server {
    listen 127.0.0.1:%d backlog=4096;
    %s
    %s
  }
}
]]

---@class support.nginx.Given
---@field workers? integer default 1
---@field connections? integer of a worker; default 1024
---@field level? string of the error log; default "notice"
---@field main? string directives outside of http
---@field http? string directives of http
---@field init_worker? string Lua
---@field server? string directives of the server
---@field directory? string for the files of nginx; made and removed when absent
---@field port? integer
---@field stdout? "pipe" what it and its workers print is read from server.child
---@field expected? string[] patterns of errors in the log that are no failure
---@field env? table<string, string>

local function write_configuration(self, given)
  local lua, c, here = paths()
  local d = self.directory
  files.write(d .. "/nginx.conf", CONFIGURATION:format(given.workers or 1, d, given.level or "notice", d, given.main or "",
    given.connections or 1024, d, d, d, d, d, lua, c, given.http or "", block("init_worker_by_lua_block", given.init_worker),
    self.port, (given.server or ""):find("location / ", 1, true) and "" or "location / { return 404; }", given.server or ""))
  return here
end

--- Starts nginx, and waits until it answers.
---@param given support.nginx.Given
function nginx.start(given)
  local directory = given.directory
  if not directory then
    directory = files.temporary()
    assert(os.execute(("mkdir -m 700 '%s'"):format(directory)))
  end
  local self = setmetatable({ directory = directory, owned = not given.directory, port = given.port or ports.free(directory),
    expected = given.expected or {}, count = given.workers or 1 }, Server)
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  local here = write_configuration(self, given)
  local env = { LD_PRELOAD = false, PWD = here }
  for name, value in pairs(given.env or {}) do env[name] = value end
  self.child = process.spawn({ "/usr/sbin/nginx", "-p", directory, "-c", directory .. "/nginx.conf", "-e",
    directory .. "/error.log" }, { stdout = given.stdout or directory .. "/stdout", stderr = directory .. "/stderr", env = env })
  self.master = self.child:pid()
  wait_until("its start", function()
    if self.child:wait(0) then error("nginx did not start:\n" .. self:report()) end
    return #self:workers() == self.count and not self:get("/").error
  end, function() return self:report() end)
  return self
end

--- Everything it said.
function Server:report()
  return ("%s\n%s"):format(files.read(self.directory .. "/stderr") or "", self:log())
end

function Server:log()
  return files.read(self.directory .. "/error.log") or ""
end

function Server:request(given)
  local request = { url = self.url .. (given.path or "/") }
  for name, value in pairs(given) do request[name] = value end
  return sandbox.request(request)
end

function Server:get(path)
  return self:request { path = path }
end

function Server:post(path, body, headers)
  return self:request { method = "POST", path = path, body = body, headers = headers }
end

-- Children of the master: { pid, title }.
local function children(self)
  local list = {}
  local pipe = assert(io.popen("cat /proc/[0-9]*/stat 2>/dev/null"))
  for line in pipe:lines() do
    local pid, state, parent = line:match "^(%d+) %b() (%a) (%d+)"
    if tonumber(parent) == self.master and state ~= "Z" then
      local title = files.read("/proc/" .. pid .. "/cmdline") or ""
      list[#list + 1] = { pid = tonumber(pid), ending = title:find("shutting down", 1, true) ~= nil,
        is_worker = title:find("worker process", 1, true) ~= nil }
    end
  end
  pipe:close()
  return list
end

local function pids(self, ending_too)
  local list = {}
  for _, one in ipairs(children(self)) do
    if one.is_worker and (ending_too or not one.ending) then list[#list + 1] = one.pid end
  end
  table.sort(list)
  return list
end

function Server:workers() return pids(self, false) end

function Server:all() return pids(self, true) end

local function set_of(list)
  local set = {}
  for _, one in ipairs(list) do set[one] = true end
  return set
end

local function await_new(self, old, what)
  wait_until(what, function()
    local now = self:workers()
    if #now ~= self.count then return false end
    for _, pid in ipairs(now) do
      if old[pid] then return false end
    end
    return true
  end, function() return self:report() end)
end

function Server:reload()
  local old = set_of(self:workers())
  self.child:kill(1)
  await_new(self, old, "the workers after a reload")
end

--- Kills a worker, and waits for the next.
---@param pid integer
---@param signal? string default "KILL"
function Server:kill(pid, signal)
  assert(os.execute(("kill -%s %d"):format(signal or "KILL", pid)))
  await_new(self, { [pid] = true }, "another worker")
end

local BAD = { "%[alert%]", "%[emerg%]", "%[crit%]", "%[error%]" }

function Server:unexpected()
  for line in self:log():gmatch "[^\n]+" do
    for _, pattern in ipairs(BAD) do
      local known = not line:find(pattern)
      for _, expected in ipairs(self.expected) do known = known or line:find(expected) ~= nil end
      if not known then return line end
    end
  end
end

--- Ends it at once, whatever it does.
function Server:close()
  if self.closed then return end
  self.closed = true
  local left = self:all()
  self.child:kill "KILL"
  self.child:close()
  for _, pid in ipairs(left) do os.execute(("kill -KILL %d 2>/dev/null"):format(pid)) end
  if self.owned then os.execute(("rm -r '%s'"):format(self.directory)) end
end

--- Ends it in order. Raises where that takes too long, or where the log holds an error that was not expected.
function Server:stop()
  self.child:kill(3) -- QUIT
  local how, code = self.child:wait(LONGEST)
  local line, report = self:unexpected(), self:report()
  self:close()
  if how ~= "exit" or code ~= 0 then error(("nginx ended with %s %s\n%s"):format(how, code, report), 2) end
  if line then error(("nginx logged: %s\n%s"):format(line, report), 2) end
end

return nginx
