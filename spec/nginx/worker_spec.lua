-- What nginx does with timers, decided by the spec: no nginx runs here.
local Worker = require "avito_messenger.nginx.worker"

describe("the work of a worker of nginx", function()
  local now, timers, exiting, turned, notes
  local outside

  before_each(function()
    now, timers, exiting, turned, notes = 0, {}, false, 0, {}
    outside = rawget(_G, "ngx")
    rawset(_G, "ngx", {
      worker = { exiting = function() return exiting end },
      timer = { at = function(_, fn)
        timers[#timers + 1] = fn
        return true
      end },
    })
  end)
  after_each(function() rawset(_G, "ngx", outside) end)

  -- A worker whose timers begin when it sleeps, but for the first `lost` after its start; or `late`, when that has lasted long
  -- enough to think them lost.
  local function worker(lost, late)
    local begun = 1
    local driver = { now = function() return now end }
    local function begin_timers()
      while begun < #timers do
        begun = begun + 1
        if begun > lost + 1 then timers[begun]() end
      end
    end
    function driver.sleep(_, seconds)
      now = now + seconds
      if not late then begin_timers() end
    end
    local bot = { driver = driver, store = {}, metrics = { share = function() return true end } }
    bot.lanes = { wait = function(_, seconds)
      now, turned = now + seconds, turned + 1
      exiting = exiting or now > 290
      if late then begin_timers() end
    end }
    function bot:tell(note) notes[#notes + 1] = note.kind .. (note.message or "") end -- luacheck: no self
    function bot:stop() end -- luacheck: no self
    function bot:close() end -- luacheck: no self
    local shared = {}
    function shared:lease() return { hold = function() return false end } end -- luacheck: no self
    function shared:words() return { set = function() return true end } end -- luacheck: no self
    function shared:counters() return { add = function() return true end } end -- luacheck: no self
    return Worker.new { bot = bot, shared = shared, drain = 1, intake = { busy = function() return false end } }
  end

  local function run(lost, late)
    worker(lost, late):begin()
    timers[1]()
    assert.same({ "stopping", "stopped" }, notes)
    assert.is_true(now > 290)
  end

  it("goes on in a new timer each minute, and tells its end once", function()
    run(0)
    assert.equal(5, #timers)
    assert.is_true(turned > 240)
  end)

  it("goes on in the old one where nginx never begins the new", function()
    run(3)
    assert.equal(8, #timers)
    timers[2]() -- too late
    assert.same({ "stopping", "stopped" }, notes)
    assert.is_true(turned > 240)
  end)

  it("leaves it to the new one where that begins late", function()
    run(0, true)
    assert.equal(5, #timers)
  end)

  it("tells of turns that fail once a second, however often lanes are told of something", function()
    local one = worker(0)
    one.bot.store = {}
    one.work = { turn = function() error "as the spec says" end, finish = function() end, forgive = function() end }
    function one.bot.lanes.wait() now = now + 0.001 end
    function one.bot.tell()
      turned, exiting = turned + 1, now > 30
    end
    one:begin()
    timers[1]()
    assert.is_true(turned >= 10 and turned <= 40)
  end)
end)
