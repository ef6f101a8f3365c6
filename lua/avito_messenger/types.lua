---@meta avito_messenger.types
--- The methods of a client, for editors; never loaded.
--- Written by tools/reference.lua from src/core/endpoints/*.def: change the row, then run `make reference`.

---@class avito_messenger.Client
local Client = {}

--- The chats of the account, the most recently updated first.
--- `GET /messenger/v2/accounts/{user_id}/chats`; scope messenger:read.
---@param options? { item_ids?: integer[], unread_only?: boolean, chat_types?: string[], limit?: integer, offset?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Chat[]?
---@return table|avito_messenger.Error meta_or_error
function Client:get_chats(options, call_options) end

--- One chat with its last message.
--- `GET /messenger/v2/accounts/{user_id}/chats/{chat_id}`; scope messenger:read.
---@param chat_id string the chat
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Chat?
---@return avito_messenger.Error?
function Client:get_chat(chat_id, call_options) end

--- The messages of a chat, newest first. Does not mark it as read.
--- `GET /messenger/v3/accounts/{user_id}/chats/{chat_id}/messages/`; scope messenger:read.
---@param chat_id string the chat
---@param options? { limit?: integer, offset?: integer }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Message[]?
---@return table|avito_messenger.Error meta_or_error
function Client:get_messages(chat_id, options, call_options) end

--- Sends a text. Never repeated when the server may have seen it.
--- `POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages`; scope messenger:write.
---@param chat_id string the chat
---@param text string the text; 1 to 1000 characters
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Message?
---@return avito_messenger.Error?
function Client:send_message(chat_id, text, call_options) end

--- Sends an uploaded image. Never repeated when the server may have seen it.
--- `POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/image`; scope messenger:write.
---@param chat_id string the chat
---@param image_id string what upload_image returned; 1 to 512 characters
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Message?
---@return avito_messenger.Error?
function Client:send_image_message(chat_id, image_id, call_options) end

--- Deletes an own message, within an hour of sending it.
--- `POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/messages/{message_id}`; scope messenger:write.
---@param chat_id string the chat
---@param message_id string the message
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function Client:delete_message(chat_id, message_id, call_options) end

--- Marks every message of a chat as read.
--- `POST /messenger/v1/accounts/{user_id}/chats/{chat_id}/read`; scope messenger:read.
---@param chat_id string the chat
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function Client:mark_chat_as_read(chat_id, call_options) end

--- The addresses of voice messages, by voice id. Each is good for an hour.
--- `GET /messenger/v1/accounts/{user_id}/getVoiceFiles`; scope messenger:read.
---@param voice_ids string[] content.voice.voice_id of the messages; 1 to 100 elements
---@param call_options? avito_messenger.CallOptions
---@return table<string, string>?
---@return avito_messenger.Error?
function Client:get_voice_files(voice_ids, call_options) end

--- Uploads a JPEG, HEIC, GIF, BMP or PNG of at most 24 MB and 75 megapixels.
--- `POST /messenger/v1/accounts/{user_id}/uploadImages`; scope messenger:write.
---@param image string|{ data: string, filename?: string } a path, or { data = …, filename = … }
---@param call_options? avito_messenger.CallOptions
---@return string?
---@return table<string, string>|avito_messenger.Error sizes_or_error
function Client:upload_image(image, call_options) end

--- Has every message of the account posted to a URL.
--- `POST /messenger/v3/webhook`; scope messenger:read.
---@param url string an http(s) address that answers 200 within two seconds; 1 to 2048 characters
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function Client:subscribe_webhook(url, call_options) end

--- Ends a webhook subscription.
--- `POST /messenger/v1/webhook/unsubscribe`; scope messenger:read.
---@param url string the subscribed address; 1 to 2048 characters
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function Client:unsubscribe_webhook(url, call_options) end

--- The webhook subscriptions of the account.
--- `POST /messenger/v1/subscriptions`; scope messenger:read.
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Subscription[]?
---@return table|avito_messenger.Error meta_or_error
function Client:get_webhook_subscriptions(call_options) end

--- Blocks users.
--- `POST /messenger/v2/accounts/{user_id}/blacklist`; scope messenger:write.
---@param users { user_id: integer|string, context?: { item_id?: integer|string, reason_id?: integer } }[] who,
--- and why; 1 to 100 elements
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function Client:add_to_blacklist(users, call_options) end

--- The account the token belongs to: id, name, email, phone, profile_url.
--- `GET /core/v1/accounts/self`; scope user:read.
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.Self?
---@return avito_messenger.Error?
function Client:get_self(call_options) end

---@class avito_messenger.yandex_market.Client
local MarketClient = {}

--- Begins a chat about an order or a return, or finds the one there is.
--- `POST /v2/businesses/{businessId}/chats/new`; scope communication.
---@param context_type string what the chat is to be about; 1 to 64 characters; known: ORDER, RETURN
---@param context_id integer|string the order or the return; at least 1
---@param call_options? avito_messenger.CallOptions
---@return { chatId: integer }?
---@return avito_messenger.Error?
function MarketClient:create_chat(context_type, context_id, call_options) end

--- The chats of the business. Their order is not promised.
--- `POST /v2/businesses/{businessId}/chats`; scope communication.
---@param options? { limit?: integer, page_token?: string, contexts?: { type: string, id: integer|string }[],
--- context_types?: string[], types?: string[], statuses?: string[] }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.yandex_market.Chat[]?
---@return avito_messenger.yandex_market.ChatsMeta|avito_messenger.Error meta_or_error
function MarketClient:get_chats(options, call_options) end

--- One chat.
--- `GET /v2/businesses/{businessId}/chat`; scope communication.
---@param chat_id integer|string the chat; at least 1
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.yandex_market.Chat?
---@return avito_messenger.Error?
function MarketClient:get_chat(chat_id, call_options) end

--- The messages of a chat. Their order is not promised; meta.context tells what the chat is about.
--- `POST /v2/businesses/{businessId}/chats/history`; scope communication.
---@param chat_id integer|string the chat; at least 1
---@param options? { limit?: integer, page_token?: string, message_id_from?: integer|string }
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.yandex_market.Message[]?
---@return avito_messenger.yandex_market.HistoryMeta|avito_messenger.Error meta_or_error
function MarketClient:get_chat_history(chat_id, options, call_options) end

--- Sends a text; the answer does not tell its id. Never repeated when the server may have seen it.
--- `POST /v2/businesses/{businessId}/chats/message`; scope communication.
---@param chat_id integer|string the chat; at least 1
---@param message string the text; 1 to 4096 characters
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function MarketClient:send_message(chat_id, message, call_options) end

--- One message.
--- `GET /v2/businesses/{businessId}/chats/message`; scope communication.
---@param chat_id integer|string the chat; at least 1
---@param message_id integer|string the message; at least 1
---@param call_options? avito_messenger.CallOptions
---@return avito_messenger.yandex_market.Message?
---@return avito_messenger.Error?
function MarketClient:get_chat_message(chat_id, message_id, call_options) end

--- Sends a file of at most 5 MB; the answer does not tell its id. Never repeated when the server may have seen it.
--- `POST /v2/businesses/{businessId}/chats/file/send`; scope communication.
---@param chat_id integer|string the chat; at least 1
---@param file string|{ data: string, filename: string } a path, or { data = …, filename = … }; at most 5 MB
---@param call_options? avito_messenger.CallOptions
---@return true?
---@return avito_messenger.Error?
function MarketClient:send_file(chat_id, file, call_options) end
