--- Values that no text may show. What is a secret is told once; every text is looked through before it leaves.
local core = require "avito_messenger.core"

---@class avito_messenger.Secrets
local Secrets = {}
Secrets.__index = Secrets
Secrets.__name = "avito_messenger.Secrets"

local secrets = {}

local HIDDEN = "***"
local SHORTEST = 8 -- of what is a secret by its place alone: a shorter one stands in any text

local function longer(a, b)
  if #a ~= #b then return #a > #b end
  return a < b
end

local function insert(self, value)
  if value == "" then return end
  for _, one in ipairs(self.values) do
    if one == value then return end
  end
  table.insert(self.values, value)
  table.sort(self.values, longer) -- one that holds another goes first
end

--- A secret, also as it is written in a URL or a form, and in JSON that escapes slashes.
---@param value string
function Secrets:add(value)
  if type(value) ~= "string" then error(("secrets: a secret must be a string, got %s"):format(type(value)), 2) end
  insert(self, value)
  insert(self, core.encode_query { { "", value } }:sub(2))
  insert(self, (value:gsub("/", "\\/")))
end

--- A URL whose path or query holds a secret: all that follows its host.
---@param url string
function Secrets:add_url(url)
  if type(url) ~= "string" then error(("secrets: a url must be a string, got %s"):format(type(url)), 2) end
  local rest = url:match "^%a+://[^/?#]*(.*)$" or url
  if #rest >= SHORTEST then self:add(rest) end
  for part in rest:gmatch "[^/?#&=]+" do
    if #part >= SHORTEST then self:add(part) end
  end
end

--- The text with *** for every secret.
---@param text string
---@return string
function Secrets:hide(text)
  for _, value in ipairs(self.values) do
    local at = text:find(value, 1, true)
    while at do
      text = text:sub(1, at - 1) .. HIDDEN .. text:sub(at + #value)
      at = text:find(value, at + #HIDDEN, true)
    end
  end
  return text
end

--- None of them.
function Secrets:__tostring()
  return ("avito_messenger.Secrets (%d)"):format(#self.values)
end

---@param values? string[]
---@return avito_messenger.Secrets
function secrets.new(values)
  local self = setmetatable({ values = {} }, Secrets)
  for _, value in ipairs(values or {}) do self:add(value) end
  return self
end

return secrets
