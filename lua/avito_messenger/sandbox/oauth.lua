--- Tokens: how they are issued, rotated, checked, and how they end.
local check = require "avito_messenger.sandbox.check"
local codec = require "avito_messenger.sandbox.codec"
local reply = require "avito_messenger.sandbox.reply"

local oauth = {}

local SCOPES = { "messenger:read", "messenger:write", "user:read" }

function oauth.new_state()
  return { access = {}, refresh = {}, codes = {}, counts = { client_credentials = 0, authorization_code = 0,
    refresh_token = 0, refused = 0, reused_refresh = 0 } }
end

local function account_of_client(sandbox, client_id)
  for _, account in ipairs(sandbox.market.account_list) do
    if account.client_id == client_id then return account end
  end
end

local function set_of(list)
  local set = {}
  for _, scope in ipairs(list) do set[scope] = true end
  return set
end

local function issue(sandbox, now, user_id, client_id, scopes, chain)
  local token = { value = "sandbox-access-" .. sandbox.random:letters(24), user_id = user_id, client_id = client_id,
    scopes = set_of(scopes), expires_at = now + sandbox.options.token_lifetime, chain = chain }
  sandbox.tokens.access[token.value] = token
  return token
end

local function issue_pair(sandbox, now, chain)
  local token = issue(sandbox, now, chain.user_id, chain.client_id, chain.scopes, chain)
  local refresh = "sandbox-refresh-" .. sandbox.random:letters(24)
  sandbox.tokens.refresh[refresh] = { chain = chain, used = false }
  return reply.json(200, { access_token = token.value, refresh_token = refresh, token_type = "Bearer",
    expires_in = sandbox.options.token_lifetime, scope = table.concat(chain.scopes, ",") })
end

local function fail(sandbox, status, code, description)
  sandbox.tokens.counts.refused = sandbox.tokens.counts.refused + 1
  reply.refuse(reply.json(sandbox.options.token_error_status or status,
    { error = code, error_description = description }))
end

local grants = {}

function grants.client_credentials(call, account)
  local token = issue(call.sandbox, call.now, account.user_id, account.client_id, account.scopes or SCOPES)
  return reply.json(200, { access_token = token.value, token_type = "Bearer",
    expires_in = call.sandbox.options.token_lifetime })
end

function grants.authorization_code(call, account, form)
  local sandbox = call.sandbox
  local code = form.code and sandbox.tokens.codes[form.code]
  if not code or code.used or code.client_id ~= account.client_id or code.expires_at <= call.now then
    fail(sandbox, 400, "invalid_grant", "the code is unknown, used or expired")
  end
  code.used = true
  return issue_pair(sandbox, call.now, { user_id = code.user_id, client_id = code.client_id, scopes = code.scopes })
end

function grants.refresh_token(call, account, form)
  local sandbox = call.sandbox
  local refresh = form.refresh_token and sandbox.tokens.refresh[form.refresh_token]
  if not refresh or refresh.chain.burnt or refresh.chain.client_id ~= account.client_id then
    fail(sandbox, 400, "invalid_grant", "the refresh token is unknown or revoked")
  end
  if refresh.used then
    sandbox.tokens.counts.reused_refresh = sandbox.tokens.counts.reused_refresh + 1
    refresh.chain.burnt = sandbox.options.refresh_reuse == "burn"
    fail(sandbox, 400, "invalid_grant", "the refresh token was used already")
  end
  refresh.used = true
  return issue_pair(sandbox, call.now, refresh.chain)
end

--- POST /token
function oauth.token(call)
  local sandbox = call.sandbox
  if sandbox.options.strict and check.media_type(call.request) ~= "application/x-www-form-urlencoded" then
    fail(sandbox, 400, "invalid_request", "application/x-www-form-urlencoded expected")
  end
  local values = codec.form(call.request.body)
  if not values then fail(sandbox, 400, "invalid_request", "the form has a broken escape") end
  local form = {}
  for name, given in pairs(values --[[@as table]]) do
    if #given > 1 then fail(sandbox, 400, "invalid_request", "given more than once: " .. name) end
    form[name] = given[1]
  end
  local grant = form.grant_type and grants[form.grant_type]
  if not grant then fail(sandbox, 400, "unsupported_grant_type", "grant_type") end
  local account = form.client_id and account_of_client(sandbox, form.client_id)
  if not account or account.client_secret ~= form.client_secret then
    fail(sandbox, 401, "invalid_client", "client_id or client_secret is wrong")
  end
  local response = grant(call, account, form)
  sandbox.tokens.counts[form.grant_type] = sandbox.tokens.counts[form.grant_type] + 1
  return response
end

--- Makes a code, as if a seller had allowed the client.
---@param sandbox avito.Sandbox
---@param spec { client_id?: string, user_id?: integer, scope?: string }
---@param now number
---@return string code
function oauth.code(sandbox, spec, now)
  local client = spec.client_id and account_of_client(sandbox, spec.client_id) or
    not spec.client_id and sandbox.market.account_list[1]
  if not client then error("code: field 'client_id' is no known client", 0) end
  local user_id = spec.user_id
  if user_id == nil then user_id = (sandbox.market.account_list[2] or client).user_id end
  if not sandbox.market.accounts[user_id] then error("code: field 'user_id' is no known account", 0) end
  local scopes = {}
  for scope in (spec.scope or "messenger:read,messenger:write"):gmatch("[^,%s]+") do scopes[#scopes + 1] = scope end
  local code = "sandbox-code-" .. sandbox.random:letters(20)
  sandbox.tokens.codes[code] = { client_id = client.client_id, user_id = user_id, scopes = scopes,
    expires_at = now + sandbox.options.code_lifetime }
  return code
end

--- GET /oauth: the page where a seller allows a client. The simulated one agrees at once.
function oauth.authorize(call)
  local query = call.query
  local function one(name) return query[name] and query[name][1] end
  local client = one("client_id") and account_of_client(call.sandbox, one("client_id"))
  if not client then return reply.text(400, "unknown client_id\n") end
  if one("response_type") ~= "code" then return reply.text(400, "response_type must be code\n") end
  if not query.scope then return reply.text(400, "scope is required\n") end
  local answer
  if one("deny") then
    answer = "error=access_denied"
  else
    if query.user_id and not call.market.accounts[query.user_id] then return reply.text(400, "unknown user_id\n") end
    local code = oauth.code(call.sandbox, { client_id = client.client_id, user_id = query.user_id,
      scope = table.concat(query.scope, ",") }, call.now)
    answer = "code=" .. codec.escape(code)
  end
  if one("state") then answer = answer .. "&state=" .. codec.escape(one("state")) end
  local target = client.redirect_uri or (call.origin .. "/sandbox/callback")
  local response = reply.text(302, "")
  response.headers.Location = target .. (target:find("?", 1, true) and "&" or "?") .. answer
  return response
end

local function refuse_token(sandbox, message)
  if sandbox.options.shapes == "contract" then reply.refuse(reply.error(401, "Unauthorized")) end
  reply.refuse(reply.result(403, message))
end

--- The token of a request; refuses without a good one, or without the operation's scope.
---@param call table
---@return table token
function oauth.authenticate(call)
  local sandbox = call.sandbox
  local header = call.request.headers.authorization
  if not header then reply.refuse(reply.error(401, "Unauthorized")) end
  local token = sandbox.tokens.access[header:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)%s*$") or ""]
  if not token or (token.chain and token.chain.burnt) then refuse_token(sandbox, "invalid access token") end
  if token.expires_at <= call.now then refuse_token(sandbox, "access token expired") end
  call.owner = token.user_id
  if not token.scopes[call.route.scope] then
    reply.refuse(reply.error(403, "Forbidden: the token has no scope " .. call.route.scope))
  end
  return token
end

--- Ends access tokens now; refresh tokens live on.
---@param sandbox avito.Sandbox
---@param user_id? integer only this account's
---@param now number
---@return integer count
function oauth.expire(sandbox, user_id, now)
  local count = 0
  for _, token in pairs(sandbox.tokens.access) do
    if (user_id == nil or token.user_id == user_id) and token.expires_at > now then
      token.expires_at = now
      count = count + 1
    end
  end
  return count
end

return oauth
