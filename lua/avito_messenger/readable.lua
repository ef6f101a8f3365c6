--- Text from anywhere, as a log or a list of metrics can carry it.
local readable = {}

local CHARACTERS = { -- of more than one byte, as UTF-8 has them: neither too long, nor surrogates, nor past U+10FFFF
  "^[\194-\223][\128-\191]()", "^\224[\160-\191][\128-\191]()", "^[\225-\236\238\239][\128-\191][\128-\191]()",
  "^\237[\128-\159][\128-\191]()", "^\240[\144-\191][\128-\191][\128-\191]()",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]()", "^\244[\128-\143][\128-\191][\128-\191]()",
}
local REPLACEMENT = "\239\191\189" -- U+FFFD

-- The byte after the character at `at`, or nil where none is.
local function next_of(text, at)
  for _, pattern in ipairs(CHARACTERS) do
    local after = text:match(pattern, at)
    if after then return after end
  end
end

--- The text with U+FFFD for every byte that is not UTF-8.
---@param text string
---@return string
function readable.utf8(text)
  local at = text:find "[\128-\255]"
  if not at then return text end
  local parts, from = {}, 1
  while at do
    local after = next_of(text, at)
    if not after then
      parts[#parts + 1] = text:sub(from, at - 1) .. REPLACEMENT
      from, after = at + 1, at + 1
    end
    at = text:find("[\128-\255]", after)
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

--- The text, or as many whole characters of it as fit, and "…".
---@param text string UTF-8
---@param bytes integer at least 3
---@return string
function readable.cut(text, bytes)
  if #text <= bytes then return text end
  local last = bytes - #"…"
  while last > 0 and text:byte(last + 1) >= 128 and text:byte(last + 1) < 192 do last = last - 1 end
  return text:sub(1, last) .. "…"
end

return readable
