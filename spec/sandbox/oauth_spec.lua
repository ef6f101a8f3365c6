local support = require "support.sandbox"

local CHATS = "/messenger/v2/accounts/94235311/chats"

describe("sandbox oauth", function()
  local inside
  before_each(function() inside = support.inside() end)

  local function status_with(token, path)
    local answer, status = inside:api("GET", path or CHATS, nil, token)
    return status, answer
  end

  describe("client credentials", function()
    it("give a token for a day, and no refresh token", function()
      local answer, status = inside:grant()
      assert.equal(200, status)
      assert.equal("Bearer", answer.token_type)
      assert.equal(86400, answer.expires_in)
      assert.is_nil(answer.refresh_token)
      assert.equal(200, (status_with(answer.access_token)))
    end)

    it("must be right", function()
      for _, wrong in ipairs { { client_id = "x" }, { client_secret = "x" }, { client_secret = "" } } do
        local answer, status = inside:grant(wrong)
        assert.equal(401, status)
        assert.equal("invalid_client", answer.error)
      end
      assert.equal("unsupported_grant_type", inside:grant({ grant_type = "password" }).error)
      assert.equal(4, inside.box:token_counts().refused)
    end)

    it("come as a form", function()
      local response = inside:send { method = "POST", path = "/token", headers = { ["content-type"] = "text/plain" },
        body = "grant_type=client_credentials&client_id=dummy-client-id&client_secret=dummy-client-secret" }
      assert.equal(400, response.status)
      response = inside:send { method = "POST", path = "/token", body = "grant_type=client_credentials&grant_type=x",
        headers = { ["content-type"] = "application/x-www-form-urlencoded" } }
      assert.equal(400, response.status)
    end)

    it("may be refused with 200", function()
      local other = support.inside { token_error_status = 200 }
      local answer, status = other:grant { client_secret = "x" }
      assert.equal(200, status)
      assert.equal("invalid_client", answer.error)
    end)
  end)

  describe("an access token", function()
    it("expires with 403 and a result, or with 401 to the letter of the contract", function()
      local token = inside:grant().access_token
      inside.now = inside.now + 86399
      assert.equal(200, (status_with(token)))
      inside.now = inside.now + 1
      local status, answer = status_with(token)
      assert.equal(403, status)
      assert.same({ result = { status = false, message = "access token expired" } }, answer)

      local other = support.inside { shapes = "contract", token_lifetime = 1 }
      token = other:grant().access_token
      other.now = other.now + 1
      answer, status = other:api("GET", CHATS, nil, token)
      assert.equal(401, status)
      assert.equal(401, answer.error.code)
    end)

    it("is told from none and from a wrong one", function()
      assert.equal(401, inside:send({ path = CHATS }).status)
      local status, answer = status_with("x")
      assert.equal(403, status)
      assert.equal("invalid access token", answer.result.message)
      assert.equal(403, inside:send({ path = CHATS, headers = {
        authorization = "Basic " .. inside:grant().access_token } }).status)
    end)

    it("ends when told so", function()
      local token = inside:grant().access_token
      assert.equal(0, inside.box:expire_tokens(100000002))
      assert.equal(1, inside.box:expire_tokens())
      assert.equal(403, (status_with(token)))
    end)

    it("reaches as far as its scopes", function()
      local pair = inside:grant { grant_type = "authorization_code",
        code = inside.box:code { user_id = 94235311, scope = "messenger:read" } }
      assert.equal("messenger:read", pair.scope)
      assert.equal(200, (status_with(pair.access_token)))
      assert.equal(403, (status_with(pair.access_token, "/core/v1/accounts/self")))
      local answer, status = inside:api("POST", "/messenger/v2/accounts/94235311/blacklist",
        { users = { { user_id = 1 } } }, pair.access_token)
      assert.equal(403, status)
      assert.is_truthy(answer.error.message:find("messenger:write", 1, true))
      assert.equal(0, #inside.box.market.blacklist)
    end)
  end)

  describe("a code", function()
    local function redeem(code) return inside:grant { grant_type = "authorization_code", code = code } end

    it("gives another seller's tokens, once", function()
      local code = inside.box:code { user_id = 100000002 }
      local pair = redeem(code)
      assert.equal(200, (status_with(pair.access_token, "/messenger/v2/accounts/100000002/chats")))
      assert.equal("messenger:read,messenger:write", pair.scope)
      local again, status = redeem(code)
      assert.equal(400, status)
      assert.equal("invalid_grant", again.error)
    end)

    it("is its client's, and lives ten minutes", function()
      local code = inside.box:code { client_id = "dummy-client-id-2", user_id = 94235311 }
      assert.equal("invalid_grant", redeem(code).error)
      code = inside.box:code {}
      inside.now = inside.now + 600
      assert.equal("invalid_grant", redeem(code).error)
      assert.equal("invalid_grant", redeem("x").error)
    end)
  end)

  describe("a refresh token", function()
    local pair
    local function refresh(token) return inside:grant { grant_type = "refresh_token", refresh_token = token } end
    before_each(function()
      pair = inside:grant { grant_type = "authorization_code", code = inside.box:code { user_id = 94235311 } }
    end)

    it("is rotated", function()
      local next_pair = refresh(pair.refresh_token)
      assert.are_not.equal(pair.refresh_token, next_pair.refresh_token)
      assert.equal(200, (status_with(next_pair.access_token)))
      assert.is_string(refresh(next_pair.refresh_token).access_token)
    end)

    it("burns its chain when it is used twice", function()
      local next_pair = refresh(pair.refresh_token)
      assert.equal("invalid_grant", refresh(pair.refresh_token).error)
      assert.equal("invalid_grant", refresh(next_pair.refresh_token).error)
      assert.equal(403, (status_with(next_pair.access_token)))
      assert.equal(1, inside.box:token_counts().reused_refresh)
    end)

    it("is only refused when the option says so", function()
      inside = support.inside { refresh_reuse = "refuse" }
      pair = inside:grant { grant_type = "authorization_code", code = inside.box:code { user_id = 94235311 } }
      local next_pair = refresh(pair.refresh_token)
      assert.equal("invalid_grant", refresh(pair.refresh_token).error)
      assert.is_string(refresh(next_pair.refresh_token).access_token)
    end)

    it("is no other client's", function()
      assert.equal("invalid_grant", inside:grant({ grant_type = "refresh_token", refresh_token = pair.refresh_token,
        client_id = "dummy-client-id-2", client_secret = "dummy-client-secret-2" }).error)
      assert.is_string(refresh(pair.refresh_token).access_token)
    end)
  end)

  describe("the authorization page", function()
    local function page(query) return inside:send { path = "/oauth?" .. query } end
    local QUERY = "response_type=code&pro_users_flow=true&client_id=dummy-client-id&scope=messenger:read," ..
      "messenger:write&state=a%26b"

    it("sends the seller back with code and state", function()
      local response = page(QUERY)
      assert.equal(302, response.status)
      local code = response.headers.Location:match("^http://127%.0%.0%.1:8077/sandbox/callback%?code=([^&]+)&state=a%%26b$")
      assert.is_string(inside:grant({ grant_type = "authorization_code", code = code }).refresh_token)
    end)

    it("goes to the client's own address", function()
      inside = support.inside { accounts = { { user_id = 1, client_id = "dummy-client-id",
        redirect_uri = "https://example.com/back?x=1" } } }
      assert.is_truthy(page(QUERY).headers.Location:find("^https://example%.com/back%?x=1&code="))
    end)

    it("can be refused by the seller", function()
      assert.is_truthy(page(QUERY .. "&deny=1").headers.Location:find("?error=access_denied&state=a%26b", 1, true))
    end)

    it("knows its clients", function()
      assert.equal(400, page("response_type=code&client_id=x&scope=messenger:read").status)
      assert.equal(400, page("response_type=token&client_id=dummy-client-id&scope=messenger:read").status)
      assert.equal(400, page("response_type=code&client_id=dummy-client-id").status)
      assert.equal(400, page(QUERY .. "&user_id=5").status)
    end)
  end)
end)
