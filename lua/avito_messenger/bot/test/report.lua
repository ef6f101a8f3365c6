--- How a scene is told: the conversation of a chat, why its rules fired or did not, and what an expectation missed.
local transcript = require "avito_messenger.bot.transcript"
local terminal = require "avito_messenger.terminal"

local report = {
  ---@type boolean|"auto" whether to write in colour
  colour = "auto",
}

local SHOWN_RULES = 40

local function options(zone)
  local colour = report.colour
  if colour == "auto" then colour = terminal.colour() end
  return { zone = zone, colour = colour, width = terminal.width() }
end

--- The conversation of one chat, under its heading.
---@param talk avito.bot.test.Talk
---@param zone table
---@return string
function report.conversation(talk, zone)
  local market = talk.market
  local title = market.item and ("“%s”, "):format(market.item.title)
    or market.order and ("order %s, "):format(market.order.id) or ""
  local heading = ("%s (%s%s)"):format(market.buyer.name, title, market.chat_id)
  if #talk.entries == 0 then return heading .. "\n(nobody has said anything)" end
  return heading .. "\n" .. transcript.text(talk.entries, options(zone))
end

--- The text in lines that fit the width, the later ones indented by so many columns.
local function wrapped(text, indent, width)
  return table.concat(transcript.wrap(text, math.max(20, width - indent)), "\n" .. (" "):rep(indent))
end

--- Why each rule did or did not fire on the buyer's last message.
---@param lines avito.bot.Explanation[]
---@param limit? integer
---@return string
local function explained(lines, limit)
  local widest, width = 0, terminal.width()
  for _, line in ipairs(lines) do widest = math.max(widest, transcript.columns(line.rule)) end
  widest = math.min(widest, 24)
  local shown = {}
  for i, line in ipairs(lines) do
    if i > (limit or #lines) then
      shown[#shown + 1] = ("    … and %d more: buyer:explain()"):format(#lines - i + 1)
      break
    end
    local pad = (" "):rep(math.max(0, widest - transcript.columns(line.rule)))
    local before = ("  %s %s%s  "):format(line.fires and "+" or "-", line.rule, pad)
    shown[#shown + 1] = before .. wrapped(line.why or "", transcript.columns(before), width)
  end
  return table.concat(shown, "\n")
end

--- The same with the message it is about.
---@param host avito.bot.test.Host
---@param talk avito.bot.test.Talk
---@param limit? integer
---@return string
function report.explanation(host, talk, limit)
  local last = talk.last
  if not last then return "the buyer has not said anything" end
  -- What was looked up only after the message came is known to its turn all the same.
  last.record.facts = last.record.facts or talk.record.facts
  last.record.type = talk.market.chat_type
  local lines = host.engine:explain(last.record, last.message, last.now)
  local said = transcript.body { type = last.message.type, text = last.message.content.text }
  return ("why, on “%s” (+ fires, - does not):\n%s"):format(said, explained(lines, limit))
end

--- The whole message of an expectation that failed.
---@param buyer avito.bot.Buyer
---@param lines string[] what was expected and what came
---@return string
function report.failure(buyer, lines)
  local host, talk = buyer.scene.host, buyer.talk
  local ok, why = pcall(report.explanation, host, talk, SHOWN_RULES)
  if not ok then why = "why is not known: " .. tostring(why) end
  local told, width = {}, terminal.width()
  for i, line in ipairs(lines) do
    local indent, text = line:match "^( *)(.*)$"
    told[i] = indent .. wrapped(text, #indent + 2, width)
  end
  return ("%s\n\n%s\n\n%s"):format(table.concat(told, "\n"), report.conversation(talk, buyer.scene.zone), why)
end

return report
