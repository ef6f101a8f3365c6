--- What a seller does about a message of Lua's own parser.
local syntax = {}

local NAME = "[%a_\128-\255][%w_\128-\255]*"
local QUOTES = { "“", "”", "„", "«", "»", "‘", "’" }

--- What is not English in a line outside of its texts: the first such word.
local function foreign(line)
  local bare = line:gsub("\\.", ""):gsub("\"[^\"]*\"", "\"\""):gsub("'[^']*'", "''"):gsub("%-%-.*", "")
  for word in bare:gmatch(NAME) do
    if word:find "[\128-\255]" then return word end
  end
end

local function of_foreign(word)
  for _, quote in ipairs(QUOTES) do
    if word:find(quote, 1, true) then return ("a text stands in straight quotes, \"…\", and not in %s"):format(quote) end
  end
  if word:find "^[%w_]" or word:find "[%w_]$" then return ("'%s' has a letter that is not English"):format(word) end
  return ("'%s' stands outside of quotes: a text is written \"%s\", the name of a field [\"%s\"]"):format(word, word, word)
end

local HINTS = {
  { "^unfinished string", "the quote at its end is missing" },
  { "near '?<eof>", "a brace or quote is not closed before the end of the file" },
  { "^'}' expected", "is a comma missing before it, or a brace?" },
  { "^<name> expected", "a field is given by =, as in say = \"…\"" },
  { "^'<name>' expected", "a field is given by =, as in say = \"…\"" },
  { "^invalid escape sequence", "a backslash is written \\\\, and in paths stands /" },
}

--- The message with what is probably meant.
---@param message string without its place
---@param line string the line of the file it tells
---@return string
function syntax.told(message, line)
  local word = not message:find "^unfinished" and not message:find "<eof>" and foreign(line)
  if word then return ("%s: %s"):format(message:gsub(" near '?<\\%d+>'?$", ""), of_foreign(word)) end
  for _, hint in ipairs(HINTS) do
    if message:find(hint[1]) then return ("%s: %s"):format(message, hint[2]) end
  end
  return message
end

return syntax
