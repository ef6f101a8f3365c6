--- A page of chats as get_chats answers it, the same on every run: the input of the benchmarks.
-- The shape is that of the contract's schemas Chats and Chat with their examples: raw UTF-8, no spaces, nulls where a
-- chat lacks something.

--- Numbers that look random and are the same everywhere (Park and Miller; exact in a double).
local function generator(seed)
  return function(below)
    seed = seed * 16807 % 2147483647
    return seed % below
  end
end

local NAMES = {
  "Покупатель", "Алия", "Мария Сергеевна", "Guldan", "Автосалон на Мира", "Сергей", "Ольга",
  "ИП Садовый центр",
}
local TITLES = {
  "Mazda 3 2008", "Диван угловой, раскладной", "Велосипед детский 20\\\" (почти новый)", "Зимние шины R16, комплект",
  "Книжный шкаф из массива дуба", "iPhone 12 mini 128 ГБ", "Коляска 3 в 1", "Сдам гараж у метро",
}
local SLUGS = {
  "avtomobili/mazda_3_2008", "mebel_i_interer/divan_uglovoy_raskladnoy", "velosipedy/velosiped_detskiy_20",
  "zapchasti_i_aksessuary/zimnie_shiny_r16", "mebel_i_interer/knizhnyy_shkaf", "telefony/iphone_12_mini_128_gb",
  "tovary_dlya_detey/kolyaska_3_v_1", "garazhi_i_mashinomesta/garazh",
}
local CITIES = {
  { "Москва, Варшавское шоссе", "moskva" }, { "Самара, улица Гагарина", "samara" },
  { "Санкт-Петербург", "sankt-peterburg" }, { "Казань, Ново-Савиновский район", "kazan" },
}
local TEXTS = {
  "Здравствуйте! Ещё продаёте?", "Планируется поставка?",
  "Добрый день, а торг уместен? Готов приехать сегодня после шести.",
  "Спасибо, я подумаю", "Скиньте, пожалуйста, ещё фото\\nи размеры",
  "Да, конечно, приезжайте: мы работаем до 20:00, вход со двора.",
  "ok", "Можно оформить Авито Доставку?",
}
local AVATAR_SIZES = {
  "128x128", "192x192", "24x24", "256x256", "36x36", "48x48", "64x64", "72x72", "96x96",
}
local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~-"

local function hex(random, length)
  local digits = {}
  for i = 1, length do
    digits[i] = ("%x"):format(random(16))
  end
  return table.concat(digits)
end

local function chat_id(random)
  local letters = {}
  for i = 1, 16 do
    local at = random(#BASE64) + 1
    letters[i] = BASE64:sub(at, at)
  end
  return "u2i-" .. table.concat(letters) .. "MAAA"
end

local function digits(random, first, length)
  local out = { tostring(first) }
  for i = 2, length do
    out[i] = tostring(random(10))
  end
  return table.concat(out)
end

local function user(random, id, name, item_id, picture, profile)
  local images = {}
  for i, size in ipairs(AVATAR_SIZES) do
    images[i] = ('"%s":"%s_%s.png"'):format(size, picture, size)
  end
  return ('{"id":%s,"name":"%s","parsing_allowed":%s,"public_user_profile":{"user_id":%s,"item_id":%s,'
    .. '"avatar":{"default":"%s_256x256.png","images":{%s}},"url":"https://avito.ru/user/%s/profile"}}'):format(
    id, name, random(2) == 0 and "true" or "false", id, item_id, picture, table.concat(images, ","), profile)
end

--- A picture of the marketplace's own, or every other time one that nobody else has.
local function avatar(random)
  if random(2) == 0 then
    return "https://www.avito.st/stub_avatars/_/" .. 1 + random(20)
  end
  return "https://www.avito.st/avatar/social/" .. digits(random, 1, 10)
end

local function content(random)
  local kind = random(8)
  if kind == 0 then
    local sizes = {}
    local file = digits(random, 5, 10) .. "." .. hex(random, 32) .. ".jpg"
    for i, size in ipairs { "1280x960", "140x105", "32x32", "640x480" } do
      sizes[i] = ('"%s":"https://img.k.avito.ru/chat/%s/%s"'):format(size, size, file)
    end
    return "image", '{"call":null,"image":{"sizes":{' .. table.concat(sizes, ",") .. '}},"text":null}'
  elseif kind == 1 then
    local city = CITIES[random(#CITIES) + 1]
    return "location", ('{"location":{"kind":"street","lat":55.%s,"lon":37.%s,"text":"%s","title":"%s"}}'):format(
      digits(random, 5, 6), digits(random, 6, 6), city[1], city[1])
  elseif kind == 2 then
    return "link", '{"link":{"preview":null,"text":"habr.com","url":"https://habr.com/ru/"}}'
  end
  return "text", '{"text":"' .. TEXTS[random(#TEXTS) + 1] .. '"}'
end

local function chat(random, created)
  local item_id = digits(random, 1 + random(4), 10)
  local seller, buyer = "94235311", digits(random, 1 + random(3), 9)
  local which = random(#TITLES) + 1
  local city = CITIES[random(#CITIES) + 1]
  local kind, body = content(random)
  local incoming = random(2) == 0
  return ('{"context":{"type":"item","value":{"id":%s,"images":{"count":%d,"main":{"140x105":'
    .. '"https://%02d-img-staging-proxy.k.avito.ru/140x105/%s.jpg"}},"location":{"lat":55.%s,"lon":37.%s,"title":"%s"},'
    .. '"price_string":"%d\194\160%03d ₽","status_id":%d,"title":"%s","url":"https://avito.ru/%s/%s_%s","user_id":%s}},'
    .. '"created":%d,"id":"%s","last_message":{"author_id":%s,"content":%s,"created":%d,"direction":"%s","id":"%s",'
    .. '"quote":null,"read":%s,"type":"%s"},"updated":%d,"users":[%s,%s]}'):format(
    item_id, 1 + random(10), random(90), digits(random, 5, 10), digits(random, 5, 6), digits(random, 6, 6), city[1],
    1 + random(900), random(1000), random(4) == 0 and 20 or 10, TITLES[which], city[2], SLUGS[which], item_id, seller,
    created - 90000, chat_id(random), incoming and buyer or seller, body, created, incoming and "in" or "out",
    hex(random, 32), random(3) == 0 and "null" or tostring(created + 60), kind, created,
    user(random, seller, NAMES[#NAMES], item_id, "https://www.avito.st/stub_avatars/_/14",
      "db65c00c946dc404e11f14755465453b"),
    user(random, buyer, NAMES[random(#NAMES - 1) + 1], item_id, avatar(random), hex(random, 32)))
end

local M = {}

--- The JSON text of a page.
---@param count integer how many chats, 100 for the page of the figures
---@return string
function M.text(count)
  local random = generator(20060101)
  local chats = {}
  for i = 1, count do
    chats[i] = chat(random, 1706865998 - i * 977)
  end
  return '{"chats":[' .. table.concat(chats, ",") .. '],"meta":{"has_more":true}}'
end

return M
