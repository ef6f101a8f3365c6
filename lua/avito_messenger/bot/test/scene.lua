--- A scene: a rulebook, a clock that only moves when the scenario says so, buyers, and the seller who types by hand.
local abilities = require "avito_messenger.bot.abilities"
local Buyer = require "avito_messenger.bot.test.buyer"
local Host = require "avito_messenger.bot.test.host"
local Market = require "avito_messenger.bot.test.market"
local digits = require "avito_messenger.digits"
local facts = require "avito_messenger.bot.engine.facts"
local hours = require "avito_messenger.bot.hours"
local moments = require "avito_messenger.bot.test.moments"
local options = require "avito_messenger.options"
local rulebook = require "avito_messenger.bot.rulebook"
local span = require "avito_messenger.bot.span"
local words = require "avito_messenger.words"

local ACCOUNTS = { avito = 94235311, yandex_market = "yandex_market:94235311" }

---@class avito.bot.test.SceneOptions
---@field rulebook string|table the path of a rulebook, or the table itself
---@field marketplace? "avito"|"yandex_market" where it plays; default "avito"
---@field at? string|number when it begins, in the rulebook's zone: "2026-11-20 22:15"; a Monday at noon when absent
---@field calls? table<string, fun(args: any, c: table): any> in place of the rulebook's functions of the same name
---@field facts? boolean false: the marketplace does not tell about item and buyer
---@field within? number|string how long an expectation waits; "1m" when absent
---@field engine? fun(given: { book: table, user_id: integer|string }): table another engine, to test the kit itself

---@class avito.bot.test.Item
---@field id? integer
---@field title? string
---@field price? number
---@field price_text? string as the marketplace shows it; from the price when absent
---@field url? string
---@field city? string

---@class avito.bot.test.Order
---@field id? integer|string
---@field return_id? integer|string
---@field campaign_id? integer|string

--- What the scene's marketplace has not, an item or an order, is left out: so one scenario plays on all of them.
---@class avito.bot.test.BuyerOptions
---@field name? string
---@field id? integer|string
---@field item? avito.bot.test.Item what a chat of Avito is about; without one it is a chat from the profile
---@field order? avito.bot.test.Order what a chat of Yandex Market is about; without one the buyer began it
---@field type? "u2i"|"u2u"|"a2u"|"order"|"return"|"direct" of the chat; by what it is about when absent
---@field chat_type? string the same
---@field earlier? boolean there are messages in the chat from before the scene

---@class avito.bot.Scene
---@field host avito.bot.test.Host
---@field buyers avito.bot.Buyer[]
---@field within number
---@field zone table
---@field abilities avito_messenger.bot.Abilities of its marketplace
local Scene = {}
Scene.__index = Scene
Scene.__name = "avito.bot.Scene"

local OPTIONS = { rulebook = "string|table", marketplace = "string", at = "string|number", calls = "table", facts = "boolean",
  within = "string|number", engine = "function" }
local BUYER = { name = "string", id = "number|string", item = "table", order = "table", type = "string", chat_type = "string",
  earlier = "boolean" }
local ITEM = { id = "number", title = "string", price = "number", price_text = "string", url = "string", city = "string" }
local ORDER = { id = "number|string", return_id = "number|string", campaign_id = "number|string" }

--- A function that gives the rulebook: read anew each time where it is a file; a table is compiled once, for its functions
--- stay the same ones.
---@param given string|table
---@param marketplace? string
---@return fun(): table
function Scene.loader(given, marketplace)
  local compiled
  return function()
    local book, problem = compiled, nil
    if type(given) == "string" then
      book, problem = rulebook.load(given, marketplace)
    elseif not compiled then
      compiled, problem = rulebook.compile(given, "rulebook", marketplace)
      book = compiled
    end
    if not book then error(problem.message, 0) end
    return book
  end
end

local function default_engine(given)
  return require("avito_messenger.bot.engine").new(given)
end

local function seconds(where, value, level)
  local count, problem = span.seconds(value)
  if not count then error(("%s: %s"):format(where, problem), level + 1) end
  return count
end

--- Makes a scene.
---@param given avito.bot.test.SceneOptions
---@param level integer whom to blame
---@param torture? { mischief: avito.bot.test.Mischief?, load: fun(): table }
---@return avito.bot.Scene
function Scene.new(given, level, torture)
  torture = torture or {}
  options.check("test.scene", given, OPTIONS, level + 1)
  if not given.rulebook then error("test.scene: rulebook is missing: its path, or the table itself", level + 1) end
  local marketplace = given.marketplace or "avito"
  local mistake = words.mistake(marketplace, words.names(abilities), "marketplace")
  if mistake then error("test.scene: " .. mistake, level + 1) end
  local make = given.engine or default_engine
  local ok, host = pcall(Host.new, { now = 0, load = torture.load or Scene.loader(given.rulebook, marketplace),
    calls = given.calls or {}, facts = given.facts ~= false, mischief = torture.mischief,
    engine = function(book) return make { book = book, user_id = ACCOUNTS[marketplace] } end })
  if not ok then error(host, level + 1) end
  local zone = host.book.zone or assert(hours.zone "UTC")
  local problem
  host.now, problem = moments.read(given.at or "2026-01-12 12:00", zone)
  if not host.now then error("test.scene: at: " .. problem, level + 1) end
  return setmetatable({ host = host, buyers = {}, zone = zone, abilities = abilities[marketplace],
    within = seconds("test.scene: within", given.within or "1m", level + 1) }, Scene)
end

-- As the marketplace writes it: with U+00A0 for spaces.
local function price_text(price)
  return ((facts.price(price) .. " ₽"):gsub(" ", "\194\160"))
end

local function item_of(given, number, level)
  if not given then return nil end
  options.check("scene:buyer: item", given, ITEM, level + 1)
  local item = { id = number, title = "Товар", url = ("https://example.com/items/%d"):format(given.id or number),
    price_text = given.price and price_text(given.price) or nil }
  for name, value in pairs(given) do item[name] = value end
  return item
end

local function order_of(given, number, level)
  if not given then return nil end
  options.check("scene:buyer: order", given, ORDER, level + 1)
  local order = { id = tostring(5000 + number) }
  for name, value in pairs(given) do order[name] = digits.text(value) end
  return order
end

local about = {}

function about.avito(given, number, item)
  local chat_type = given.type or given.chat_type or (item and "u2i" or "u2u")
  return { chat_id = ("%s-test-%d"):format(chat_type, number), chat_type = chat_type, item = item,
    buyer = { id = given.id or 1000 + number } }
end

function about.yandex_market(given, number, _, order)
  local chat_type = given.type or given.chat_type or (order and (order.return_id and "return" or "order") or "direct")
  return { chat_id = tostring(7000 + number), chat_type = chat_type, order = order,
    buyer = { id = given.id or ("buyer-%d"):format(number) } }
end

--- Somebody who writes to the seller, in a chat of their own.
---@param given? avito.bot.test.BuyerOptions
---@return avito.bot.Buyer
function Scene:buyer(given)
  given = given or {}
  options.check("scene:buyer", given, BUYER, 2)
  local number = #self.buyers + 1
  local marketplace = self.abilities
  local chat = about[marketplace.name](given, number, item_of(given.item, number, 2), order_of(given.order, number, 2))
  local mistake = words.mistake(chat.chat_type, words.names(marketplace.chats), "chat type")
  if mistake then error("scene:buyer: " .. mistake, 2) end
  chat.abilities, chat.user_id, chat.earlier = marketplace, ACCOUNTS[marketplace.name], given.earlier
  chat.buyer.name = given.name or "Покупатель"
  local talk = self.host:open(Market.new(chat))
  local buyer = Buyer.new(self, talk)
  self.buyers[number] = buyer
  return buyer
end

--- Unix seconds of the scene's clock.
---@return number
function Scene:now() return self.host.now end

--- Lets time pass until `limit` or until `stop` says so. What goes wrong inside is blamed on the caller.
---@param limit number
---@param stop? fun(): any
---@param level integer
---@return boolean stopped
function Scene:run(limit, stop, level)
  local ok, result = pcall(self.host.run, self.host, limit, stop)
  if not ok then error(result, level + 1) end
  return result
end

--- Lets time pass.
---@param time number|string seconds, or a span: "90s", "10m", "2h", "7d"
function Scene:wait(time)
  self:run(self.host.now + seconds("scene:wait", time, 2), nil, 2)
end

--- Lets time pass until a moment of the rulebook's zone.
---@param moment string|number "2026-11-21 09:00", or "09:00": the next time it is that late; or Unix seconds
function Scene:wait_until(moment)
  local at, problem = moments.read(moment, self.zone, self.host.now)
  if not at then error("scene:wait_until: " .. problem, 2) end
  if at < self.host.now then error(("scene:wait_until: '%s' is over"):format(tostring(moment)), 2) end
  self:run(at, nil, 2)
end

--- Lets the marketplace's next answers go wrong.
---@param kind "dropped"|"lost"|"offline"|"limited"|"broken"|"refused" "dropped": it did what it was asked, and its answer is
--- lost; "lost": the request is, which looks the same; "offline": no connection; "limited": 429; "broken": 500; "refused": 403
---@param count? integer how many; 1 when absent
---@param what? "send"|"about"|"check"|"read"|"blacklist"|"escalate" answers to which requests; "send" when absent
function Scene:fail(kind, count, what)
  self.host.faults:add(kind, count or 1, what or "send", 2)
end

--- All conversations, as `print(scene)` shows them.
---@return string
function Scene:transcript()
  local parts = {}
  for i, buyer in ipairs(self.buyers) do parts[i] = buyer:transcript() end
  return table.concat(parts, "\n\n")
end

Scene.__tostring = Scene.transcript

return Scene
