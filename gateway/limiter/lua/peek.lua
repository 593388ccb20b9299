-- Look at a quota without taking anything.
-- KEYS: 1 the pool's state, then one window each.
-- ARGV: 1 now in us (0: the server's time), 2 share of the rate to begin with, 3 us until all of it,
--   4 requests that are let through even so, then for each window: amount, span.
-- Reply: us until the block ends (0: none), then for each window: amount that holds, how it is known,
--   us since that was learned (-1: it was not), used, us until one more unit fits (0 now, -1 never),
--   us until all of it is free again, amount that a header named (-1: none did), us since then.

local now_us = server_now_us(ARGV[1])
local warm = {share = tonumber(ARGV[2]), us = tonumber(ARGV[3]), least = tonumber(ARGV[4])}
local state = read_state(KEYS[1])
local reply = {blocked_us(state, now_us)}
for i = 2, #KEYS do
  local at = 5 + (i - 2) * 2
  local span = span_of(ARGV[at + 1])
  local limit = limit_of(state, name_of(KEYS[i]), tonumber(ARGV[at]), now_us, span)
  local live, sum = read_window(KEYS[i], now_us, span)
  local free_us = 0
  if #live > 0 then free_us = frees_at_us(span, live[#live][1]) - now_us end
  local age_us = limit.at > 0 and math.max(0, now_us - limit.at) or -1
  local said_age_us = limit.said and math.max(0, now_us - limit.said_at) or -1
  local wait = limit_wait_us(state, limit, live, sum, now_us, 0, 1, span, warm)
  local found = {limit.full, limit.source, age_us, sum, wait, free_us, limit.said or -1, said_age_us}
  for _, one in ipairs(found) do reply[#reply + 1] = one end
end
return reply
