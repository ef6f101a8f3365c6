-- The same conversation with the bot inside nginx and outside of it.
local clock = require "avito_messenger.clock"
local json = require "avito_messenger.json"
local nginx = require "support.nginx"
if not nginx.wanted() then return end
local places = require "nginx.support.place"
local ports = require "support.ports"
local sandbox = require "support.sandbox"

local SECRET = "dummy-path-secret"
local RULES = "spec/nginx/support/rules.lua"

-- Whose chat, who writes what, and how many messages the bot answers with.
local STORY = {
  { 1, "buyer", "Здравствуйте, ещё продаёте? Торг есть?", 3 },
  { 2, "buyer", "Можно обмен?", 2 },
  { 1, "buyer", "А где вы?", 1 },
  { 2, "buyer", "Айфон 12", 1 },
  { 2, "buyer", "не знаю", 1 },
  { 1, "seller", "Я уже здесь, пишите мне.", 0 },
  { 1, "buyer", "Торг?", 0 },
  { 2, "buyer", "5000", 1 },
  { 3, "buyer", "Пришлите фото", 3 },
  { 4, "buyer", "шмурдяк", 1 },
  { 4, "buyer", "бырр", 1 },
  { 2, "buyer", "Позовите оператора", 1 },
  { 1, "buyer", "Вы тут?", 0 },
  { 4, "buyer", "Где забрать?", 1 },
}

describe("the bot kit inside nginx", function()
  local own, place = places.own(), nil

  before_each(own.begin)
  after_each(own.finish)

  local function count_of(market)
    return #market:control("GET", "sends").sends
  end

  local function await(market, count, step)
    local ends = clock.now() + 20
    while count_of(market) < count do
      if clock.now() > ends then
        local said = {}
        for i, send in ipairs(market:control("GET", "sends").sends) do said[i] = send.text end
        error(("'%s' was not answered as it should be, but: %s"):format(step[3], table.concat(said, " | ")), 0)
      end
      clock.sleep(0.02)
    end
  end

  -- Plays the story; gives the texts of each chat.
  local function play(market)
    local count, chats = 0, {}
    for _, step in ipairs(STORY) do
      if step[2] == "buyer" then
        chats[step[1]] = market:control("POST", "say", { buyer = 200000000 + step[1], item = 5000, text = step[3] }).chat_id
      else
        market:control("POST", "write", { chat_id = chats[step[1]], text = step[3] })
      end
      count = count + step[4]
      await(market, count, step)
    end
    local lines = {}
    for _, chat in ipairs(market:control("GET", "state").chats) do
      for number, id in pairs(chats) do
        for i, message in ipairs(chat.id == id and chat.messages or {}) do
          lines[#lines + 1] = ("%d %03d %s: %s"):format(number, i, message.from, message.content.text or message.type)
        end
      end
    end
    table.sort(lines)
    assert.equal(count, count_of(market))
    return lines
  end

  local function inside(workers)
    place = own.open { workers = workers, plan = { store = own.path .. workers, rules = RULES, shared = true },
      webhooks = true }
    place:until_well()
    place:until_subscribed()
    local lines = play(place.market)
    place:stop()
    return lines
  end

  local function outside()
    place = own.alone()
    local port, market = ports.free(own.path), place.market
    local plan = { base_url = market.base_url, store = own.path, rules = RULES, timeout = 5,
      credentials = { client_id = sandbox.client_id, client_secret = sandbox.client_secret },
      run = { poll = { interval = 1 }, listen = { port = port, path_secret = SECRET },
        subscribe = ("http://127.0.0.1:%d/%s"):format(port, SECRET) } }
    local child = sandbox.spawn({ "spec/proof/support/bot.lua", assert(json.encode(plan)) }, { stdout = "pipe" })
    assert.equal("started", child:read_line())
    place:until_subscribed()
    local lines = play(market)
    child:kill "TERM"
    child:read_all()
    child:close()
    place:stop()
    return lines
  end

  it("says what it says outside", function()
    local expected = outside()
    assert.is_true(#expected > #STORY)
    assert.same(expected, inside(1))
    assert.same(expected, inside(2))
  end)
end)
