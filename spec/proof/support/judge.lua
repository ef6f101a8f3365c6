--- For the simulation: what the marketplace's record says of the bot.
local judge = {}

local PAUSE = 600  -- seconds the bot is silent after a person typed
-- Seconds in which what was under way may still leave: the chat was read (2), the effect begun (7), its call made (10), and
-- the request took its way (8).
local UNDER_WAY = 27

-- What has to be said for a line: each exactly once.
local function wanted(line)
  if line.word == "Бронь" then
    return { ("Бронь %d: сколько вас?"):format(line.number), ("Бронь %d записана."):format(line.number) }
  elseif line.word == "Вопрос с продолжением" then
    return { ("Ответ %d"):format(line.number), ("Ещё %d"):format(line.number) }
  elseif line.number then
    return { ("Ответ %d"):format(line.number) }
  end
  return {}
end

-- Places of each text among what was sent.
local function said(sim)
  local places = {}
  for i, send in ipairs(sim.box:sends()) do
    places[send.text] = places[send.text] or {}
    table.insert(places[send.text], i)
  end
  return places
end

local function is_answered(sim, line, places)
  if not line.number then return true end
  local chat = sim.drawn.chats[line.chat]
  if chat.kind == "person" or sim.given_up[chat.id or false] then return true end
  if not line.asked then return false end
  for _, text in ipairs(wanted(line)) do
    if not places[text] then return false end
  end
  return true
end

local function left(sim)
  local stats = assert(sim.root:stats(sim.place.account, sim:time()))
  return stats.inbox, stats.outbox.queued + stats.outbox.latched + stats.outbox.unknown
end

--- Has everything come to its end?
function judge.at_rest(sim)
  local places = said(sim)
  for _, line in ipairs(sim.drawn.lines) do
    if not is_answered(sim, line, places) then return false end
  end
  local inbox, outbox = left(sim)
  if inbox + outbox > 0 then return false end
  for _, process in ipairs(sim.processes) do
    if not process.alive or not process.bot:health() then return false end
  end
  return true
end

local function answers(sim, places, problems)
  for _, line in ipairs(sim.drawn.lines) do
    if not is_answered(sim, line, places) then
      problems[#problems + 1] = ("'%s' was not answered"):format(line.text)
    end
    local before = 0
    for _, text in ipairs(wanted(line)) do
      local place = places[text]
      if place and #place > 1 then problems[#problems + 1] = ("'%s' was said %d times"):format(text, #place) end
      if place and place[1] < before then problems[#problems + 1] = ("'%s' was said too early"):format(text) end
      before = place and place[1] or before
    end
  end
end

-- When it came in; with its text, or at the earliest.
local function came(sim, line, with_text)
  local number = line.number or 0
  local text, told = sim.order[number], sim.told[number]
  return text and (with_text and text or math.min(text, told or text))
end

-- What was written first and came in first is answered first.
local function order(sim, places, problems)
  for _, one in ipairs(sim.drawn.lines) do
    for _, other in ipairs(sim.drawn.lines) do
      local first, second = came(sim, one, true), came(sim, other, false)
      if first and second and one.chat == other.chat and one.created < other.created and first < second then
        local place, place2 = places[wanted(one)[1]], places[wanted(other)[1]]
        if place and place2 and place[1] > place2[1] then
          problems[#problems + 1] = ("'%s' was answered after '%s'"):format(one.text, other.text)
        end
      end
    end
  end
end

local function silence(sim, problems)
  if #sim.drawn.jumps > 0 then return end -- a pause is as long as the clock says
  for _, one in ipairs(sim.drawn.typing) do
    for _, send in ipairs(sim.box:sends()) do
      if not one.own and send.chat_id == sim.drawn.chats[one.chat].id and send.time > one.created + UNDER_WAY + 1 and
        send.time < one.created + PAUSE then
        problems[#problems + 1] = ("'%s' was said %.0f s after a person typed"):format(send.text, send.time - one.created)
      end
    end
  end
end

-- Rules that rest after they spoke.
local function rests(sim, problems)
  local seen = {}
  for _, send in ipairs(sim.box:sends()) do
    if send.text == "Добрый день!" or send.text == "Улица Садовая." then
      local what = send.chat_id .. send.text
      if seen[what] then problems[#problems + 1] = ("'%s' was said twice in %s"):format(send.text, send.chat_id) end
      seen[what] = true
    end
  end
end

local function ends(sim, problems)
  local inbox, outbox = left(sim)
  if inbox > 0 then problems[#problems + 1] = ("%d messages wait for ever"):format(inbox) end
  if outbox > 0 then problems[#problems + 1] = ("%d replies wait for ever"):format(outbox) end
  for number, keys in pairs(sim.calls) do
    local key = next(keys)
    if next(keys, key) then problems[#problems + 1] = ("the call for %d had several keys"):format(number) end
  end
  for _, process in ipairs(sim.processes) do
    local ok, why = process.bot:health()
    if not process.alive then problems[#problems + 1] = process.name .. " is not there" end
    if process.alive and not ok then problems[#problems + 1] = ("%s is not well: %s"):format(process.name, why) end
  end
  if sim.broken then problems[#problems + 1] = sim.broken end
end

--- What is wrong; empty: nothing.
---@return string[]
function judge.problems(sim)
  local problems, places = {}, said(sim)
  answers(sim, places, problems)
  order(sim, places, problems)
  silence(sim, problems)
  rests(sim, problems)
  ends(sim, problems)
  return problems
end

--- The run as text.
---@return string
function judge.transcript(sim)
  local texts = {}
  for i, line in ipairs(sim.lines) do
    local arguments = {}
    for k = 3, 8 do
      local value = line[k]
      arguments[k - 2] = type(value) == "boolean" and tostring(value) or value
    end
    texts[i] = ("%9.3f  %s"):format(line[1], line[2]:format((table.unpack or unpack)(arguments, 1, 6))) -- luacheck: ignore 143 113
  end
  return table.concat(texts, "\n")
end

return judge
