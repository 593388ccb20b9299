-- Let a call pass everything that may hold it back, or nothing of it.
-- KEYS: rests of its key, then its breakers, then its quota: the state and one window each.
-- ARGV: 1 now in us (0: the server's time), 2 id of the call, 3 time to live of a breaker in s,
--   4 number of rests, 5 number of breakers,
--   then for each breaker: probes let through at once, us after which a probe is given back,
--   slot in us,
--   then the quota's, as quota.lua reads them.
-- Reply: what is in the way ('' nothing, 'key', 'breaker', 'quota'), wait in us (-1 never), number
--   of the rest, breaker or limit in the way (quota: 0 the block), why (quota: how much of the limit
--   holds now), now in us, 1 for a probe.

local now_us, call, ttl_s = server_now_us(ARGV[1]), ARGV[2], ARGV[3]
local rests, breakers = tonumber(ARGV[4]), tonumber(ARGV[5])
local first_breaker, quota_at = rests + 1, rests + breakers + 1
local breaker_args, quota_args = 6, 6 + PASSING_ARGS * breakers

for i = 1, rests do
  local why = redis.call('GET', KEYS[i])
  if why then return {'key', math.max(1, redis.call('PTTL', KEYS[i])) * 1000, i, why, now_us, 0} end
end

local wait, binding, held = breakers_wait_us(first_breaker, breakers, breaker_args, now_us)
if wait > 0 then return {'breaker', wait, binding, breaker_why(held[binding], now_us), now_us, 0} end

local quota, amount
if KEYS[quota_at] then
  quota = quota_read(quota_at, quota_args, now_us)
  wait, binding, amount = quota_wait_us(quota, now_us)
  if wait ~= 0 then return {'quota', wait, binding, field_of(amount), now_us, 0} end
end
local is_probe = breakers_pass(first_breaker, held, breaker_args, call, ttl_s, now_us)
if quota then quota_take(quota, now_us, is_probe == 1) end
return {'', 0, 0, '', now_us, is_probe}
