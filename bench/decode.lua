--- Decodes the page of 100 chats with this decoder and with lua-cjson, alternately, and prints the medians.
-- A block of decodes pays for all the garbage it makes: it starts on a collected heap and ends with a full collection.
--
--   lua5.4 bench/decode.lua [rounds] [decodes per block]

local directory = arg[0]:match("^(.*/)[^/]*$") or ""
package.path = directory .. "?.lua;" .. package.path

local core = require "avito_messenger.core"
local cjson = require("cjson").new()
local page = require("chats_page").text(100)

local rounds = tonumber(arg[1]) or 40
local per_block = tonumber(arg[2]) or 10

local function block(decode)
  collectgarbage()
  local start = os.clock()
  for _ = 1, per_block do
    decode(page)
  end
  collectgarbage()
  return (os.clock() - start) / per_block * 1000
end

local function median(times)
  table.sort(times)
  local half = math.floor(#times / 2)
  if #times % 2 == 1 then
    return times[half + 1]
  end
  return (times[half] + times[half + 1]) / 2
end

assert(core.decode(page).chats[100].id == cjson.decode(page).chats[100].id)
block(core.decode)
block(cjson.decode)
local ours, theirs, ratios = {}, {}, {}
for round = 1, rounds do
  if round % 2 == 0 then
    ours[round] = block(core.decode)
    theirs[round] = block(cjson.decode)
  else
    theirs[round] = block(cjson.decode)
    ours[round] = block(core.decode)
  end
  ratios[round] = ours[round] / theirs[round]
end

print(("%s: %d bytes, 100 chats, median of %d rounds: avito-messenger %.3f ms, lua-cjson %.3f ms, ratio %.2f"):format(
  type(jit) == "table" and jit.version or _VERSION, #page, rounds, median(ours), median(theirs), median(ratios)))
