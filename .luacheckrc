-- Lua 5.4 and LuaJIT read the same files: what only one of them has is an error here, except for
-- the few names below, each to be used only behind a check that it is there.
std = "min"
read_globals = {
  "unpack",
  "jit",
  "newproxy",
  coroutine = { fields = { "isyieldable", "_create", "_resume", "_status", "_yield" } }, -- the last four: inside nginx
  math = { fields = { "type", "maxinteger", "mininteger", "tointeger" } },
  table = { fields = { "unpack", "pack" } },
  debug = { fields = { "upvaluejoin" } },
  package = { fields = { "searchpath" } },
}
max_line_length = 132
include_files = {
  "lua/**/*.lua", "bin/avito-messenger", "spec/**/*.lua", "bench/*.lua", "examples/**/*.lua",
  "tools/*.lua", "*.rockspec", ".luacheckrc", ".busted",
}

files["examples/nginx/shop.lua"] = { std = "+ngx_lua" }
files["spec/**/*.lua"] = { std = "+busted" }
for _, path in ipairs { "lua/avito_messenger/io/nginx.lua", "lua/avito_messenger/nginx.lua", "lua/avito_messenger/nginx/*.lua",
  "spec/nginx/support/*.lua", "bench/nginx_shop.lua" } do
  files[path] = { globals = { "ngx" } } -- runs nowhere else
end
files["lua/avito_messenger/types.lua"] = { ignore = { "212", "241" } } -- declarations for editors, without bodies
files["*.rockspec"] = { std = "+rockspec", globals = { "package" } }
files[".luacheckrc"] = { std = "+luacheckrc" }
