--- One thing a rule asks of a turn.

---@class avito_messenger.bot.Condition
---@field name string the field it was written in, "item.price"
---@field key? string equal for equal conditions; nil: two of this kind are never known to be equal
---@field test fun(turn: table): boolean|nil, string?, string? nil: not known; a reason and a traceback only of `when`
---@field tell fun(turn: table, ok: boolean): string why it is so, for people
---@field check fun(turn: table): boolean, string?, string? is it met; if not, why; and a traceback when `when` raised
---@field number? integer of its pattern, in `hears`
---@field chats? table<string, true> the types of chats it is met in, in `chat_type`
local Condition = {}
Condition.__index = Condition
Condition.__name = "avito_messenger.bot.Condition"

---@param name string
---@param key? string what of it makes it equal to another of the name
---@param test fun(turn: table): boolean|nil, string?, string?
---@param tell fun(turn: table, ok: boolean): string
---@return avito_messenger.bot.Condition
function Condition.new(name, key, test, tell)
  local self = setmetatable({ name = name, key = key and name .. " " .. key, test = test, tell = tell }, Condition)
  function self.check(turn)
    local ok, why, traceback = test(turn)
    if ok then return true end
    if why == nil then why = ok == nil and "unknown" or tell(turn, false) end
    return false, why, traceback
  end
  return self
end

return Condition
