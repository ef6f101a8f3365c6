---@meta avito_messenger.shapes
--- What answers hold, for editors; never loaded. The API adds members and values without notice, and leaves members out:
--- every one may be nil.

---@class avito_messenger.Chat
---@field id string
---@field created integer Unix seconds
---@field updated integer Unix seconds
---@field users avito_messenger.User[] both sides of the chat
---@field last_message avito_messenger.Message
---@field context? { type: string, value: avito_messenger.Item } of a chat about an item

---@class avito_messenger.User
---@field id integer a decimal string on LuaJIT where it passes 2^53
---@field name string
---@field public_user_profile? table

---@class avito_messenger.Item
---@field id integer may pass 2^31
---@field title string
---@field price_string string with U+00A0 in it
---@field url string
---@field user_id integer whose item it is
---@field status_id integer 10: on sale; 20: deleted
---@field images table

---@class avito_messenger.Message
---@field id string
---@field author_id integer
---@field created integer Unix seconds
---@field direction "in"|"out"
---@field type avito_messenger.MessageType
---@field content avito_messenger.Content
---@field is_read? boolean has this account read it?
---@field read? integer when the other side read it, Unix seconds
---@field quote? avito_messenger.Message

---@class avito_messenger.Content
---@field text? string of type "text"
---@field image? { sizes: table<string, string> } addresses by "WxH"
---@field voice? { voice_id: string } for get_voice_files and download_voice
---@field link? { text: string, url: string, preview?: table }
---@field item? { title: string, item_url: string, price_string?: string, image_url?: string }
---@field location? { lat: number, lon: number, kind: string, title: string, text: string }
---@field call? { status: string, target_user_id: integer }
---@field flow_id? string of type "system": which of Avito's bots wrote it

---@class avito_messenger.Self
---@field id integer
---@field name string
---@field email string
---@field phone string
---@field profile_url string

---@class avito_messenger.Subscription
---@field url string
---@field version string

---@class avito_messenger.yandex_market.Chat
---@field chatId integer a decimal string on LuaJIT where it passes 2^53, as every id here
---@field context avito_messenger.yandex_market.Context what the chat is about
---@field type avito_messenger.yandex_market.ChatType
---@field status avito_messenger.yandex_market.ChatStatus
---@field createdAt string ISO 8601 with an offset, to the second
---@field updatedAt string when the last message was written

---@class avito_messenger.yandex_market.Context
---@field type avito_messenger.yandex_market.ContextType
---@field customer? { name?: string, publicId?: string }
---@field campaignId? integer the shop; of an order or a return
---@field orderId? integer of an order or a return
---@field returnId? integer of a return

---@class avito_messenger.yandex_market.Message
---@field messageId integer
---@field createdAt string ISO 8601 with an offset
---@field sender avito_messenger.yandex_market.Sender
---@field message? string its text
---@field payload? { name: string, url: string, size: integer }[] its files, for download_file; size in bytes

---@class avito_messenger.yandex_market.ChatsMeta
---@field paging? { nextPageToken?: string } absent on the last page

---@class avito_messenger.yandex_market.HistoryMeta
---@field context avito_messenger.yandex_market.Context
---@field paging? { nextPageToken?: string }
