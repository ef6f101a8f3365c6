--- What people write in several ways, in one.
local spelling = {}

local LOWER = { ["Ё"] = "ё" }
for i = 0x90, 0x9F do LOWER["\208" .. string.char(i)] = "\208" .. string.char(i + 0x20) end -- А to П
for i = 0xA0, 0xAF do LOWER["\208" .. string.char(i)] = "\209" .. string.char(i - 0x20) end -- Р to Я

--- ASCII and the Russian letters in lower case; string.lower leaves the latter as they are.
---@param text string
---@return string
function spelling.lower(text)
  return (text:lower():gsub("\208[\129\144-\175]", LOWER))
end

--- Dashes of every length as the one on the keyboard.
---@param text string
---@return string
function spelling.dashes(text)
  return (text:gsub("\226\128[\144-\149]", "-"):gsub("\226\136\146", "-"))
end

--- Without the white space around it.
---@param text string
---@return string
function spelling.trim(text)
  -- In one match, a text of white space, or with much of it inside, would take the square of its length.
  local from = text:match "^%s*()"
  return from > #text and "" or text:match(".*%S", from)
end

--- Code points: every byte but those that continue one.
---@param text string
---@return integer
function spelling.length(text)
  return #text:gsub("[\128-\191]", "")
end

return spelling
