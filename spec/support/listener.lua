--- For specs: a listener in the spec's own process, and clients that speak raw bytes to it.
---
---   local h = listener.new()
---   h.start { timeout = 0.1 }         h.server; h.held has the requests that came
---   h.request(h.ok, { path = "/" })   one request, answered by a function: the response
---   h.drain(h.raw "printf … >&3; cat <&3", h.ok)   what a program with the connection as descriptor 3 prints
local httpd = require "avito_messenger.httpd"
local process = require "spec_support.process"
local support = require "support.sandbox"

local listener = {}

function listener.new()
  local h = {}

  function h.start(options)
    h.server = assert(httpd.listen(options or {}))
    h.held = {}
  end

  --- Takes what has come, and answers it with `answer`, or holds it.
  function h.turn(answer)
    return function()
      for _, request in ipairs(h.server:accept()) do
        h.held[#h.held + 1] = request
        if answer then answer(request) end
      end
    end
  end

  function h.url(path) return ("http://127.0.0.1:%d%s"):format(h.server:port(), path or "/") end

  function h.request(answer, more)
    local all = { url = h.url(more and more.path), turn = h.turn(answer) }
    for name, value in pairs(more or {}) do all[name] = value end
    return support.request(all)
  end

  function h.ok(one) one:respond(200, {}, "ok") end

  --- Speaks raw bytes to the server; returns the program, which `drain` lets come to its end.
  function h.raw(script, listens)
    return process.spawn({ "bash", "-c", ("exec 3<>/dev/tcp/127.0.0.1/%d; %s"):format(h.server:port(), script) },
      { stdin = listens and "pipe" or nil, stdout = "pipe", stderr = "/dev/null" })
  end

  --- Serves until the program has ended. Returns what it printed.
  function h.drain(child, answer)
    local work = h.turn(answer)
    while not child:wait(0.001) do
      h.server:wait(0.01)
      work()
    end
    local text = child:read_all()
    child:close()
    return text
  end

  function h.close()
    h.held = nil
    if h.server then h.server:close() end
  end

  return h
end

return listener
