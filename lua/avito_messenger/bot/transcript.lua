--- A conversation as lines of text: the time, who, and what, with a line wherever a new day begins.
---
---   local transcript = require("avito_messenger.bot.transcript").new { zone = zone, width = 100, colour = true }
---   print(transcript:line { time = os.time(), who = "buyer", name = "Покупатель", text = "Торг есть?" })
---   print(transcript:line { time = os.time(), who = "bot", rule = "торг", text = "Небольшой торг." })

---@class avito.bot.TranscriptEntry
---@field time number Unix seconds
---@field who "buyer"|"bot"|"seller"|"avito"|"market"|"support"|"note" "avito", "market", "support": a system message; "note":
--- what no message shows, an escalation say
---@field name? string of the buyer
---@field rule? string what the bot says it by
---@field type? string of the message; "text" when absent
---@field text? string

---@class avito.bot.TranscriptOptions
---@field zone? { date: fun(self: table, unix: number): table } of avito_messenger.bot.hours; UTC when absent
---@field width? integer columns of the terminal; 100 when absent
---@field colour? boolean
---@field column? integer how wide the names are; 16 when absent

---@class avito.bot.Transcript
---@field zone? table
---@field width integer
---@field colour boolean
---@field column integer
---@field day? string the day of the line before
local Transcript = {}
Transcript.__index = Transcript
Transcript.__name = "avito.bot.Transcript"

local transcript = {}

local PAINT = { buyer = "36", bot = "32", seller = "33", avito = "35", market = "35", support = "35", note = "2", day = "2" }
local WEEKDAYS = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" }
local CLOCK = 10 -- columns of "22:15:01  "

-- What a buyer writes may not command the terminal.
local function clean(text)
  return (text:gsub("[%z\1-\8\14-\31\127]", "?"):gsub("\194[\128-\159]", "?"))
end

--- How many columns a text takes: code points, without those that join the one before, emoji counting two.
---@param text string
---@return integer
function transcript.columns(text)
  local count = 0
  for first, second in text:gmatch "([%z\1-\127\194-\244])([\128-\191]?)" do
    if first == "\240" and second >= "\159" then
      count = count + 2
    elseif not (first == "\204" or first == "\205" and second < "\176" or first == "\239" and second == "\184") then
      count = count + 1
    end
  end
  return count
end

local function date(zone, unix)
  if zone then return zone:date(unix) end
  local utc = os.date("!*t", math.floor(unix))
  return { year = utc.year, month = utc.month, day = utc.day, hour = utc.hour, min = utc.min, sec = utc.sec,
    weekday = (utc.wday + 5) % 7 + 1 }
end

--- Cuts a word that is wider than a line, between code points.
local function cut(word, width, lines)
  local piece, columns = "", 0
  for point in word:gmatch "[%z\1-\127\192-\255][\128-\191]*" do
    local wide = transcript.columns(point)
    if columns + wide > width then
      lines[#lines + 1] = piece
      piece, columns = "", 0
    end
    piece, columns = piece .. point, columns + wide
  end
  return piece
end

--- The text as lines of at most `width` columns. Its own line ends stay; what could command a terminal does not.
---@param text string
---@param width integer
---@return string[]
function transcript.wrap(text, width)
  local lines = {}
  text = clean(text)
  for paragraph in (text .. "\n"):gmatch "([^\n]*)\n" do
    local line
    for word in paragraph:gmatch "%S+" do
      if line and transcript.columns(line) + 1 + transcript.columns(word) <= width then
        line = line .. " " .. word
      else
        if line then lines[#lines + 1] = line end
        line = transcript.columns(word) <= width and word or cut(word, width, lines)
      end
    end
    lines[#lines + 1] = line or ""
  end
  return lines
end

--- Who an entry is from, as it is printed: "buyer's name", "bot [rule]", "seller", "avito".
---@param entry avito.bot.TranscriptEntry
---@return string
function transcript.speaker(entry)
  if entry.who == "buyer" then return (clean(entry.name or "buyer"):gsub("%s", " ")) end
  if entry.who == "bot" and entry.rule then return ("bot [%s]"):format(entry.rule) end
  return entry.who == "note" and "*" or entry.who
end

--- What an entry says: its text, and in brackets what is no text.
---@param entry avito.bot.TranscriptEntry
---@return string
function transcript.body(entry)
  local kind, text = entry.type or "text", entry.text or ""
  if kind == "text" then return text end
  return text == "" and ("[%s]"):format(kind) or ("[%s] %s"):format(kind, text)
end

---@param options? avito.bot.TranscriptOptions
---@return avito.bot.Transcript
function transcript.new(options)
  options = options or {}
  return setmetatable({ zone = options.zone, width = options.width or 100, colour = options.colour or false,
    column = options.column or 16 }, Transcript)
end

function Transcript:paint(what, text)
  if not self.colour then return text end
  return ("\27[%sm%s\27[0m"):format(PAINT[what], text)
end

function Transcript:day_line(now)
  local day = ("── %04d-%02d-%02d, %s "):format(now.year, now.month, now.day, WEEKDAYS[now.weekday])
  if day == self.day then return "" end
  self.day = day
  local rest = math.max(0, math.min(self.width, 60) - transcript.columns(day))
  return self:paint("day", day .. ("─"):rep(rest)) .. "\n"
end

--- One entry, with the line of its day before it where the day is another than the last one's. It may span several lines;
--- the end of the last is left to the caller.
---@param entry avito.bot.TranscriptEntry
---@return string
function Transcript:line(entry)
  local now = date(self.zone, entry.time)
  local speaker = transcript.speaker(entry)
  local pad = (" "):rep(math.max(1, self.column - transcript.columns(speaker) + 1))
  local indent = CLOCK + math.max(self.column + 1, transcript.columns(speaker) + 1)
  local lines = transcript.wrap(transcript.body(entry), math.max(20, self.width - indent))
  for i, line in ipairs(lines) do
    lines[i] = entry.who == "note" and self:paint("note", line) or line
  end
  return ("%s%s%s%s%s"):format(self:day_line(now),
    self:paint("day", ("%02d:%02d:%02d  "):format(now.hour, now.min, now.sec)), self:paint(entry.who, speaker), pad,
    table.concat(lines, "\n" .. (" "):rep(indent)))
end

--- A whole conversation, its names aligned.
---@param entries avito.bot.TranscriptEntry[]
---@param options? avito.bot.TranscriptOptions
---@return string
function transcript.text(entries, options)
  local widest = 6
  for _, entry in ipairs(entries) do widest = math.max(widest, transcript.columns(transcript.speaker(entry))) end
  local writer = transcript.new(options)
  writer.column = options and options.column or math.min(widest, 24)
  local lines = {}
  for i, entry in ipairs(entries) do lines[i] = writer:line(entry) end
  return table.concat(lines, "\n")
end

return transcript
