-- Breakers in a script's KEYS: `count` of them from `first` on. ARGV holds for each, from `args` on:
-- probes let through at once, us after which a probe is given back.

local function probe_args(args, i)
  return tonumber(ARGV[args + (i - 1) * 2]), tonumber(ARGV[args + (i - 1) * 2 + 1])
end

-- Microseconds until all let a call pass, number of the one in the way, all as they are.
local function breakers_wait_us(first, count, args, now_us)
  local breakers, worst, binding = {}, 0, 0
  for i = 1, count do
    breakers[i] = read_breaker(KEYS[first + i - 1])
    local wait = breaker_wait_us(breakers[i], now_us, probe_args(args, i))
    if wait > worst then worst, binding = wait, i end
  end
  return worst, binding, breakers
end

-- 1 when the call passes as a probe of one of them, else 0.
local function breakers_pass(first, breakers, args, call, ttl_s, now_us)
  local is_probe = 0
  for i, breaker in ipairs(breakers) do
    local key, _, probe_ttl_us = KEYS[first + i - 1], probe_args(args, i)
    for other, given_back in pairs(breaker.probes) do
      if not holds_probe(given_back, now_us, probe_ttl_us) then
        redis.call('HDEL', key, 'p:' .. other)
      end
    end
    if is_half_open(breaker, now_us) then
      redis.call('HSET', key, 'p:' .. call, whole(now_us + probe_ttl_us))
      redis.call('EXPIRE', key, ttl_s)
      is_probe = 1
    end
  end
  return is_probe
end
