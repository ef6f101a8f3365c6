--- A record as the parts that a database keeps, each JSON: what changes seldom, or is long, is written for itself.
local json = require "avito_messenger.json"
local text = require "avito_messenger.text"

local parts = {}

-- Everything else is the part "state". The rows of the outbox are kept one by one.
local OWN = { "seen", "flow", "memory" }
local APART = { id = true, outbox = true, seen = true, flow = true, memory = true }

---@class avito.store.Kept what is in the database of a chat's record, so that only what differs is written
---@field texts table<string, string> by the part's name
---@field marks? integer how many ids `seen` knew
---@field rows table<string, { text: string, place: integer }> of the outbox, by key

local function encode(value, chat_id)
  local encoded, problem = json.encode(value)
  if encoded and not text.length(encoded) then encoded, problem = nil, "it holds a string that is not UTF-8" end
  if not encoded then error(("store:commit: the record of chat %s cannot be kept: %s"):format(chat_id, problem), 0) end
  return encoded
end

local function state_of(record)
  local state = {}
  for name, value in pairs(record) do
    if not APART[name] then state[name] = value end
  end
  return state
end

-- The texts of the parts; of the ids only when there are new ones, for there are many.
local function texts_of(record, chat_id, kept)
  local texts = { state = encode(state_of(record), chat_id) }
  for _, name in ipairs(OWN) do
    local value = record[name]
    if value ~= nil then
      local same = name == "seen" and kept.marks == value.n and kept.texts.seen
      texts[name] = same or encode(value, chat_id)
    end
  end
  return texts
end

local function changed_rows(record, chat_id, kept, rows)
  local changed, place = {}, 0
  for _, row in ipairs(record.outbox or {}) do
    local before, encoded = kept.rows[row.key], encode(row, chat_id)
    place = before and before.place > place and before.place or place + 1
    rows[row.key] = { text = encoded, place = place }
    if not before or before.text ~= encoded or before.place ~= place then
      changed[#changed + 1] = { key = row.key, place = place, kind = row.kind, state = row.state, body = encoded }
    end
  end
  return changed
end

local function ended_rows(kept, rows, finals)
  local by_key, ended = {}, {}
  for _, final in ipairs(finals or {}) do by_key[final.key] = final end
  for key in pairs(kept.rows) do
    if not rows[key] then
      local final = by_key[key] or { state = "withdrawn" }
      ended[#ended + 1] = { key = key, state = final.state, id = final.id }
    end
  end
  return ended
end

---@class avito.store.Difference
---@field write table<string, string> parts to be written
---@field remove string[] parts to be taken out
---@field rows { key: string, place: integer, kind: string, state: string, body: string }[] rows of the outbox to be written
---@field ended { key: string, state: string, id: string? }[] rows of the outbox that ended
---@field kept avito.store.Kept what is kept when all that is done

--- What has to be done so that the record is kept. Raises where it cannot be: it has no JSON form.
---@param record avito.bot.Chat
---@param kept avito.store.Kept
---@param finals? { key: string, state: string, id: string? }[]
---@param chat_id string
---@return avito.store.Difference
function parts.difference(record, kept, finals, chat_id)
  local now = { texts = texts_of(record, chat_id, kept), rows = {}, marks = record.seen and record.seen.n }
  local difference = { write = {}, remove = {}, kept = now }
  for name, encoded in pairs(now.texts) do
    if kept.texts[name] ~= encoded then difference.write[name] = encoded end
  end
  for name in pairs(kept.texts) do
    if not now.texts[name] then table.insert(difference.remove, name) end
  end
  difference.rows = changed_rows(record, chat_id, kept, now.rows)
  difference.ended = ended_rows(kept, now.rows, finals)
  return difference
end

local function decode(name, encoded)
  local value, problem = json.decode(encoded)
  if type(value) ~= "table" then return nil, ("the part '%s' is no JSON object: %s"):format(name, problem or "another value") end
  return value
end

--- The record as it was, and what of it is in the database.
---@param chat_id string
---@param list string[][] name and body of each part
---@param outbox table[] key, place and body of each row, in their order
---@return avito.bot.Chat?
---@return avito.store.Kept|string kept, or what is wrong
function parts.read(chat_id, list, outbox)
  local kept, values = { texts = {}, rows = {} }, {}
  for _, part in ipairs(list) do
    local value, problem = decode(part[1], part[2])
    if not value then return nil, problem end
    kept.texts[part[1]], values[part[1]] = part[2], value
  end
  local record = values.state or {}
  record.id, kept.marks = chat_id, values.seen and values.seen.n
  for _, name in ipairs(OWN) do record[name] = values[name] end
  for i, row in ipairs(outbox) do
    local value, problem = decode("outbox " .. row[1], row[3])
    if not value then return nil, problem end
    kept.rows[row[1]] = { text = row[3], place = row[2] }
    record.outbox = record.outbox or {}
    record.outbox[i] = value
  end
  return record, kept
end

return parts
