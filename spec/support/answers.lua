--- For specs: answers of HTTP, and what may become of them.
local answers = {}

local OK = "HTTP/1.1 200 OK\r\n"

local WORDS = { "HTTP/1.1 ", "200", "204", "100", " OK", "\r\n", "\r\n\r\n", "\n", "\r", "\0", "Content-Length: ",
  "Transfer-Encoding: chunked", "Connection: close", "Content-Encoding: gzip", ":", " ", "\t", ";", ",", "0", "1", "2", "ffff",
  "-1", "1e3", "x", "0\r\n\r\n", "2\r\nok\r\n", "HTTP/1.0 ", "\255", "99999999999999999999" }

local CHUNKED = "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nok,\r\n9\r\n so it is\r\n0\r\nX-Late: 1\r\n\r\n"

answers.good = { OK .. "Content-Length: 12\r\n\r\nok, so it is", OK .. CHUNKED,
  "HTTP/1.1 103 Early\r\n\r\n" .. OK .. "X-A: b\r\nContent-Length: 0\r\n\r\n", OK .. "\r\nok, so it is",
  "HTTP/1.0 404 No\r\nServer: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno" }

local function pick(random, list) return list[random:pick(#list)] end

--- A good answer in which bytes were taken out and put in.
---@param random avito.sandbox.Random
---@return string
function answers.spoilt(random)
  local text = pick(random, answers.good)
  for _ = 1, random:pick(3) do
    local from = random:pick(#text + 1)
    local to = from + random:pick(4) - 2
    text = text:sub(1, from - 1) .. (random:chance(0.25) and "" or pick(random, WORDS)) .. text:sub(to + 1)
  end
  return text
end

return answers
