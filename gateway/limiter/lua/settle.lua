-- Put the real usage in place of the estimate, and note what the provider said.
-- KEYS: 1 the pool's block, then one window each.
-- ARGV: 1 now in us (0: the server's time), 2 when the reservation was made in us,
--   3 block the pool for so many us (0: do not),
--   then for each window: amount, difference, slot in us, slots, remaining (-1: not said),
--   reset in us (-1: not said).
-- Reply: now in us.

local now_us = server_now_us(ARGV[1])
local reserved_us, block_us = tonumber(ARGV[2]), tonumber(ARGV[3])

if block_us > 0 then
  local known = tonumber(redis.call('GET', KEYS[1]) or 0)
  local block_until = now_us + block_us
  if block_until > known then
    redis.call('SET', KEYS[1], field_of(block_until), 'PX', math.ceil(block_us / 1000) + 1000)
  end
end

local function give_back(key, slot, amount)
  local held = tonumber(redis.call('HGET', key, field_of(slot)) or 0)
  if held > amount then
    redis.call('HINCRBY', key, field_of(slot), -amount)
  else
    redis.call('HDEL', key, field_of(slot))
  end
end

local function note_remaining(key, amount, remaining, reset_us, slot_us, slots)
  local _, sum = read_window(key, now_us, slot_us, slots)
  local missing = amount - remaining - sum
  if missing <= 0 then return end
  local current = slot_of(now_us, slot_us)
  local slot = current
  if reset_us >= 0 then
    local dated = slot_of(now_us + reset_us - slots * slot_us, slot_us)
    slot = math.min(current, math.max(current - slots, dated))
  end
  redis.call('HINCRBY', key, field_of(slot), missing)
end

for i = 2, #KEYS do
  local at = 4 + (i - 2) * 6
  local difference = tonumber(ARGV[at + 1])
  local slot_us, slots = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if difference < 0 then
    give_back(KEYS[i], slot_of(reserved_us, slot_us), -difference)
  elseif difference > 0 then
    redis.call('HINCRBY', KEYS[i], field_of(slot_of(now_us, slot_us)), difference)
  end
  if tonumber(ARGV[at + 4]) >= 0 then
    note_remaining(KEYS[i], tonumber(ARGV[at]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), slot_us, slots)
  end
  if redis.call('EXISTS', KEYS[i]) == 1 then keep(KEYS[i], slot_us, slots) end
end
return now_us
