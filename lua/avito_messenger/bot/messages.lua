--- Messages in the shape that all marketplaces' have here.
local messages = {}

--- Is it a message?
---@param value any
---@return boolean
function messages.is_message(value)
  return type(value) == "table" and type(value.id) == "string" and type(value.type) == "string"
end

--- When it was written; 0 where that is not told.
---@param message table
---@return number
function messages.written(message)
  return type(message.created) == "number" and message.created or 0
end

--- New messages as an event, oldest first; what is no message is left out.
---@param list table[] newest first
---@param more? { chat_type?: string, earlier?: boolean }
---@return table? event nil: there is none
function messages.event(list, more)
  local ordered = {}
  for i = #list, 1, -1 do
    if messages.is_message(list[i]) then ordered[#ordered + 1] = list[i] end
  end
  if #ordered == 0 then return nil end
  return { type = "message", messages = ordered, chat_type = more and more.chat_type, earlier = more and more.earlier }
end

return messages
