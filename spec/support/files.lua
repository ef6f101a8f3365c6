--- Files for specs.
local files = {}

--- A path where there is nothing yet.
function files.temporary()
  local path = os.tmpname()
  os.remove(path)
  return path
end

function files.write(path, data)
  local file = assert(io.open(path, "wb"))
  file:write(data)
  file:close()
end

--- What is in the file, or nil where there is none.
function files.read(path)
  local file = io.open(path, "rb")
  local data = file and file:read "*a"
  if file then file:close() end
  return data
end

return files
