-- Tell all breakers of a call how it came out.
-- KEYS: the breakers, all of one provider.
-- ARGV: 1 now in us (0: the server's time), 2 id of the call, 3 time to live of a key in s,
--   4 verdict (success, failure, neutral), 5 reason,
--   then for each breaker: slot in us, minimum of calls, failure rate, cool-down in us, longest.
-- Reply: 1 when a breaker opened, else 0.

local now_us, call = server_now_us(ARGV[1]), ARGV[2]
local ttl_s, verdict, reason = ARGV[3], ARGV[4], ARGV[5]
local opened = 0

local function open(key, breaker, cooldown_us, longest_us)
  local trips = breaker.trips + 1
  local rest_us = math.min(longest_us, cooldown_us * 2 ^ math.min(trips - 1, 30))
  redis.call('DEL', key)
  redis.call('HSET', key, 'until', whole(now_us + rest_us), 'trips', trips, 'reason', reason)
  opened = 1
end

local function sum(counts, slot)
  local total = 0
  for one, count in pairs(counts) do
    if one > slot - SLOTS then total = total + count end
  end
  return total
end

local function forget_old(key, breaker, slot)
  for one in pairs(breaker.failures) do
    if one <= slot - SLOTS then redis.call('HDEL', key, 'f:' .. whole(one)) end
  end
  for one in pairs(breaker.successes) do
    if one <= slot - SLOTS then redis.call('HDEL', key, 's:' .. whole(one)) end
  end
end

local function count(key, breaker, slot, at)
  local counts, prefix = breaker.successes, 's:'
  if verdict == 'failure' then counts, prefix = breaker.failures, 'f:' end
  counts[slot] = redis.call('HINCRBY', key, prefix .. whole(slot), 1)
  forget_old(key, breaker, slot)
  if verdict ~= 'failure' then return end
  local failures = sum(breaker.failures, slot)
  local total = failures + sum(breaker.successes, slot)
  if total >= tonumber(ARGV[at + 1]) and failures >= tonumber(ARGV[at + 2]) * total then
    open(key, breaker, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
  end
end

for i = 1, #KEYS do
  local at, breaker = 6 + (i - 1) * 5, read_breaker(KEYS[i])
  local was_probe = (breaker.probes[call] or 0) > now_us
  if breaker.probes[call] then redis.call('HDEL', KEYS[i], 'p:' .. call) end
  if verdict ~= 'neutral' then
    if was_probe and verdict == 'failure' then
      open(KEYS[i], breaker, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]))
    elseif was_probe then
      redis.call('DEL', KEYS[i])
    elseif breaker.open_until == 0 then
      count(KEYS[i], breaker, math.floor(now_us / tonumber(ARGV[at])), at)
    end
  end
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('EXPIRE', KEYS[i], ttl_s) end
end
return opened
