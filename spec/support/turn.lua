--- A turn as the engine builds them, for specs of what looks at turns.
local turn = {}

--- 2026-11-25, a Wednesday: 14:30 in Samara.
turn.NOW = 1795602600

---@param given table its fields; a string is the text of a buyer's message
---@return table
function turn.new(given)
  if type(given) == "string" then given = { text = given } end
  local function list_of(name)
    local list = given[name] or {}
    return function() return list end
  end
  return {
    text = given.text or "", messages = given.messages or {}, types = given.types or { text = true },
    kind = given.kind or "buyer", now = given.now or turn.NOW, chat = given.chat or { id = "u2i-1", type = "u2i" },
    facts = given.facts or {}, first = given.first or false, flow_ids = given.flow_ids or {}, c = given.c,
    phones = list_of "phones", numbers = list_of "numbers", links = list_of "links",
  }
end

return turn
