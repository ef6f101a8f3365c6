--- The blocking driver: performs one request at a time on a kept-alive libcurl handle.
---
--- A driver moves bytes and waits; every decision is the core's.
local clock = require "avito_messenger.clock"
local curl = require "avito_messenger.curl"

---@class avito.Driver
---@field now fun(self): number monotonic seconds
---@field time fun(self): number Unix seconds
---@field sleep fun(self, seconds: number, owner: any): boolean?, avito_messenger.Error? an error: the call is to be given up
---@field perform fun(self, request: avito.Request, owner: any): avito.Response
---@field close fun(self)
---@field deadline? fun(self): number? when whatever surrounds the call must have ended
---@field park? fun(self, seconds: number, owner: any): boolean?, avito_messenger.Error? as sleep, until `unpark`
---@field unpark? fun(self, owner: any)
---@field end_calls? fun(self, owner: any) gives up what is under way of that owner's
---@field in_task? fun(self): boolean may the caller wait beside others?
---@field shelter? fun(self, fn: function, ...: any): any, any calls a function that has to come to its end, where the caller
--- may be gone at any moment; it has no upvalues of the caller's
---@field spawn? fun(self, fn: function): table runs a function beside the caller: a task with wait and cancel

---@class avito.Request what the core wants sent; a driver only reads it
---@field method string "GET" or "POST"
---@field url string absolute and encoded
---@field headers string[] "Name: value"
---@field body? string
---@field upload? { path: string, size: integer, head?: string, tail?: string } instead of a body: head, the first
--- `size` bytes of the file, tail
---@field output? string the path of a file for the body of a 2xx answer; it is made or emptied before anything is sent
---@field timeout number seconds for the whole attempt
---@field connect_timeout? number seconds until the connection stands; 5, or the timeout, when absent
---@field max_bytes? integer cap of the body, content encoding undone
---@field max_head_bytes? integer cap of all header bytes
---@field once? boolean its answer exists one time only: not to be given up, whatever becomes of the caller

---@class avito.Response an answer (status, head, body), or a failure (error, message, dispatched, stale)
---@field status? integer
---@field head? string the header block as it came, status line included
---@field body? string empty where it was written to the request's output
---@field bytes? integer how many bytes were
---@field error? "network"|"timeout"|"decode"|"cancelled"|"file" "file": one that cannot be read or written
---@field message? string one sentence
---@field dispatched? boolean may the server have seen the request?
---@field stale? boolean a kept-alive connection died before the first byte of an answer

---@class avito.BlockingDriver: avito.Driver
local Driver = { __name = "avito_messenger.io.blocking" }
Driver.__index = Driver

--- A clock that never goes back.
---@return number seconds
Driver.now = clock.now

--- The wall clock.
---@return number seconds since 1970-01-01 UTC
Driver.time = clock.time

--- Waits. A signal wakes the C call early, so that Ctrl-C works; the rest is waited after it.
---@param seconds number
function Driver:sleep(seconds) -- luacheck: no self
  local deadline = clock.now() + seconds
  while seconds > 0 do
    clock.sleep(seconds)
    seconds = deadline - clock.now()
  end
end

--- Performs one request. Raises only for misuse: what the network does is in the response.
---@param request avito.Request
---@return avito.Response
function Driver:perform(request)
  return self.handle:perform(request)
end

--- Closes the connections. May be called again; `perform` raises afterwards.
function Driver:close()
  self.handle:close()
end

function Driver:__tostring()
  return "avito_messenger.io.blocking: " .. tostring(self.handle)
end

local blocking = {}

--- A driver for one thread of plain Lua.
---@param options? { proxy?: string, ca_file?: string } proxy: a URL, "" for none, absent: as the environment
---  says (https_proxy, no_proxy); ca_file: the certificates to trust instead of the system's
---@return avito.BlockingDriver
function blocking.new(options)
  return setmetatable({ handle = curl.easy(options) }, Driver)
end

return blocking
