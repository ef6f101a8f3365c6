--- The bot of bench/nginx.conf, as the environment says:
---   BENCH_STORE    none: there is no bot; memory, or the path of a file
---   BENCH_ANSWER   yes: it answers. Otherwise it only stores what webhooks bring
---   BENCH_URL      of the server that it answers to
local shop = { sent = 0 }

local USER = 100000001

local RULES = { burst = 0, flood = false,
  { "поставка", hears = "поставк*", say = "Да, на следующей неделе." },
}

local function new_bot(path)
  local avito = require "avito_messenger"
  local client = avito.client { io = require "avito_messenger.io.nginx", base_url = os.getenv "BENCH_URL",
    access_token = "dummy-access-token", user_id = USER, pace = false }
  local store = path == "memory" and avito.memory_store() or assert(avito.store(path))
  return avito.bot { client = client, store = store, user_id = USER, rulebook = avito.rulebook(RULES),
    on_event = function(note)
      if note.kind == "done" and note.effect == "send" then shop.sent = shop.sent + 1 end
    end }
end

--- Begins, in a worker.
function shop.start()
  local path = os.getenv "BENCH_STORE"
  if path == "none" then return end
  shop.bot = new_bot(path)
  local given = { webhook = { path_secret = "dummy-path-secret", path = "/webhooks" }, answer = os.getenv "BENCH_ANSWER" == "yes",
    drain = 0 }
  if given.answer then given.poll = false end
  require("avito_messenger.nginx").start(shop.bot, given)
end

local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s*(%d+) kB"
    if kilobytes then return tonumber(kilobytes) end
  end
end

--- Prints the seconds of CPU of this worker, its resident memory and what Lua holds, in kilobytes, and how many replies it
--- has sent. `?collect`: what Lua holds after everything else is given back.
function shop.tell()
  if ngx.var.arg_collect then
    collectgarbage()
    collectgarbage()
  end
  ngx.print(("cpu %.6f resident %d heap %.1f sent %d\n"):format(os.clock(), resident(), collectgarbage "count", shop.sent))
end

return shop
