rockspec_format = "3.0"
package = "avito-messenger"
version = "0.1.0-1"
source = {
  url = "git+https://github.com/avito-messenger/avito-messenger.git",
  tag = "v0.1.0",
}
description = {
  summary = "Clients of the Avito Messenger and Yandex Market chats, a bot for both, and a sandbox to run them against",
  detailed = [[
    Every call of the Avito Messenger API and its OAuth as Lua tables: chats, messages, images, voice,
    webhooks, blacklist; and the chats of the Yandex Market Partner API. A C core decides what to send,
    repeat and decode; libcurl moves the bytes.
    A bot answers buyers by rules a seller can read: avito-messenger check --help.
    A simulated Avito and Yandex Market come with it: avito-messenger sandbox --help.
  ]],
  license = "MIT",
  homepage = "https://github.com/avito-messenger/avito-messenger",
  issues_url = "https://github.com/avito-messenger/avito-messenger/issues",
  labels = { "avito", "api", "chat", "http" },
}
supported_platforms = { "linux" }
dependencies = {
  "lua >= 5.1, < 5.5, ~= 5.2, ~= 5.3", -- 5.1 is LuaJIT
  "lua-cjson >= 2.1.0",
}
external_dependencies = {
  CURL = { library = "curl" }, -- CMake finds the header, which Debian keeps where luarocks does not look
}
build = {
  -- cmake, not builtin: the listener of the sandbox is built only where libmicrohttpd is found, the words of the bot
  -- where utf8proc is, its journal where SQLite is.
  type = "cmake",
  variables = {
    CMAKE_BUILD_TYPE = "RelWithDebInfo",
    CMAKE_INSTALL_PREFIX = "$(PREFIX)",
    AVITO_LUADIR = "$(LUADIR)",
    AVITO_LIBDIR = "$(LIBDIR)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CURL_INCLUDE_DIR = "$(CURL_INCDIR)",
    CURL_LIBDIR = "$(CURL_LIBDIR)",
  },
  install = {
    bin = { ["avito-messenger"] = "bin/avito-messenger" },
  },
}
