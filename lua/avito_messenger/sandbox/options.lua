--- The options of a sandbox: their defaults, and what each may be.
local rules = require "avito_messenger.sandbox.rules"
local words = require "avito_messenger.words"
local yandex_market = require "avito_messenger.sandbox.yandex_market.options"

local options = {}

---@class avito.sandbox.Options
---@field seed? integer the same seed gives the same ids, tokens and chances (1)
---@field now? integer Unix time at which the world begins (2026-01-01)
---@field accounts? table[] sellers; without it the default world
---@field items? table[]
---@field buyers? table[]
---@field chats? table[] chats with their messages
---@field shapes? "real"|"contract" answers as they really come, or to the letter of the contract ("real")
---@field strict? boolean refuse what the contract does not have: parameters, fields, Content-Type (true)
---@field latency? number|number[] seconds before each answer, or a range {from, to} (0)
---@field token_lifetime? number seconds (86400)
---@field code_lifetime? number seconds an authorization code lives (600)
---@field token_error_status? integer status of errors of /token: 200 is seen too (400 or 401, as fits)
---@field refresh_reuse? "burn"|"refuse" a refresh token used twice ends all tokens of its chain, or is only refused
---@field foreign_chat? 403|404 the answer for a chat of another account (403)
---@field rate_limit? avito.sandbox.RateLimit|false
---@field webhooks? avito.sandbox.WebhookOptions
---@field surprises? number probability that an object has a field nobody announced (0)
---@field empty_read? number probability that mark_chat_as_read answers an empty body (0.1)
---@field base_url? string what file addresses begin with (from the Host header)
---@field log_limit? integer how many requests and deliveries are remembered (10000)
---@field faults? table[] faults to begin with, as for sandbox:fault
---@field yandex_market? avito.sandbox.YandexMarketOptions

---@class avito.sandbox.RateLimit
---@field per_minute? integer requests a minute for each account (60000)
---@field headers? boolean send X-RateLimit-Limit and X-RateLimit-Remaining (true)
---@field retry_after? "seconds"|"date"|false how a 429 says when to come back (false: not at all)

---@class avito.sandbox.WebhookOptions
---@field probe? boolean try a url with `{}` before it is subscribed (true)
---@field timeout? number seconds the receiver has (2)
---@field delay? number|number[] seconds before a delivery (0)
---@field duplicate? number probability of a second delivery (0)
---@field reorder? number probability that a delivery waits and others overtake it (0)
---@field retries? number[] seconds to wait before each further attempt ({1, 5, 30})
---@field key? string key of the signature header

-- 2026-01-01 00:00:00 UTC
local EPOCH = 1767225600

local is, number, among, range = rules.is, rules.number, rules.among, rules.range

local own = {
  seed = { number(0, 2 ^ 53, true), 1 }, now = { number(0, 2 ^ 40), EPOCH },
  accounts = { is "table" }, items = { is "table" }, buyers = { is "table" }, chats = { is "table" },
  shapes = { among("real", "contract"), "real" }, strict = { is "boolean", true }, latency = { range, 0 },
  token_lifetime = { number(1, 1e9), 86400 }, code_lifetime = { number(1, 1e9), 600 },
  token_error_status = { number(200, 599, true) }, refresh_reuse = { among("burn", "refuse"), "burn" },
  foreign_chat = { among(403, 404), 403 }, surprises = { number(0, 1), 0 }, empty_read = { number(0, 1), 0.1 },
  base_url = { is "string" }, log_limit = { number(1, 1e9, true), 10000 }, faults = { is "table" },
}

local rate_rules = { per_minute = { number(1, 1e9, true), 60000 }, headers = { is "boolean", true },
  retry_after = { among("seconds", "date", false), false } }

local webhook_rules = { probe = { is "boolean", true }, timeout = { number(0.001, 3600), 2 }, delay = { range, 0 },
  duplicate = { number(0, 1), 0 }, reorder = { number(0, 1), 0 }, retries = { rules.list_of_seconds, { 1, 5, 30 } },
  key = { is "string", "dummy-webhook-key" } }

local known = { rate_limit = true, webhooks = true, yandex_market = true }
for name in pairs(own) do known[name] = true end

--- Checks options and fills in the defaults. Raises with the name of what is wrong.
---@param given? avito.sandbox.Options
---@return table
function options.read(given)
  given = given or {}
  words.check(given, known, "option", 0)
  local values = rules.read(given, own, "")
  if given.rate_limit == false then
    values.rate_limit = false
  else
    words.check(given.rate_limit or {}, rate_rules, "rate_limit option", 0)
    values.rate_limit = rules.read(given.rate_limit or {}, rate_rules, "rate_limit.")
  end
  words.check(given.webhooks or {}, webhook_rules, "webhooks option", 0)
  values.webhooks = rules.read(given.webhooks or {}, webhook_rules, "webhooks.")
  values.yandex_market = yandex_market.read(given.yandex_market)
  return values
end

return options
