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

--- The names of the files whose paths begin so.
function files.beginning(path)
  local names = {}
  local pipe = assert(io.popen(("ls -d %s* 2>/dev/null"):format(path)))
  for line in pipe:lines() do names[#names + 1] = line end
  pipe:close()
  return names
end

--- How many descriptors of this process a file is open at.
function files.open_at(path)
  local pipe = assert(io.popen("ls -l /proc/$PPID/fd 2>/dev/null"))
  local listing = pipe:read "*a"
  pipe:close()
  return select(2, listing:gsub((" -> %s\n"):format(path):gsub("%p", "%%%0"), ""))
end

return files
