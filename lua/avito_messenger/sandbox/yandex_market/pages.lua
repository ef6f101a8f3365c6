--- Pages behind opaque tokens. A token names the last element of its page, so that what is written meanwhile moves none.
local reply = require "avito_messenger.sandbox.reply"

local pages = {}

-- Elements of a list have a `time`, and a `rank` for those that share one.
local function before(a, b)
  if a.time ~= b.time then return a.time < b.time end
  return a.rank < b.rank
end

---@param list table[] is sorted
---@param order "newest"|"oldest" which come first
function pages.sort(list, order)
  table.sort(list, order == "oldest" and before or function(a, b) return before(b, a) end)
  return list
end

local function token(sandbox, scope, element)
  local position = ("%d.%d"):format(element.time, element.rank)
  return (position:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) .. "-" ..
    sandbox:sign("page", scope, position):sub(1, 12)
end

-- The position a token names; refuses one of another list.
local function position_of(sandbox, scope, text)
  local hex, mark = text:match("^(%x+)%-(%x+)$")
  local position = hex and hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  local time, rank = (position or ""):match("^(%d+)%.(%d+)$")
  if not time or mark ~= sandbox:sign("page", scope, position):sub(1, 12) then
    reply.refuse(reply.error(400, "pageToken is not one of this list"))
  end
  return { time = tonumber(time), rank = tonumber(rank) }
end

--- The page of a sorted list that a call asks for, and its `paging`.
---@param call table query.limit, query.pageToken
---@param list table[]
---@param order "newest"|"oldest"
---@param scope string what the token is good for
---@return table[] page
---@return { nextPageToken?: string }
function pages.cut(call, list, order, scope)
  local sandbox, query = call.sandbox, call.query
  local given, first = query.pageToken or query.page_token, 1
  if given then
    local position = position_of(sandbox, scope, given)
    local function passed(element)
      if order == "oldest" then return not before(position, element) end
      return not before(element, position)
    end
    while list[first] and passed(list[first]) do first = first + 1 end
  end
  local page = {}
  for i = first, math.min(#list, first + query.limit - 1) do page[#page + 1] = list[i] end
  local more, last = first + #page <= #list, page[#page]
  local way = sandbox.options.yandex_market.paging
  if way == "repeat" and (given or last) then return page, { nextPageToken = given or token(sandbox, scope, last) } end
  if more or (way == "trailing" and #page == query.limit) then
    return page, { nextPageToken = token(sandbox, scope, last) }
  end
  return page, {}
end

return pages
