--- What to do where the C module of the bot's words was left out of the build for want of its library; nil where it is there.
---@return string?
return function()
  local found, problem = pcall(require, "avito_messenger.text")
  if found then return nil end
  local why = tostring(problem):match "^[^\n]*":gsub(":$", "")
  return ("the bot needs utf8proc: apt-get install libutf8proc-dev, then build again (%s)"):format(why)
end
