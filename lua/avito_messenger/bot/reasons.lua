--- Why a buyer is put on the blacklist: the words of rules, each at its number in the API.
return { "spam", "fraud", "insult", "other" }
