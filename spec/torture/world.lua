--- The options of the sandbox that is tortured: for `avito-messenger sandbox --world`.
return {
  latency = { 0, 0.005 },
  surprises = 0.1,
  webhooks = { probe = false, retries = {} }, -- nobody listens at the addresses that are subscribed
}
