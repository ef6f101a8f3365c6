local found_in = require "support.found"
local text = require "avito_messenger.text"

-- What is written and the links in it.
local cases = {
  addresses = {
    { "https://example.com", "https://example.com" },
    { "HTTP://EXAMPLE.COM/A", "HTTP://EXAMPLE.COM/A" },
    { "https://example.com/a?b=c&d=e#f", "https://example.com/a?b=c&d=e#f" },
    { "https://example.com/?q=", "https://example.com/?q=" },
    { "https://example.com/watch-_", "https://example.com/watch-_" },
    { "https://example.com/и\204\134", "https://example.com/и\204\134" },
    { "https://example.com/фото/1", "https://example.com/фото/1" },
    { "https://пример.рф/путь", "https://пример.рф/путь" },
    { "https://localhost:8080/x", "https://localhost:8080/x" },
    { "http://192.168.0.1/x", "http://192.168.0.1/x" },
    { "https://example.ru@example.com/x", "https://example.ru@example.com/x" },
    { "ftp://example.com/x", "ftp://example.com/x" },
    { "tg://resolve?domain=x", "tg://resolve?domain=x" },
    { "смотриhttps://example.com/x", "https://example.com/x" },
    { "www.example.org", "www.example.org" },
    { "www.пример.укр/x", "www.пример.укр/x" },
    { "www.ru", "www.ru" },
    { "www." },
    { "www.!" },
    { "www.-" },
    { "www..ru" },
    { "http://" },
    { "http:// example" },
    { "https://." },
    { "abc://example" },
  },
  ["where an address ends"] = {
    { "Вот https://example.com/a.", "https://example.com/a" },
    { "https://example.com/a?!", "https://example.com/a" },
    { "https://example.com/a, https://example.com/b;", "https://example.com/a", "https://example.com/b" },
    { "(https://example.com/a)", "https://example.com/a" },
    { "(см. https://example.com/a).", "https://example.com/a" },
    { "https://example.com/wiki/A_(b)", "https://example.com/wiki/A_(b)" },
    { "(https://example.com/wiki/A_(b))", "https://example.com/wiki/A_(b)" },
    { "«https://example.com/a»", "https://example.com/a" },
    { '"https://example.com/a"', "https://example.com/a" },
    { "<https://example.com/a>", "https://example.com/a" },
    { "https://example.com/a👍", "https://example.com/a" },
    { "https://example.com.", "https://example.com" },
    { "https://example.com/a\nhttps://example.com/b", "https://example.com/a", "https://example.com/b" },
    { "https://example.com/a\194\160и", "https://example.com/a" },
    { "https://example.com/a\255b", "https://example.com/a" },
    { "https://example.com/\226\128\139", "https://example.com/" },
  },
  ["hosts without a scheme"] = {
    { "example.com", "example.com" },
    { "Example.RU", "Example.RU" },
    { "sub.example.com/path?x=1", "sub.example.com/path?x=1" },
    { "example.ru:8080/x", "example.ru:8080/x" },
    { "example.com: там", "example.com" },
    { "пример.рф", "пример.рф" },
    { "пример.ру", "пример.ру" },
    { "xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai" },
    { "t.me/seller_name", "t.me/seller_name" },
    { "wa.me/79000000001", "wa.me/79000000001" },
    { "vk.com/id1", "vk.com/id1" },
    { "4example.ru", "4example.ru" },
    { "my-example.shop", "my-example.shop" },
    { "(example.ru)", "example.ru" },
    { "см. example.ru, там всё", "example.ru" },
    { "-example.ru", "example.ru" },
    { "example.com.Жду", "example.com" },
    { "example.com...", "example.com" },
  },
  ["hosts with spaces in them"] = {
    { "t . me / seller", "t . me / seller" },
    { "t. me/seller", "t. me/seller" },
    { "t .me/seller, пишите", "t .me/seller" },
    { "t точка me", "t точка me" },
    { "t (.) me / seller", "t (.) me / seller" },
    { "vk . com / id1", "vk . com / id1" },
    { "t . me / , да", "t . me /" },
    { "t     .     me" },
    { "т . ме" },
    { "ok . нет" },
    { "вот . ru" },
  },
  ["mail and names"] = {
    { "buyer@example.com", "buyer@example.com" },
    { "buyer.one+x@mail.example.ru.", "buyer.one+x@mail.example.ru" },
    { "почта:buyer@example.org!", "buyer@example.org" },
    { "buyer@example.museum", "buyer@example.museum" },
    { "ящик@пример.рф", "ящик@пример.рф" },
    { "@seller_name", "@seller_name" },
    { "пишите @seller1.", "@seller1" },
    { "(@seller)", "@seller" },
    { "a@b" },
    { "buyer@example" },
    { "buyer@example.c" },
    { "buyer@" },
    { "a@" .. ("a"):rep(260) .. ".museum" },
    { "example.com+x@example.ru", "example.com", "x@example.ru" },
    { "@ab" },
    { "@1seller" },
    { "@продавец" },
    { "@sellerпродавец" },
    { "@" .. ("a"):rep(32), "@" .. ("a"):rep(32) },
    { "@" .. ("a"):rep(33) },
    { "цена@seller" },
  },
  ["what is none"] = {
    { "" },
    { "т.д. и т.п." },
    { "и.о. директора" },
    { "см.рис" },
    { "5.000" },
    { "1.5" },
    { "13.pro max" },
    { "24.05.ru" },
    { "фото.jpg" },
    { "чек.pdf, setup.exe, main.py" },
    { "Добрый день.Москва" },
    { "Продаю.Срочно" },
    { "привет.как дела" },
    { "ком.услуги, орг.техника" },
    { "ru" },
    { ("a"):rep(260) .. ".ru" },
    { ".ru" },
    { "example..ru" },
    { "example .ru" },
    { "example.ru_x" },
    { "example.rus" },
    { "a.b.c" },
    { "\255.ru" },
    { "и/или, 24/7" },
  },
}

describe("text.links", function()
  for name, list in pairs(cases) do
    it("knows " .. name, function()
      assert.same(list, found_in(text.links, list))
    end)
  end

  it("knows an address among any words, as it is written", function()
    math.randomseed(9)
    local links = { "https://example.com/a", "example.ru", "t.me/seller", "@seller", "buyer@example.com", "www.example.net/x?y=1" }
    local before = { "", "Вот ", "(", "«", "смотрите: ", "да,", "\n", "👍", "\255" }
    local behind = { "", " вот", ")", "»", ". Жду", ", ок", "!", "\n", "…", "\255", " 5000" }
    for _ = 1, 1000 do
      local link = links[math.random(#links)]
      local message = before[math.random(#before)] .. link .. behind[math.random(#behind)]
      assert.same({ message, { link } }, { message, text.links(message) })
    end
  end)

  it("gives parts of the text, one behind the other, whatever the bytes", function()
    math.randomseed(13)
    local bits = { "http", "://", "example", ".", "com", "ru", "@", "/", " ", "t", "me", "(", ")", "рф", "-", "_", "\255", "\208",
      ":80", "?", "www.", "xn--", "точка", "\226\128\139", "\204\129" }
    local found = 0
    for _ = 1, 5000 do
      local parts, at = {}, 1
      for i = 1, math.random(0, 20) do
        parts[i] = bits[math.random(#bits)]
      end
      local message = table.concat(parts)
      for _, link in ipairs(text.links(message)) do
        found = found + 1
        local start, last = message:find(link, at, true)
        assert.is_truthy(start and #link > 3, message)
        at = last + 1
      end
    end
    assert.is_true(found > 500)
  end)

  it("finds at most 64, in the first 65,536 bytes", function()
    assert.equal(64, #text.links(("example.ru "):rep(65)))
    assert.same({}, text.links((" "):rep(65536) .. "example.ru"))
  end)

  it("wants a string", function()
    assert.has_error(function() text.links(nil) end, "bad argument #1 to 'links' (string expected, got nil)")
  end)
end)
