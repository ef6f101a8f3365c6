--- What differs between two texts, or between two lists of lines, made visible.
local difference = {}

local function words_of(text)
  local list = {}
  for space, word in text:gmatch "(%s*)(%S*)" do
    if space ~= "" then list[#list + 1] = space end
    if word ~= "" then list[#list + 1] = word end
  end
  return list
end

-- lengths[i][j]: of the longest common subsequence of what begins at a[i] and at b[j].
local function lengths(a, b)
  local rows = { [#a + 1] = {} }
  for i = #a, 1, -1 do
    local row, below = {}, rows[i + 1]
    for j = #b, 1, -1 do
      row[j] = a[i] == b[j] and (below[j + 1] or 0) + 1 or math.max(below[j] or 0, row[j + 1] or 0)
    end
    rows[i] = row
  end
  return rows
end

--- Calls take(mark, element) for every element of both lists: " " both have it, "-" only the first, "+" only the second.
local function merge(a, b, take)
  local rows = lengths(a, b)
  local i, j = 1, 1
  while i <= #a or j <= #b do
    if i <= #a and j <= #b and a[i] == b[j] then
      take(" ", a[i])
      i, j = i + 1, j + 1
    elseif i <= #a and (j > #b or (rows[i + 1][j] or 0) >= (rows[i][j + 1] or 0)) then
      take("-", a[i])
      i = i + 1
    else
      take("+", b[j])
      j = j + 1
    end
  end
end

--- Both texts as one: what only the first has stands in [-…-], what only the second has in {+…+}.
---@param wanted string
---@param came string
---@return string
function difference.inline(wanted, came)
  local parts, gone, new = {}, {}, {}
  local function close()
    if #gone > 0 then parts[#parts + 1] = ("[-%s-]"):format(table.concat(gone)) end
    if #new > 0 then parts[#parts + 1] = ("{+%s+}"):format(table.concat(new)) end
    gone, new = {}, {}
  end
  merge(words_of(wanted), words_of(came), function(mark, word)
    if mark == " " then
      close()
      parts[#parts + 1] = word
    else
      table.insert(mark == "-" and gone or new, word)
    end
  end)
  close()
  return table.concat(parts)
end

--- The number of the text that has most words of the wanted one, in their order.
---@param wanted string
---@param texts string[]
---@return integer?
---@return number? share of the words that both have, from 0 to 1
function difference.nearest(wanted, texts)
  local best, most
  local sought = words_of(wanted)
  for i, text in ipairs(texts) do
    local words = words_of(text)
    local shared = (lengths(sought, words)[1] or {})[1] or 0
    local share = 2 * shared / math.max(1, #sought + #words)
    if not most or share > most then best, most = i, share end
  end
  return best, most
end

--- Two lists of lines as one, each line behind its mark and a space.
---@param a string[]
---@param b string[]
---@return string[]
function difference.lines(a, b)
  local merged = {}
  merge(a, b, function(mark, line) merged[#merged + 1] = mark .. " " .. line end)
  return merged
end

return difference
