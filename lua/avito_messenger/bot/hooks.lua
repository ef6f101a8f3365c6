--- What a marketplace posts to a bot: the hook that reads it, and whose it is. The same whatever serves the requests.
local hooks = {}

--- The options that the hook of the bot's marketplace has.
---@param bot avito.Bot
---@return table<string, string>
function hooks.options(bot)
  return bot.market.hook.OPTIONS
end

--- The hook of the bot's marketplace; from now on the bot's log shows none of its secrets. Raises what is wrong with the options.
---@param bot avito.Bot
---@param given avito.webhook.Options|avito.notifications.Options
---@param where string what errors name
---@param level integer as for error()
---@return avito.hook.Hook
function hooks.make(bot, given, where, level)
  local hook = bot.market.hook.make(given, where, level + 1)
  if bot.log then
    bot.log:hide(given.path_secret)
    if given.signature then bot.log:hide(given.signature.key) end
  end
  return hook
end

--- Whose rows a request has brought; or nil, what becomes of it, and a note.
---@param bot avito.Bot
---@param answer avito.hook.Answer
---@return string? account
---@return string? outcome
---@return string? note
function hooks.account(bot, answer)
  if not answer.rows then return nil, answer.outcome, answer.note end
  local own = bot:account()
  local account = answer.account or own
  if not account then return nil, "unavailable", answer.note end -- not before it is known whose message it is
  if own and account ~= own then
    return nil, "foreign", ("for account %s, and the bot is that of %s"):format(account, own)
  end
  return account
end

return hooks
