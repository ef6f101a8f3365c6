--- What to do where a C module was left out of the build for want of its library; nil where it is there.

local LIBRARIES = {
  text = { who = "the bot", what = "utf8proc", package = "libutf8proc-dev" },
  journal = { who = "a store in a file", what = "SQLite", package = "libsqlite3-dev" },
}

---@param module? "text"|"journal" default "text"
---@return string?
return function(module)
  module = module or "text"
  local found, problem = pcall(require, "avito_messenger." .. module)
  if found then return nil end
  local library, why = LIBRARIES[module], tostring(problem):match "^[^\n]*":gsub(":$", "")
  return ("%s needs %s: apt-get install %s, then build again (%s)"):format(library.who, library.what, library.package, why)
end
