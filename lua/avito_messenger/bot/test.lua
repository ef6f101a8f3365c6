--- Proves a rulebook offline: a clock that only moves when it is told to, buyers, the seller typing by hand. A week passes in
--- milliseconds, and nothing leaves the program. Works inside busted and in a plain Lua program.
---
---     local test = require "avito_messenger.bot.test"
---     local scene = test.scene { rulebook = "examples/shop_rules.lua", at = "2026-11-20 22:15" }
---     local buyer = scene:buyer { item = { title = "iPhone 13", price = 35000 } }
---     buyer:says "Здравствуйте, торг есть?"
---     buyer:expect { contains = "мы закрыты", rule = "ночь" }
---     buyer:expect { contains = "торг" }
---     scene:wait_until "12:00"
---     buyer:says "Как батарея?"
---     buyer:expect_rule "батарея"
---     print(scene)
---
--- A missed expectation raises what was expected, what came, the conversation, and why each rule fired or did not.
local missing = require "avito_messenger.bot.needed" ()
if missing then error(missing, 0) end

local Scene = require "avito_messenger.bot.test.scene"
local report = require "avito_messenger.bot.test.report"
local torture = require "avito_messenger.bot.test.torture"

-- No tail calls below: the levels of errors count these functions.

--- `test.colour`: whether conversations are written in colour; "auto", as it begins: on a terminal, and not where NO_COLOR is set.
---@class avito.bot.test
---@field colour boolean|"auto"
local test = setmetatable({}, {
  __index = function(_, name)
    if name == "colour" then return report.colour end
  end,
  __newindex = function(self, name, value)
    if name == "colour" then
      if value ~= "auto" and type(value) ~= "boolean" then error("test.colour: true, false or \"auto\" expected", 2) end
      report.colour = value
    else
      rawset(self, name, value)
    end
  end,
})

--- A scene with a rulebook.
---@param options avito.bot.test.SceneOptions
---@return avito.bot.Scene
function test.scene(options)
  local scene = Scene.new(options, 2)
  return scene
end

--- Runs a scenario again and again while messages come twice, late and in another order, answers are lost and the program is
--- restarted: the conversation must be the same every time. Raises with both conversations when it is not, naming the seed
--- and what it takes.
---@param options avito.bot.test.SceneOptions
---@param script fun(scene: avito.bot.Scene) the scenario; it is to do the same each time it is called
---@param how? { seeds: integer?, seed: integer? } seeds: how many runs, 20 when absent; seed: only this one, to see it again
---@return integer runs how many times the conversation stayed the same
function test.torture(options, script, how)
  local runs = torture.run(options, script, how, 2)
  return runs
end

return test
