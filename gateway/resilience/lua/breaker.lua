-- Shared by the scripts of this folder, put before each of them. The reference, with the reasons,
-- is resilience/breaker_rules.py. A breaker is a hash:
--   until, trips, reason: open until (us); openings since it was closed; why
--   f:<slot>, s:<slot>: failures and successes of the sliding window
--   p:<call>: when (us) the probe of that call is given back

local SLOTS = 10

local function whole(number) return string.format('%.0f', number) end

local function read_breaker(key)
  local flat, breaker = redis.call('HGETALL', key), {open_until = 0, trips = 0, reason = '',
    failures = {}, successes = {}, probes = {}}
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    local kind, rest = string.sub(name, 1, 2), string.sub(name, 3)
    if name == 'until' then breaker.open_until = tonumber(value)
    elseif name == 'trips' then breaker.trips = tonumber(value)
    elseif name == 'reason' then breaker.reason = value
    elseif kind == 'f:' then breaker.failures[tonumber(rest)] = tonumber(value)
    elseif kind == 's:' then breaker.successes[tonumber(rest)] = tonumber(value)
    elseif kind == 'p:' then breaker.probes[rest] = tonumber(value) end
  end
  return breaker
end

local function is_half_open(breaker, now_us)
  return breaker.open_until > 0 and now_us >= breaker.open_until
end

-- 0 when a call may pass, else us until it is worth asking again.
local function breaker_wait_us(breaker, now_us, probes)
  if not is_half_open(breaker, now_us) then return math.max(0, breaker.open_until - now_us) end
  local held, soonest = 0, nil
  for _, given_back in pairs(breaker.probes) do
    if given_back > now_us then
      held = held + 1
      if not soonest or given_back < soonest then soonest = given_back end
    end
  end
  if held < probes then return 0 end
  return soonest - now_us
end
