-- A contract of clients as nginx runs it: a stand-in for the words of busted keeps the specs, by name.
local json = require "avito_messenger.json"

local ngx = rawget(_G, "ngx")
local side = {}

local specs, group = {}, {}

local words = {
  setup = function(fn) fn() end,
  teardown = function() end,
  before_each = function(fn) group.before = fn end,
  after_each = function(fn) group.after = fn end,
  it = function(name, body)
    assert(not specs[name], name)
    specs[name] = { body = body, group = group }
  end,
}

function words.describe(_, fn)
  group = { parent = group }
  fn()
  group = group.parent
end

local function start(base_url)
  local io = require "avito_messenger.io.nginx"
  local driver = io.new()
  return {
    io = io,
    base_url = base_url,
    control = function(method, what, value)
      local response = driver:perform { method = method, url = base_url .. "/sandbox/" .. what, timeout = 10,
        body = value and assert(json.encode(value)) }
      if response.error then error(response.message) end
      return json.decode(response.body)
    end,
    stop = function() end,
  }
end

local function around(name, one, outer_first)
  if not one then return end
  if outer_first then around(name, one.parent, true) end
  if one[name] then one[name]() end
  if not outer_first then around(name, one.parent, false) end
end

local function run(spec)
  around("before", spec.group, true)
  local ok, problem = xpcall(spec.body, debug.traceback)
  around("after", spec.group, false)
  if not ok then error(problem, 0) end
end

--- Handles a request for a spec of the contract by its name: 200, or 500 and why it has failed.
---@param contract string the module
---@param base_url string
function side.serve(contract, base_url)
  if not next(specs) then
    package.loaded.busted = words
    require(contract)("nginx", function() return start(base_url) end)
  end
  ngx.req.read_body()
  local name = ngx.req.get_body_data()
  local ok, problem = pcall(run, assert(specs[name], "there is no such spec"))
  if ok then return ngx.print "ok" end
  ngx.status = 500
  ngx.print(tostring(problem))
end

return side
