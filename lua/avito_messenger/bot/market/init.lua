--- What a bot knows of marketplaces: an adapter for each. All that is one marketplace's own stands in its adapter: how its
--- chats are found and read, what its messages look like, how one is sent, and what its errors say of the account.
---
--- A message of a chat has one shape, whichever marketplace it is of: { id (text), author_id?, created (Unix), type, content,
--- direction "in"|"out", is_read? }. `system` is what the marketplace itself wrote.
local words = require "avito_messenger.words"

local markets = {}

markets.NAMES = { "avito", "yandex_market" }
local DEFAULT = "avito"

---@class avito.bot.MarketChat a chat that may have something new
---@field id string
---@field mark? string|number is another one when there is a new message; nil: it is looked at each time
---@field written? number Unix time of its newest message
---@field type? string
---@field facts avito.bot.Facts
---@field dispute? boolean a dispute is going on in it; false: there is none

---@class avito.bot.Market
---@field name "avito"|"yandex_market"
---@field title string
---@field account_option? string of avito.bot, by which the account may be given
---@field of_one? boolean a client is made for one account, and knows it without asking
---@field renews_tokens? boolean its clients have a token_store
---@field poll_options table<string, string> its own options of the poll, and their types
---@field settles number seconds after which no message can be new that is not told by a mark that was seen before
---@field refuses table<string, true> kinds of errors by which the list of chats is refused to the account altogether
---@field hook table the module of what reads what is posted: OPTIONS, make(given, where, level), event(body), key(message,
--- chat_id) of a row; its rows are of the kind that the marketplace is called
---@field id_of fun(client: avito_messenger.AnyClient): (integer|string)?, avito_messenger.Error? the account's
---@field account_key fun(id: integer|string): string what the account is called in the store, the log and the metrics
---@field chat_id fun(value: any): string?, string? the id of a chat as a program may give it; nil and what it must be
---@field poll_settings fun(given: table): table?, string? what `chats` wants; or nil and what is wrong
---@field chats fun(client: avito_messenger.AnyClient, settings: table, account: integer|string): avito.bot.MarketChat[]?, table?
--- all that may have something new
---@field read_chat fun(client: avito_messenger.AnyClient, chat_id: string, wanted: (fun(message: table, created: number): boolean),
--- record: avito.bot.Chat?): table[]?, (avito_messenger.Error|boolean)? the messages that are wanted, newest first; and
--- true where there may be older ones that could not be had
---@field message? fun(client: avito_messenger.AnyClient, chat_id: string, id: string): table?, avito_messenger.Error?
---@field facts fun(client: avito_messenger.AnyClient, chat_id: string, account: integer|string): avito.bot.Facts?, table?
---@field send fun(bot: avito.Bot, effect: table): table|true|nil, table? true: it was sent, and its id is not told
---@field send_image fun(bot: avito.Bot, effect: table): table|true|nil, table?, boolean? whether the message itself was tried
---@field blacklist? fun(bot: avito.Bot, effect: table): any, table?
---@field mark_read? fun(bot: avito.Bot, effect: table): any, table?
---@field refused fun(client: avito_messenger.AnyClient, err: table): table, boolean? the error of a call, made certain: of
--- kind "auth" where it is the account that is refused; true: it may have been, and is not any more

--- The adapter of this name.
---@param name string
---@return avito.bot.Market
function markets.named(name)
  local mistake = words.mistake(name, markets.NAMES, "marketplace")
  if mistake then error(mistake, 2) end
  return require("avito_messenger.bot.market." .. name)
end

--- The adapter of a client's marketplace.
---@param client avito_messenger.AnyClient
---@return avito.bot.Market
function markets.of(client)
  return markets.named(client.marketplace or DEFAULT)
end

return markets
