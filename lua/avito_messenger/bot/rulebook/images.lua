--- What a rulebook names as an image: a file, or the id of one that was uploaded before.
local images = {}

--- The path of the file; nil for an id ("12345.0a1b…", or a word without a dot and a slash).
---@param image string
---@param directory? string of the rulebook, with a slash at its end: paths begin there
---@return string?
function images.path(image, directory)
  if image:find "^%d+%.%x+$" or not image:find "[./\\]" then return nil end
  if not directory or image:find "^[/\\]" or image:find "^%a:[/\\]" then return image end
  return directory .. image
end

--- What is wrong with an image that a file of rules names, or nil.
---@param image string
---@param directory string
---@return string?
function images.problem(image, directory)
  local path = images.path(image, directory)
  local file = path and io.open(path, "rb")
  if file then file:close() end
  if path and not file then return ("there is no file '%s', where '%s' was looked for"):format(path, image) end
end

return images
