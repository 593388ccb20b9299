-- Breakers in a script's KEYS: `count` of them from `first` on. ARGV holds for each, from `args` on:
-- probes let through at once, us after which a probe is given back, slot in us.

local PASSING_ARGS = 3

local function probe_args(args, i)
  local at = args + (i - 1) * PASSING_ARGS
  return tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
end

-- Microseconds until all let a call pass, number of the one in the way, all as they are.
local function breakers_wait_us(first, count, args, now_us)
  local breakers, worst, binding = {}, 0, 0
  for i = 1, count do
    breakers[i] = read_breaker(KEYS[first + i - 1])
    local probes, probe_ttl_us = probe_args(args, i)
    local wait = breaker_wait_us(breakers[i], now_us, probes, probe_ttl_us)
    if wait > worst then worst, binding = wait, i end
  end
  return worst, binding, breakers
end

-- 1 when the call passes as a probe of one of them, else 0.
local function breakers_pass(first, breakers, args, call, ttl_s, now_us)
  local is_probe = 0
  for i, breaker in ipairs(breakers) do
    local key, _, probe_ttl_us, slot_us = KEYS[first + i - 1], probe_args(args, i)
    for other, given_back in pairs(breaker.probes) do
      if not holds_probe(given_back, now_us, probe_ttl_us) then
        redis.call('HDEL', key, 'p:' .. other)
      end
    end
    if is_half_open(breaker, now_us) then
      redis.call('HSET', key, 'p:' .. call, whole(now_us + probe_ttl_us))
      redis.call('EXPIRE', key, ttl_s)
      is_probe = 1
    elseif breaker.open_until == 0 and not in_force(breaker, now_us) then
      count_one(key, breaker, 'e', now_us, slot_us)
      redis.call('EXPIRE', key, ttl_s)
    end
  end
  return is_probe
end
