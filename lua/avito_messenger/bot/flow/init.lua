--- Flows: dialogues as plain functions, journalled and replayed. `define` is `avito.flow`.
local definition = require "avito_messenger.bot.flow.definition"

return { define = definition.define, is = definition.is, check = definition.check }
