--- How much the proofs of spec/proof do: little in `make test`, in full in `make proof`, the most with PROOF=long.
local proof = {}

local form = os.getenv "PROOF" or ""
if form == "" then form = "short" end
assert(form == "short" or form == "full" or form == "long", "PROOF must be short, full or long, not " .. form)

--- One of `short`, `full` and `long` (without it: `full`), by the form in which the proofs run.
---@param sizes { short: any, full: any, long: any }
function proof.choose(sizes)
  if form == "long" and sizes.long ~= nil then return sizes.long end
  if form == "short" then return sizes.short end
  return sizes.full
end

--- The same for a number, which the environment variable `name` sets.
---@param name string
---@param sizes { short: number, full: number, long: number? }
---@return number
function proof.size(name, sizes)
  local given = os.getenv(name)
  if (given or "") == "" then return proof.choose(sizes) end
  return tonumber(given) or error(name .. " must be a number, not " .. given, 0)
end

--- Is this proof left to Lua 5.4? In short form, those of whole processes are: LuaJIT has those of nginx_spec.lua.
---@return boolean
function proof.is_left_out()
  return form == "short" and rawget(_G, "jit") ~= nil
end

return proof
