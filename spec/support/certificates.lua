-- Certificates for the TLS specs, made by the openssl command into a directory of their own.
local certificates = {}

local extensions = [[
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[localhost]
subjectAltName = DNS:localhost, IP:127.0.0.1
[wrong]
subjectAltName = DNS:wrong.test
]]

local script = [[
set -e
cd "$1"
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
authority() {
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=spec $1" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -signkey "$1.key" -days 2 -extfile extensions -extensions ca -out "$1.pem"
}
leaf() { # name, section, days
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=spec $1" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$3" \
    -extfile extensions -extensions "$2" -out "$1.pem"
}
authority ca
authority stranger
leaf good localhost 2
leaf wrong wrong 2
leaf expired localhost -1
]]

--- Makes ca.pem, stranger.pem (a CA that signed nothing) and NAME.pem with NAME.key for good, wrong, expired.
---@return { directory: string, path: fun(name: string): string, remove: fun() }
function certificates.make()
  local pipe = assert(io.popen("mktemp -d"))
  local directory = assert(pipe:read("*l"), "mktemp -d")
  pipe:close()
  local file = assert(io.open(directory .. "/extensions", "w"))
  assert(file:write(extensions))
  file:close()
  file = assert(io.open(directory .. "/make", "w"))
  assert(file:write(script))
  file:close()
  local log = directory .. "/log"
  local status = os.execute(("LD_PRELOAD= sh '%s/make' '%s' >'%s' 2>&1 </dev/null"):format(directory, directory, log))
  if status ~= 0 and status ~= true then
    local text = assert(io.open(log)):read("*a")
    error("openssl failed:\n" .. text)
  end
  return {
    directory = directory,
    path = function(name) return directory .. "/" .. name end,
    remove = function() os.execute("rm -r '" .. directory .. "'") end,
  }
end

return certificates
