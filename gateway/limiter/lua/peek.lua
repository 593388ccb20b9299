-- Look at a quota without taking anything.
-- KEYS: 1 the pool's block, then one window each.
-- ARGV: 1 now in us (0: the server's time), then for each window: amount, slot in us, slots.
-- Reply: us until the block ends (0: none), then for each window: used, us until one more unit fits
--   (0 now, -1 never), us until all of it is free again.

local now_us = server_now_us(ARGV[1])
local reply = {math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now_us)}
for i = 2, #KEYS do
  local at = 2 + (i - 2) * 3
  local amount, slot_us, slots = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local live, sum = read_window(KEYS[i], now_us, slot_us, slots)
  local free_us = 0
  if #live > 0 then free_us = (live[#live][1] + slots + 1) * slot_us - now_us end
  reply[#reply + 1] = sum
  reply[#reply + 1] = window_wait_us(live, sum, now_us, amount, 1, slot_us, slots)
  reply[#reply + 1] = free_us
end
return reply
