--- What a bot on trial prints, a line for what a judge wants to know:
---   started, stopping, stopped LEFT, ended
---   recovered EFFECT           the process before it had left that under way
---   reloaded, fenced, done EFFECT
---   error TEXT
local telling = {}

local TOLD = {
  started = function() end, stopping = function() end, reloaded = function() end, fenced = function() end,
  stopped = function(note) return ("%d"):format(note.left) end,
  recovered = function(note) return note.effect end,
  done = function(note) return note.effect end,
}

io.stdout:setvbuf "line"

function telling.say(...) io.stdout:write(table.concat({ ... }, " "), "\n") end

function telling.on_error(note)
  telling.say("error", (note.message or note.why or note.kind):gsub("\n", " | "), nil)
end

function telling.on_event(note)
  local tell = TOLD[note.kind]
  if tell then telling.say(note.kind, tell(note)) end
end

return telling
