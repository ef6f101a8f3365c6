--- Which files are pictures, where a marketplace tells no more of a file than its name.
local pictures = {}

local ENDINGS = { png = true, jpg = true, jpeg = true, gif = true, webp = true, bmp = true, heic = true, heif = true,
  tif = true, tiff = true }

---@param name any of a file
---@return boolean
function pictures.is(name)
  local ending = type(name) == "string" and name:match "%.(%w+)$" or ""
  return ENDINGS[ending:lower()] == true
end

--- Those of a message's files that are pictures; nil where there is none.
---@param files any { name: string, url: string, size: integer }[]
---@return table[]?
function pictures.of(files)
  local list = {}
  for _, file in ipairs(type(files) == "table" and files or {}) do
    if type(file) == "table" and pictures.is(file.name) then list[#list + 1] = file end
  end
  return list[1] and list or nil
end

return pictures
