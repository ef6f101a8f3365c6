--- SHA-256 (FIPS 180-4) and HMAC (RFC 2104), for the signatures of webhooks and file links. Slow and small:
--- a sandbox signs a few hundred bytes at a time.
local sha256 = {}

-- Lua 5.4 has operators that LuaJIT cannot even parse, LuaJIT a library that 5.4 has not.
local band, bor, bxor, bnot, rshift, lshift, ror
local found, bit = pcall(require, "bit")
if found then
  band, bor, bxor, bnot, rshift, lshift, ror = bit.band, bit.bor, bit.bxor, bit.bnot, bit.rshift, bit.lshift, bit.ror
else
  band, bor, bxor, bnot, rshift, lshift, ror = assert(load [[
    return function(a, b) return a & b end, function(a, b) return a | b end,
      function(a, b, c) return a ~ b ~ (c or 0) end, function(a) return ~a & 0xFFFFFFFF end,
      function(a, n) return a >> n end, function(a, n) return a << n & 0xFFFFFFFF end,
      function(a, n) return (a >> n | a << (32 - n)) & 0xFFFFFFFF end
  ]])()
end

-- The constants are the fractions of roots of the first primes.
local K, H0 = {}, {}
do
  local count, candidate = 0, 2
  while count < 64 do
    local prime = true
    for divisor = 2, math.floor(candidate ^ 0.5) do
      if candidate % divisor == 0 then prime = false end
    end
    if prime then
      count = count + 1
      -- The cube root's first 32 fractional bits: a float has them to spare.
      local cube = candidate ^ (1 / 3)
      K[count] = math.floor((cube % 1) * 2 ^ 32)
      if count <= 8 then H0[count] = math.floor((candidate ^ 0.5 % 1) * 2 ^ 32) end
    end
    candidate = candidate + 1
  end
end

local function word(data, at)
  local a, b, c, d = data:byte(at, at + 3)
  return bor(bor(lshift(a, 24), lshift(b, 16)), bor(lshift(c, 8), d))
end

local function compress(h, data, at)
  local w = {}
  for i = 1, 16 do w[i] = word(data, at + (i - 1) * 4) end
  for i = 17, 64 do
    local x, y = w[i - 15], w[i - 2]
    local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
    local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
    w[i] = band(w[i - 16] + s0 + w[i - 7] + s1, 0xFFFFFFFF)
  end
  local a, b, c, d, e, f, g, k = h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
  for i = 1, 64 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local choice = bxor(band(e, f), band(bnot(e), g))
    local t1 = k + s1 + choice + K[i] + w[i]
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local majority = bxor(band(a, b), band(a, c), band(b, c))
    k, g, f, e = g, f, e, band(d + t1, 0xFFFFFFFF)
    d, c, b, a = c, b, a, band(t1 + s0 + majority, 0xFFFFFFFF)
  end
  for i, value in ipairs { a, b, c, d, e, f, g, k } do h[i] = band(h[i] + value, 0xFFFFFFFF) end
end

local function bytes(value)
  return string.char(band(rshift(value, 24), 255), band(rshift(value, 16), 255), band(rshift(value, 8), 255),
    band(value, 255))
end

--- The 32 bytes of the digest.
---@param data string
---@return string
function sha256.digest(data)
  local h = {}
  for i = 1, 8 do h[i] = band(H0[i], 0xFFFFFFFF) end
  local bits = #data * 8
  local padded = data .. "\128" .. ("\0"):rep((55 - #data) % 64) .. bytes(math.floor(bits / 2 ^ 32)) ..
    bytes(bits % 2 ^ 32)
  for at = 1, #padded, 64 do compress(h, padded, at) end
  for i = 1, 8 do h[i] = bytes(h[i]) end
  return table.concat(h)
end

local function hex(data)
  return (data:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

---@param data string
---@return string 64 hexadecimal digits
function sha256.hex(data)
  return hex(sha256.digest(data))
end

local function pad(key, value)
  return (key:gsub(".", function(c) return string.char(band(bxor(c:byte(), value), 255)) end))
end

--- HMAC-SHA256.
---@param key string
---@param data string
---@return string 64 hexadecimal digits
function sha256.hmac(key, data)
  if #key > 64 then key = sha256.digest(key) end
  key = key .. ("\0"):rep(64 - #key)
  return hex(sha256.digest(pad(key, 0x5c) .. sha256.digest(pad(key, 0x36) .. data)))
end

return sha256
