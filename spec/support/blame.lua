--- What a function of one line raises, which it must, and blame on that line: the rest of the message.
---@param fn function
---@return string
return function(fn)
  local ok, problem = pcall(fn)
  if ok then error("it raised nothing", 2) end
  local where = debug.getinfo(fn, "S")
  local prefix = ("%s:%d: "):format(where.short_src, where.linedefined)
  if problem:sub(1, #prefix) ~= prefix then
    error(("it is blamed on another line than %s\n%s"):format(prefix, problem), 2)
  end
  return problem:sub(#prefix + 1)
end
