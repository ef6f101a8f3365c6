-- The figures of the project, each with its target. Started by tools/bench, which starts the servers.
--   run.lua [one] [many] [words] [durable] [nginx]     one call at a time, many at once, a message against the rules of a bot,
--                                                      webhooks that are stored before they are answered, those inside nginx

package.path = (arg[0]:match "^(.*/)[^/]*$" or "") .. "?.lua;" .. package.path

local figures = require "figures"

print "CPU is user and system time of the client's process."
for _, part in ipairs(arg) do
  require("run_" .. part).run()
end
local missed = figures.missed()
print(missed == 0 and "all targets met" or missed .. " missed")
os.exit(missed == 0 and 0 or 1)
