--- The operations on the account itself: who it is, and whom it does not want to hear.
local check = require "avito_messenger.sandbox.check"
local reply = require "avito_messenger.sandbox.reply"

local accounts = {}

function accounts.get_self(call)
  local account = call.account
  return reply.json(200, { id = account.user_id, name = account.name, email = account.email, phone = account.phone,
    phones = { account.phone }, profile_url = ("https://avito.ru/user/sandbox%.0f/profile"):format(account.user_id) })
end

function accounts.add_to_blacklist(call)
  local strict = call.sandbox.options.strict
  local body = check.object(call.request, strict)
  check.members(body, { users = true }, strict)
  if type(body.users) ~= "table" or body.users[1] == nil then check.refuse("users", "a list of users expected") end
  local entries = {}
  for i, user in ipairs(body.users) do
    local prefix = ("users[%d]."):format(i - 1)
    if type(user) ~= "table" then check.refuse(("users[%d]"):format(i - 1), "an object expected") end
    check.members(user, { user_id = true, context = true }, strict, prefix)
    local entry = { account = call.account.user_id, user_id = check.whole(user, "user_id", prefix), time = call.now }
    local context = user.context
    if context ~= nil then
      if type(context) ~= "table" then check.refuse(prefix .. "context", "an object expected") end
      check.members(context, { item_id = true, reason_id = true }, strict, prefix .. "context.")
      if context.item_id ~= nil then entry.item_id = check.whole(context, "item_id", prefix .. "context.") end
      if context.reason_id ~= nil then
        entry.reason_id = check.whole(context, "reason_id", prefix .. "context.")
        if entry.reason_id > 4 then check.refuse(prefix .. "context.reason_id", "1, 2, 3 or 4 expected") end
      end
    end
    entries[i] = entry
  end
  for _, entry in ipairs(entries) do table.insert(call.market.blacklist, entry) end
  call.entry.applied = true
  return { status = 200, headers = {}, body = "" }
end

return accounts
