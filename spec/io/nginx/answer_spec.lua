local Random = require "avito_messenger.sandbox.random"
local answer = require "avito_messenger.io.nginx.answer"
local answers = require "support.answers"
local proof = require "support.proof"

local MAX_HEAD, MAX_BODY = 4096, 1000

-- Reads what comes in these pieces, and then the end of the connection.
local function read_pieces(pieces, output, max_head)
  local at = 0
  return answer.read(function()
    at = at + 1
    return pieces[at]
  end, max_head or MAX_HEAD, MAX_BODY, output)
end

local function read(text, output, max_head)
  return read_pieces({ text }, output, max_head)
end

local function broken(what, text, max_head)
  local ok, problem = pcall(read, text, nil, max_head)
  assert.is_false(ok, text)
  assert.is_true(answer.is_broken(problem), tostring(problem))
  assert.equal(what, problem.broken, text)
end

local OK = "HTTP/1.1 200 OK\r\n"

local function chunked(body) return OK .. "Transfer-Encoding: chunked\r\n\r\n" .. body end

describe("an answer", function()
  it("has a status, its head as it came, and a body", function()
    local text = OK .. "X-A:  b c \r\nContent-Length: 2\r\n\r\nok"
    local response, keep = read(text)
    assert.same({ status = 200, head = text:sub(1, -3), body = "ok" }, response)
    assert.is_true(keep)
    assert.equal(599, read("HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n").status)
  end)

  it("is the same in whatever pieces it comes", function()
    for _, text in ipairs { OK .. "Content-Length: 12\r\n\r\nok, so it is",
      chunked "3;a=b\r\nok,\r\n9 ; c\r\n so it is\r\n000\r\nX-Late: 1\r\n\r\n" } do
      for size = 1, #text do
        local pieces = {}
        for at = 1, #text, size do pieces[#pieces + 1] = text:sub(at, at + size - 1) end
        local response, keep = read_pieces(pieces)
        assert.equal("ok, so it is", response.body)
        assert.is_true(keep)
      end
    end
  end)

  it("comes after others that are none", function()
    local early = "HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n"
    local response = read(early .. "HTTP/1.1 100 Continue\r\n\r\n" .. OK .. "Content-Length: 2\r\n\r\nok")
    assert.same({ status = 200, head = OK .. "Content-Length: 2\r\n\r\n", body = "ok" }, response)
    broken("head", early:rep(400), 1e6)
    broken("malformed", "HTTP/1.1 101 Switching\r\n\r\n" .. OK .. "\r\n")
  end)

  it("without a length ends with its connection, which takes no other", function()
    local response, keep = read(OK .. "\r\nok")
    assert.equal("ok", response.body)
    assert.is_false(keep)
    assert.equal("", read(OK .. "\r\n").body)
    assert.equal("ok", read_pieces({ OK .. "\r\n", "o", "k" }).body)
  end)

  it("of status 204 or 304 has no body, whatever it says", function()
    for _, status in ipairs { 204, 304 } do
      local response, keep = read(("HTTP/1.1 %d X\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n"):format(status))
      assert.same({ status, "", true }, { response.status, response.body, keep })
      assert.equal("", read(("HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n"):format(status)).body)
    end
  end)

  it("leaves a connection that takes another, where nothing speaks against it", function()
    local function keeps(text) return (select(2, read(text))) end
    local rest = "Content-Length: 2\r\n\r\nok"
    assert.is_true(keeps(OK .. rest))
    assert.is_true(keeps(OK .. "Connection: keep-alive, closed\r\n" .. rest))
    assert.is_true(keeps(chunked "2\r\nok\r\n0\r\n\r\n"))
    for _, value in ipairs { "close", "CLOSE", "x, close", "close ,x", "x,\tclose\t" } do
      assert.is_false(keeps(OK .. "connection: " .. value .. "\r\n" .. rest), value)
      assert.is_false(keeps(OK .. "Connection: x\r\nConnection: " .. value .. "\r\n" .. rest), value)
      assert.is_false(keeps(OK .. "Connection: " .. value .. "\r\nConnection: x\r\n" .. rest), value)
    end
    assert.is_false(keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" .. rest))
    assert.is_false(keeps(OK .. rest .. "HTTP/1.1 200 OK\r\n")) -- the answer to nothing that was asked
    assert.is_false(keeps(chunked "0\r\n\r\n\r\n"))
    assert.is_false(keeps "HTTP/1.1 204 X\r\n\r\nbody")
  end)

  it("that is a success goes where it is wanted", function()
    local pieces = {}
    local function output(piece) pieces[#pieces + 1] = piece end
    assert.same({ status = 200, head = OK .. "Content-Length: 2\r\n\r\n", body = "", bytes = 2 },
      (read(OK .. "Content-Length: 2\r\n\r\nok", output)))
    assert.same({ "ok" }, pieces)
    assert.equal("no", read("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", output).body)
    assert.same({ "ok" }, pieces)
    assert.equal(0, read("HTTP/1.1 204 X\r\n\r\n", output).bytes)
  end)

  it("that breaks off is none", function()
    for _, text in ipairs { OK .. "Content-Length: 2\r\n\r\nok", chunked "1\r\no\r\n1\r\nk\r\n0\r\nX-Late: 1\r\n\r\n" } do
      for length = 0, #text - 1 do broken("cut", text:sub(1, length)) end
      assert.equal("ok", read(text).body)
    end
  end)

  it("is no longer than it may be", function()
    local x = ("x"):rep(1001)
    assert.equal(1000, #read(OK .. "Content-Length: 1000\r\n\r\n" .. x).body)
    broken("body", OK .. "Content-Length: 1001\r\n\r\n")
    broken("body", OK .. "Content-Length: 99999999999999999999999\r\n\r\n")
    broken("body", OK .. "\r\n" .. x)
    assert.equal(1000, #read(chunked("3e8\r\n" .. x:sub(2) .. "\r\n0\r\n\r\n")).body)
    broken("body", chunked "3e9\r\n")
    broken("body", chunked("3e7\r\n" .. x:sub(3) .. "\r\n2\r\n"))
    broken("body", chunked "ffffffffffff\r\n")
  end)

  it("has heads and trailers no longer than they may be", function()
    local head = OK .. "Content-Length: 2\r\nX: y\r\n\r\n"
    assert.equal("ok", read(head .. "ok", nil, #head).body)
    broken("head", head .. "ok", #head - 1)
    broken("head", OK .. "X: " .. ("x"):rep(5000))
    broken("head", chunked "0\r\nX: " .. ("x"):rep(5000))
    broken("head", "HTTP/1.1 200 " .. ("x"):rep(5000))
    broken("head", OK .. ("a:\r\n"):rep(999) .. "\r\n", 1e6)
    assert.equal("", read(OK .. ("a:\r\n"):rep(998) .. "\r\n", nil, 1e6).body)
    broken("head", chunked("0\r\n" .. ("a:\r\n"):rep(997) .. "\r\n"), 1e6)
    assert.equal("", read(chunked("0\r\n" .. ("a:\r\n"):rep(996) .. "\r\n"), nil, 1e6).body)
  end)

  it("is not read in one of two ways", function()
    for _, head in ipairs {
      "Content-Length: 2\r\nContent-Length: 2", "Content-Length: 2\r\nContent-Length: 3", "Content-Length: 1, 2",
      "Content-Length: 2,2", "Content-Length: +2", "Content-Length: -2", "Content-Length: 2x", "Content-Length: 0x2",
      "Content-Length: 2 2", "Content-Length: 2.0", "Content-Length: 2e0", "Content-Length:",
      "content-length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
      "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: xchunked",
      "Transfer-Encoding:", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding : chunked", "Content-Length : 2",
      " Content-Length: 2", "X: y\r\n Content-Length: 2", "X: y\r\n\tz", "X", ": x", "X\0: y", "X: a\0b", "X: a\rb",
      "X: a\r\r", "X: a\nb: c", "X: a\1\nb: c", "X: \1", "X: \127", "X: y\r\nContent-Length: 2\n", "Héad: x", "X(: y", } do
      broken("malformed", OK .. head .. "\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    end
    broken("malformed", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
  end)

  it("begins as answers do", function()
    for _, line in ipairs { "HTTP/1.1 abc OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 600 OK", "HTTP/1.1 000 OK",
      "HTTP/1.1", "HTTP/1.1  200 OK", "HTTP/1.2 200 OK", "HTTP/2 200", "HTTP/2.0 200 OK", "http/1.1 200 OK",
      " HTTP/1.1 200 OK", "ICY 200 OK", "", "<html>", "220 smtp.test ESMTP", "HTTP/1.1 200\tOK", "HTTP/1.1 200 O\0K",
      "HTTP/1.1 -20 OK" } do
      broken("malformed", line .. "\r\nContent-Length: 0\r\n\r\n")
    end
    for _, text in ipairs { "<html>", "HTTP/2", "h", "220 smtp.test" } do -- without an end of the line
      assert.equal("malformed", select(2, pcall(read_pieces, { text })).broken)
      assert.equal("malformed", select(2, pcall(read_pieces, { text:sub(1, 1), text:sub(2) .. "x" })).broken)
    end
    broken("malformed", "HTTP/1.1 200 OK\nContent-Length: 0\n\n")
    broken("malformed", "\r\n" .. OK .. "Content-Length: 0\r\n\r\n")
  end)

  it("has chunks that are framed as they must be", function()
    for _, body in ipairs { "zz\r\n", "\r\n", "-1\r\n", " 2\r\nok\r\n", "0x2\r\nok\r\n", "2 \r\nok\r\n", "2\nok\r\n",
      "2\r\nokk\r\n", "2\r\nok\n0\r\n\r\n", "2\r\nok0\r\n\r\n", "2\r\nok\r\r\n", "2\r\nok\r\n\r\n", "2,\r\nok\r\n",
      "2;\0\r\nok\r\n", "0000000000002\r\nok\r\n", "2;" .. ("x"):rep(2000) .. "\r\nok\r\n0\r\n\r\n", "0\r\nX\r\n\r\n",
      "0\r\n X: y\r\n\r\n", "0\r\nX: y\n\r\n" } do
      broken("malformed", chunked(body))
    end
    assert.equal("ok", read(chunked "2;a\r\nok\r\n0;b\r\n\r\n").body)
    assert.equal("0123456789", read(chunked "00A\r\n0123456789\r\n0\r\n\r\n").body)
  end)

  it("has not more chunks than anyone needs", function()
    local head, chunk = chunked "", "1\r\nx\r\n"
    local count = 0
    local ok, problem = pcall(answer.read, function()
      count = count + 1
      return count == 1 and head or chunk
    end, MAX_HEAD, 1e9)
    assert.is_false(ok)
    assert.equal("malformed", problem.broken)
    assert.is_true(count < 200000)
  end)

  it("is not in a coding that nobody asked for", function()
    for _, coding in ipairs { "gzip", "br", "identity, gzip", "rot13", "gzip\r\nContent-Encoding: identity" } do
      broken("encoding", OK .. "Content-Encoding: " .. coding .. "\r\nContent-Length: 2\r\n\r\nok")
    end
    for _, coding in ipairs { "identity", "Identity", "" } do
      assert.equal("ok", read(OK .. "Content-Encoding: " .. coding .. "\r\nContent-Length: 2\r\n\r\nok").body)
    end
    assert.equal("", read(OK .. "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n").body)
  end)

  it("that raises in between is no broken answer", function()
    assert.has_error(function() answer.read(function() error "mine" end, 1, 1) end)
    local ok, problem = pcall(answer.read, function() error("mine", 0) end, 1, 1)
    assert.is_false(ok)
    assert.is_false(answer.is_broken(problem))
    assert.equal("mine", problem)
  end)
end)

-- Whatever comes: an answer within its bounds or a broken one, and never more taken than there is.
describe("any bytes", function()
  local function in_pieces(random, text)
    local pieces, at = {}, 1
    while at <= #text do
      local size = random:pick(random:pick(2) == 1 and 3 or #text)
      pieces[#pieces + 1] = text:sub(at, at + size - 1)
      at = at + size
    end
    return pieces
  end

  local function outcome(pieces)
    local ok, response, keep = pcall(read_pieces, pieces)
    if ok then return response, keep end
    assert(answer.is_broken(response), response)
    return { broken = response.broken }, false
  end

  it("are read within their bounds, and in one way only", function()
    local first = tonumber(os.getenv "PROOF_SEED") or 1
    for seed = first, first + proof.size("ANSWERS", { short = 3000, full = 300000, long = 3000000 }) - 1 do
      local random = Random.new(seed)
      local text = answers.spoilt(random)
      local whole, kept = outcome { text }
      local parted = outcome(in_pieces(random, text))
      if whole.broken then
        assert.equal(whole.broken, parted.broken, seed)
      else
        assert.is_true(#whole.head <= MAX_HEAD and #whole.body <= MAX_BODY, seed)
        assert.same(whole, parted, seed)
        if kept then
          local again, kept_again = outcome { text .. "HTTP/1.1 " }
          assert.same({ whole, false }, { again, kept_again }, seed)
        end
      end
    end
  end)
end)
