-- A quota in a script's KEYS: its block at `first`, its windows after it, to the end. ARGV holds for
-- each window, from `args` on: amount, cost, slot in us, slots.

-- Microseconds until all windows have room (0 now, -1 never), number of the limit in the way.
local function quota_wait_us(first, args, now_us)
  local blocked_until = tonumber(redis.call('GET', KEYS[first]) or 0)
  local worst, binding = math.max(0, blocked_until - now_us), 0
  for i = first + 1, #KEYS do
    local at = args + (i - first - 1) * 4
    local slot_us, slots = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local live, sum, gone = read_window(KEYS[i], now_us, slot_us, slots)
    if #gone > 0 then redis.call('HDEL', KEYS[i], unpack(gone)) end
    local wait = window_wait_us(live, sum, now_us, tonumber(ARGV[at]), tonumber(ARGV[at + 1]), slot_us, slots)
    if wait == -1 then return -1, i - first end
    if wait > worst then worst, binding = wait, i - first end
  end
  return worst, binding
end

local function quota_take(first, args, now_us)
  for i = first + 1, #KEYS do
    local at = args + (i - first - 1) * 4
    local cost, slot_us = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    redis.call('HINCRBY', KEYS[i], field_of(slot_of(now_us, slot_us)), cost)
    keep(KEYS[i], slot_us, tonumber(ARGV[at + 3]))
  end
end
