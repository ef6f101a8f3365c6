--- Where a Markdown file of the project links to. links.check(path) raises for a link that leads nowhere, and counts those of
--- its own tree.
local files = require "support.files"

local links = {}

--- The anchors of a text's headings.
local function anchors_of(text)
  local anchors = {}
  for heading in ("\n" .. text):gmatch "\n##+ ([^\n]+)" do
    anchors[heading:lower():gsub("[^%w%- ]", ""):gsub(" ", "-")] = true
  end
  return anchors
end

---@param path string
---@return integer
function links.check(path)
  local text = assert(files.read(path))
  local folder, count = path:match "^(.*/)" or "", 0
  for link in text:gmatch "%]%(([^)]+)%)" do
    local target, anchor = link:match "^([^#]*)#?(.*)$"
    if not link:find "^%a+:" then
      count = count + 1
      local there = target == "" and text or files.read(folder .. target) or files.read(folder .. target .. "/nginx.conf")
      if not there then error(("%s: no such file: %s"):format(path, link), 2) end
      if anchor ~= "" and not anchors_of(there)[anchor] then error(("%s: no such heading: %s"):format(path, link), 2) end
    end
  end
  return count
end

return links
