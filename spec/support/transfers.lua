--- For specs: a multi of libcurl's with the default transport, and answers as a list.
---
---   local some = transfers.new()          some:add(request) -> id; :cancel(id); :close()
---   some:step(seconds)                    list of { id =, response = }
local transfers = {}
transfers.__index = transfers

function transfers.new()
  local multi = require("avito_messenger.curl").multi()
  return setmetatable({ multi = multi, transport = multi:transport() }, transfers)
end

function transfers:add(request)
  return self.multi:add(request, self.transport)
end

function transfers:step(seconds)
  local finished, list = {}, {}
  for i = 1, self.multi:step(seconds, finished, {}) do
    list[i] = { id = finished[2 * i - 1], response = finished[2 * i] }
  end
  return list
end

function transfers:cancel(id)
  return self.multi:cancel(id)
end

function transfers:close()
  self.multi:close()
end

return transfers
