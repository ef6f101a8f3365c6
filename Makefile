# `make demo` and `make test` do everything on a fresh Debian 12; `make help` tells the rest.

.PHONY: help demo demo-nginx test proof lint check bench fuzz build reference install clean
.DEFAULT_GOAL := help

# Which Lua `make install` installs for.
INSTALL_LUA = $(or $(LUA),lua5.4)

help:
	@echo 'make demo      a day of a shop: its bot against the sandbox, three buyers, and the seller'
	@echo 'make demo-nginx  the bot inside nginx, which is reloaded and whose workers are killed meanwhile'
	@echo 'make test      luacheck, and the specs on Lua 5.4 and LuaJIT, plain and with ASan and UBSan'
	@echo '               SPEC=spec/core/json_spec.lua  LUA=lua5.4  BUSTED="--filter=token"  narrow it'
	@echo 'make proof     the proofs of spec/proof in full, which make test runs in short; PROOF=long for the longest'
	@echo 'make lint      clang-format, clang-tidy, cppcheck, luacheck, shellcheck'
	@echo 'make check     make test and make lint, summed up in one line'
	@echo 'make bench     the figures: ratios against plain libcurl and lua-cjson'
	@echo '               BENCH=one  BENCH=many  BENCH=words  BENCH=durable  BENCH=nginx  only those of one call at a time,'
	@echo '               of many at once, of a message against the rules of a bot, of webhooks that are stored, or of those'
	@echo '               inside nginx, which BENCH_MINUTES=10 watches for longer'
	@echo 'make fuzz      the fuzz harnesses, FUZZ_SECONDS=30 each'
	@echo 'make build     only build, in build/lua5.4 and build/luajit'
	@echo 'make reference write what is derived from src/core/endpoints/*.def: docs/reference.md and the editor types'
	@echo 'make install   luarocks make; LUA=luajit for LuaJIT, TREE=dir for another tree'
	@echo 'make clean     remove build/'
	@echo
	@echo 'Missing Debian packages are installed first with apt-get; SETUP=no leaves that to you.'

demo:
	@tools/setup demo
	@tools/demo

demo-nginx:
	@tools/setup demo-nginx
	@tools/demo-nginx

test:
	@tools/setup test
	@tools/test

proof:
	@tools/setup test
	@tools/proof

check:
	@tools/setup test lint
	@tools/test luacheck lua5.4-asan luajit-asan lua5.4 luajit lint

lint:
	@tools/setup lint
	@tools/lint

bench:
	@tools/setup bench
	@tools/bench

fuzz:
	@tools/setup fuzz
	@tools/fuzz

build:
	@tools/setup build
	@tools/build lua5.4
	@tools/build luajit

reference:
	@tools/setup build
	@tools/build lua5.4
	@LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='build/lua5.4/?.so;;' lua5.4 tools/reference.lua write

install:
	@tools/setup build
	@tools/install $(INSTALL_LUA) $(TREE)

clean:
	rm -rf build

# The tools read these from the environment.
export SETUP SPEC LUA BUSTED JOBS LIMIT FUZZ_SECONDS BENCH BENCH_MINUTES PROOF
