--- The bot that specs run inside nginx, as SPEC_PLAN says, a JSON object:
---   base_url          of the sandbox
---   store             a path, "memory", or nothing for the default
---   rules             a path; default: answers "Ответ N" to "Вопрос N"
---   log               a path that lines of the log go to
---   user_id, pace, timeout, lease
---   business_id       the bot is one of Yandex Market
---   shared            true: tokens and the pace are those of all workers
local avito = require "avito_messenger"
local json = require "avito_messenger.json"
local nginx = require "avito_messenger.nginx"

local plan = assert(json.decode(os.getenv "SPEC_PLAN"))

local function open_store()
  if plan.store == "memory" then return avito.memory_store() end
  return plan.store and assert(avito.store(plan.store, { lease = plan.lease }))
end

local store, shared = open_store(), plan.shared and nginx.shared()

local function open_client()
  local driver = require "avito_messenger.io.nginx"
  if plan.business_id then
    return require("avito_messenger.yandex_market").client { io = driver, base_url = plan.base_url, api_key = "dummy-api-key",
      business_id = plan.business_id }
  end
  return avito.client { io = driver, base_url = plan.base_url, user_id = plan.user_id or nil,
    client_id = plan.client_id or "dummy-client-id", client_secret = "dummy-client-secret", timeout = plan.timeout or 5,
    pace = plan.pace, token_store = shared and shared:tokens("shop"),
    pace_store = shared and plan.pace ~= false and shared:pace("shop") or nil }
end

local function write_line(line)
  local file = assert(io.open(plan.log, "a"))
  file:write(line)
  file:close()
end

return avito.bot { client = open_client(), store = store, log = plan.log and { level = "debug", write = write_line },
  rulebook = plan.rules or avito.rulebook {
    burst = "0.05s", flood = false, settle = "1s",
    { "ответ", hears = "вопрос*", run = function(c)
      for _, number in ipairs(c.numbers) do c:say(("Ответ %d"):format(number)) end
    end },
  } }
