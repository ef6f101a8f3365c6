-- A bot that listens, with a path and a key that are marked: what it writes, tells and answers holds neither, nor what a buyer
-- wrote, whatever is posted to it.

local avito = require "avito_messenger"
local core = require "avito_messenger.core"
local json = require "avito_messenger.json"
local loop = require "avito_messenger.io.loop"
local shop = require "support.shop"

local PATH, KEY, HEARD = "dummy-canary-path-secret", "dummy-canary-signature-key", "Торг есть, canary-heard?"
local MARKS = { PATH, KEY, "canary-heard" }

local function body_of(id, more)
  local value = { id = id, chat_id = "u2i-canary", user_id = shop.user_id, author_id = 7, created = os.time(), type = "text",
    content = { text = HEARD } }
  for name, member in pairs(more or {}) do value[name] = member end
  return assert(json.encode { version = "v3.0.0", payload = { type = "message", value = value } })
end

describe("no secret of a webhook shows", function()
  local seen

  local function see(text) seen[#seen + 1] = tostring(text) end

  local function see_all(note)
    for name, value in pairs(note) do
      see(name)
      if type(value) == "table" then see_all(value) else see(value) end
    end
  end

  local function run(format)
    seen = {}
    local statuses = {}
    loop.run(function()
      local box = assert(shop.sandbox():listen { port = 0 })
      local client = avito.client { io = loop, base_url = box.url, client_id = "dummy-client-id", retries = 0,
        client_secret = "dummy-client-secret" }
      local bot = avito.bot { client = client, rulebook = { burst = "1h" }, user_id = shop.user_id,
        log = { format = format, level = "debug", write = see }, on_error = see_all,
        on_event = function(note) if note.kind ~= "effect" then see_all(note) end end }
      local server = assert(bot:listen { port = 0, path_secret = PATH, metrics = true, signature = { key = KEY } })
      local task = bot:subscribe(server.url .. PATH)
      local function post(method, path, body, headers)
        local list = {}
        for name, value in pairs(headers or {}) do list[#list + 1] = name .. ": " .. value end
        local response = client.driver:perform { method = method, url = server.url:sub(1, -2) .. path, headers = list, body = body,
          timeout = 10, max_bytes = 1e6, max_head_bytes = 65536, purpose = "call" }
        statuses[#statuses + 1] = response.status
        see(response.head)
        see(response.body)
      end
      local function signed(body)
        return { ["x-avito-messenger-signature"] = core.hmac_sha256(KEY, body) }
      end
      post("POST", "/" .. PATH, body_of "m1", signed(body_of "m1"))
      post("POST", "/" .. PATH, body_of "m2", { ["x-avito-messenger-signature"] = KEY })
      post("POST", "/" .. PATH, body_of "m3")
      post("POST", "/" .. PATH, HEARD, signed(HEARD))
      local odd = body_of("m4", { author_id = HEARD })
      post("POST", "/" .. PATH, odd, signed(odd))
      post("POST", "/" .. PATH .. "x", body_of "m5")
      post("POST", "/" .. PATH .. "?" .. KEY, "{}")
      post("GET", "/" .. PATH)
      post("POST", "/" .. KEY, body_of "m6")
      function bot.store.receive() error("cannot keep " .. PATH) end
      local last = body_of "m7"
      post("POST", "/" .. PATH, last, signed(last))
      post("GET", "/healthz")
      post("GET", "/metrics")
      see(server)
      see(bot)
      bot:stop()
      task:cancel()
      server:close()
    end)
    return statuses, table.concat(seen, "\n")
  end

  for _, format in ipairs { "logfmt", "json" } do
    it("in a log of " .. format, function()
      local statuses, text = run(format)
      assert.same({ 200, 401, 401, 400, 400, 404, 200, 405, 404, 503, 503, 200 }, statuses)
      assert.is_truthy(text:find("avito_bot_webhooks_total", 1, true))
      text = text:gsub("cannot keep " .. PATH:gsub("%-", "%%-"), "") -- what a store of the program's own says to the program
      for _, mark in ipairs(MARKS) do assert.is_nil(text:find(mark, 1, true), mark .. " in " .. text) end
    end)
  end
end)
