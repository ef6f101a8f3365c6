--- Rulebooks: what a seller writes, checked as a whole and made ready to be asked.
---
---     local book, err = rulebook.load("shop_rules.lua", "yandex_market")
---     if not book then print(err.message) end -- every mistake, one a line
local abilities = require "avito_messenger.bot.abilities"
local definitions = require "avito_messenger.bot.flow.definition"
local fit = require "avito_messenger.bot.rulebook.fit"
local Patterns = require "avito_messenger.bot.rulebook.patterns"
local Problems = require "avito_messenger.bot.rulebook.problems"
local Rule = require "avito_messenger.bot.rulebook.rule"
local Runner = require "avito_messenger.bot.flow.run"
local settings = require "avito_messenger.bot.rulebook.settings"
local source = require "avito_messenger.bot.rulebook.source"
local unreachable = require "avito_messenger.bot.rulebook.unreachable"
local words = require "avito_messenger.words"

local rulebook = {}

---@class avito_messenger.bot.Book
---@field name string
---@field abilities avito_messenger.bot.Abilities what its marketplace has
---@field warnings avito_messenger.bot.Problem[] what it asks for and the marketplace has not
---@field directory? string of its file, with a slash at its end: where paths of images begin
---@field zone? avito_messenger.bot.hours.Zone
---@field hours? avito_messenger.bot.Hours
---@field burst number seconds in which messages belong together
---@field human { pause: number }
---@field flood { replies: integer, within: number, pause: number }|false
---@field unclear "resend"|"hold"
---@field settle number seconds
---@field mark_read boolean
---@field runner avito_messenger.bot.FlowRunner
---@field flows table<string, avito_messenger.bot.Flow> the newest definition by name
---@field calls table<string, function>
---@field rules avito_messenger.bot.Rule[]
---@field needs { item: boolean, buyer: boolean, order: boolean, type: boolean } must be looked up before the rules are asked
---@field vars table<string, string|number>
---@field names table<string, true> what texts may name
---@field concepts table<string, string>
---@field given table its own fields as they were written, each of its type
---@field always avito_messenger.bot.Rule[] those that hear nothing
---@field by_pattern table<integer, avito_messenger.bot.Rule> those that hear, by the number of the pattern in `heard`
---@field heard avito_messenger.bot.Patterns
---@field titles avito_messenger.bot.Patterns
---@field names_of_buyers avito_messenger.bot.Patterns
local Book = {}
Book.__index = Book
Book.__name = "avito_messenger.bot.Book"

-- A rulebook that is written but not read yet.
local Marked = { __name = "avito_messenger.bot.Rulebook" }

--- Marks a table as a rulebook, and does nothing else: avito.rulebook { … }.
---@param given table
---@return table given
function rulebook.mark(given)
  if type(given) ~= "table" then error(("rulebook: a table expected, got %s"):format(type(given)), 2) end
  return setmetatable(given, Marked)
end

--- The entries of the list with their numbers, and what is missing between them.
local function entries(given, at)
  local numbers = {}
  for key in pairs(given) do
    if type(key) == "number" then numbers[#numbers + 1] = key end
  end
  table.sort(numbers)
  local expected = 1
  for _, number in ipairs(numbers) do
    if number ~= expected then
      at(nil, ("entry %s is nil: is the name of a variable misspelled?"):format(expected))
    end
    expected = number + 1
  end
  return numbers
end

--- Reads one flow into the book. False where it has a mistake.
local function read_flow(book, definition, at)
  local problem = definitions.check(definition, book.concepts)
  if problem then
    -- It begins with the name of the flow, as every line here does.
    at(nil, problem:sub(#("flow '%s': "):format(definition.name) + 1))
  end
  local known = book.flows[definition.name]
  if not known or known.version < definition.version then book.flows[definition.name] = definition end
  return not problem
end

--- Where the function of a flow begins, which for once can be asked.
local function line_of_flow(definition, file)
  local info = debug.getinfo(definition.run, "S")
  return info.source == "@" .. file and info.linedefined or nil
end

local function read_flows(book, given, numbers, problems)
  local good, seen = {}, {}
  book.flows = {}
  for _, number in ipairs(numbers) do
    local definition = given[number]
    if definitions.is(definition) then
      local at = problems:at { order = number, where = ("flow '%s'"):format(definition.name),
        line = line_of_flow(definition, book.name) }
      local key = ("%s %d"):format(definition.name, definition.version)
      if seen[key] then
        at("version", ("%d is there twice: raise the version of a flow that has changed"):format(definition.version))
      elseif read_flow(book, definition, at) then
        good[#good + 1] = definition
      end
      seen[key] = true
    end
  end
  book.runner = Runner.new(good, { concepts = book.concepts })
end

--- Reads one entry of the list that is no flow. What is no rule at all leaves none.
local function read_rule(book, written, place, at)
  if type(written) ~= "table" then return at(nil, ("a table expected, got %s"):format(type(written))) end
  if place.name == "" then at(nil, "has no name: it is the first value, { 'name', … }") end
  local rule = Rule.read(written, at, book, place)
  book.rules[#book.rules + 1] = rule
  if rule.hears then book.by_pattern[rule.hears] = rule else book.always[#book.always + 1] = rule end
  return rule
end

--- Reads the rules. Whom their mistakes are told is returned for those that are found later.
local function read_rules(book, given, numbers, problems, line_of)
  local places, named = {}, {}
  book.rules, book.always, book.by_pattern = {}, {}, {}
  for _, number in ipairs(numbers) do
    local written = given[number]
    if not definitions.is(written) then
      local name = type(written) == "table" and written[1]
      if type(name) ~= "string" or not name:find "%S" then name = nil end
      local line = line_of(number, name)
      local place = { order = number, line = line, where = name and ("rule '%s'"):format(name) or ("rule %d"):format(number) }
      local at = problems:at(place)
      if named[name] then at(nil, named[name] .. " has the same name") end
      if name then named[name] = named[name] or line and ("the rule of line %d"):format(line) or ("entry %d"):format(number) end
      local rule = read_rule(book, written, { name = name or "", index = #book.rules + 1, line = line }, at)
      if rule then places[rule] = { order = number, at = at, place = place } end
    end
  end
  return places
end

--- The line of an entry: of its table where that is written in the list; else where one of its name is, or where it stands
--- in the list.
local function finder(numbers, file)
  local whole = #file.layout.entries == numbers[#numbers]
  return function(number, name)
    local entry = whole and file.layout.entries[number]
    return entry and entry.is_table and entry.line or name and file.lines[name] or entry and entry.line or nil
  end
end

local DEFAULT = "avito"
local NO_FILE = { lines = {}, layout = { fields = {}, entries = {} }, unknown = {} }

--- Tells what the marketplace has not, and leaves it out.
local function warn(book, fields, places)
  local warnings, warn_of = Problems.new(book.name), {}
  for rule, one in pairs(places) do warn_of[rule] = warnings:at(one.place) end
  fit.book(book, warnings:at { order = 0, lines = fields }, warn_of)
  book.warnings = warnings:list()
end

local function compile(given, name, marketplace, file, directory)
  local problems = Problems.new(name)
  for _, unknown in ipairs(file.unknown) do
    problems:at { order = 0, line = unknown.line }(nil,
      ("'%s' is not known here: a variable that is misspelled, or a text without quotes?"):format(unknown.name))
  end
  local at = problems:at { order = 0, lines = file.layout.fields }
  local book = setmetatable({ name = name, directory = directory, abilities = abilities[marketplace],
    needs = { item = false, buyer = false, order = false, type = false },
    heard = Patterns.new "hears", titles = Patterns.new "title", names_of_buyers = Patterns.new "name" }, Book)
  settings.read(book, given, at)
  local numbers = entries(given, at)
  read_flows(book, given, numbers, problems)
  local places = read_rules(book, given, numbers, problems, finder(numbers, file))
  for _, patterns in ipairs { book.heard, book.titles, book.names_of_buyers } do patterns:compile(book.concepts) end
  unreachable(book, places, problems)
  local err = problems:error()
  if err then return nil, err end
  warn(book, file.layout.fields, places)
  return book
end

local function check_marketplace(where, name, level)
  local mistake = words.mistake(name, words.names(abilities), "marketplace")
  if mistake then error(("%s: %s"):format(where, mistake), level + 1) end
end

--- Reads a rulebook from a table.
---@param given table
---@param name? string what its mistakes begin with; default "rulebook"
---@param marketplace? "avito"|"yandex_market" on which it answers; default "avito"
---@return avito_messenger.bot.Book?
---@return avito_messenger.Error? err message: every mistake, one a line; problems: the list of them
function rulebook.compile(given, name, marketplace)
  marketplace = marketplace or DEFAULT
  check_marketplace("rulebook.compile", marketplace, 2)
  if type(given) ~= "table" then error(("rulebook.compile: a table expected, got %s"):format(type(given)), 2) end
  return compile(given, name or "rulebook", marketplace, NO_FILE)
end

--- Reads a rulebook from a file, a Lua program that returns avito.rulebook { … }.
---@param path string
---@param marketplace? "avito"|"yandex_market" on which it answers; default "avito"
---@return avito_messenger.bot.Book?
---@return avito_messenger.Error? err message: every mistake, one a line; problems: the list of them
function rulebook.load(path, marketplace)
  marketplace = marketplace or DEFAULT
  check_marketplace("rulebook.load", marketplace, 2)
  if type(path) ~= "string" then error(("rulebook.load: path must be a string, got %s"):format(type(path)), 2) end
  local result, problem = source.load(path)
  if result and getmetatable(result.value) ~= Marked then
    problem = { message = ("must end with: return avito.rulebook { … } (it returned %s)"):format(
      result.value == nil and "nothing" or "a " .. type(result.value)) }
  end
  if problem then
    local problems = Problems.new(path)
    problems:at { order = 0, line = problem.line }(nil, problem.message)
    return nil, problems:error()
  end
  return compile(result.value, path, marketplace, result, path:match "^.*[/\\]" or "")
end

--- The rules that can match the turn, in their order: those that hear something in it, and those that hear nothing. What
--- it costs does not depend on how many rules hear.
---@param turn table
---@return avito_messenger.bot.Rule[]
function Book:candidates(turn)
  -- Ascending as the rules are: each added its pattern when it was read.
  local heard = self.heard:matched(turn).list
  local list, next_heard = {}, 1
  local function take(before)
    local rule = self.by_pattern[heard[next_heard]]
    while rule and rule.index < before do
      list[#list + 1] = rule
      next_heard = next_heard + 1
      rule = self.by_pattern[heard[next_heard]]
    end
  end
  for _, rule in ipairs(self.always) do
    take(rule.index)
    list[#list + 1] = rule
  end
  take(math.huge)
  return list
end

--- The date in the zone of the book; without one, in UTC.
---@param unix number
---@param format string as of os.date
---@return string|table
function Book:date(unix, format)
  local offset = self.zone and self.zone:offset(unix) or 0
  return os.date("!" .. format:gsub("^!", ""), math.floor(unix + offset))
end

return rulebook
