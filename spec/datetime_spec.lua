local datetime = require "avito_messenger.datetime"

describe("datetime", function()
  it("reads moments with their offset", function()
    for text, time in pairs {
      ["1970-01-01T00:00:00Z"] = 0,
      ["2017-11-21T00:00:00.213Z"] = 1511222400.213,
      ["2017-11-21T03:00:00+03:00"] = 1511222400,
      ["2017-11-20T20:30:00-0330"] = 1511222400,
      ["2017-11-21t00:00:00z"] = 1511222400,
      ["2017-11-21 00:00:00Z"] = 1511222400,
      ["2020-02-29T23:59:60Z"] = 1583020800,
      ["1969-12-31T23:59:59Z"] = -1,
    } do
      assert.equal(time, datetime.read(text), text)
    end
  end)

  it("reads nothing else", function()
    for _, text in ipairs { "", "2017-11-21", "2017-11-21T00:00:00", "2017-11-21T00:00:00+3", "2017-11-21T00:00:00+24:00",
      "2017-11-21T00:00:00+00:60", "2017-11-21T00:00:00.Z", "2017-11-21T00:00:001Z", "2017-13-01T00:00:00Z", "2017-00-01T00:00:00Z",
      "2017-02-29T00:00:00Z", "2017-01-00T00:00:00Z", "2017-01-01T24:00:00Z", "2017-01-01T00:60:00Z", "2017-01-01T00:00:61Z",
      "x2017-11-21T00:00:00Z", "2017-11-21T00:00:00Zx" } do
      assert.is_nil(datetime.read(text), text)
    end
    assert.is_nil(datetime.read(nil))
    assert.is_nil(datetime.read(5))
  end)

  it("writes them in UTC", function()
    assert.equal("1970-01-01T00:00:00.000Z", datetime.write(0))
    assert.equal("2017-11-21T00:00:00.213Z", datetime.write(1511222400.213))
    assert.equal("2017-11-22T00:00:00.000Z", datetime.write(1511308799.9999))
    assert.equal("2024-02-29T13:05:09.500Z", datetime.write(1709211909.5))
  end)
end)
