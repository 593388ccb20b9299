-- Tell all breakers of a call how it came out.
-- KEYS: the breakers, all of one provider.
-- ARGV: 1 now in us (0: the server's time), 2 id of the call, 3 time to live of a key in s,
--   4 verdict (success, slow, failure, neutral), 5 reason,
--   then for each breaker: slot in us, minimum of calls, most calls looked at, failure rate, slow
--   rate, cool-down in us, longest, us after which a probe is given back.
-- Reply: 1 when a breaker opened, else 0.

local PER_BREAKER = 8
local now_us, call = server_now_us(ARGV[1]), ARGV[2]
local ttl_s, verdict, reason = ARGV[3], ARGV[4], ARGV[5]
local FIELDS = {failure = 'f', slow = 'w', success = 's'}
local opened = 0

local function rules_at(at)
  return {slot_us = tonumber(ARGV[at]), min_calls = tonumber(ARGV[at + 1]),
    window_calls = tonumber(ARGV[at + 2]), failure_rate = tonumber(ARGV[at + 3]),
    slow_rate = tonumber(ARGV[at + 4]), cooldown_us = tonumber(ARGV[at + 5]),
    longest_us = tonumber(ARGV[at + 6]), probe_ttl_us = tonumber(ARGV[at + 7])}
end

local function open(key, breaker, rules)
  local trips = breaker.trips + 1
  local rest_us = math.min(rules.longest_us, rules.cooldown_us * 2 ^ math.min(trips - 1, 30))
  redis.call('DEL', key)
  redis.call('HSET', key, 'until', whole(now_us + rest_us), 'opened', whole(now_us),
    'trips', trips, 'reason', reason)
  opened = 1
end

local function forget_others(key, breaker, slot)
  for one in pairs(breaker.counts) do
    if one <= slot - SLOTS or one > slot then
      for _, name in pairs(FIELDS) do redis.call('HDEL', key, name .. ':' .. whole(one)) end
    end
  end
end

local function is_reached(breaker, slot, rules)
  local failures, slow, total = 0, 0, 0
  for one = slot, slot - SLOTS + 1, -1 do
    local counted = breaker.counts[one] or {f = 0, w = 0, s = 0}
    failures, slow = failures + counted.f, slow + counted.w
    total = total + counted.f + counted.w + counted.s
    if total >= rules.window_calls then break end
  end
  return total >= rules.min_calls
    and (failures >= rules.failure_rate * total or slow >= rules.slow_rate * total)
end

local function count(key, breaker, rules)
  local slot, name = math.floor(now_us / rules.slot_us), FIELDS[verdict]
  breaker.counts[slot] = breaker.counts[slot] or {f = 0, w = 0, s = 0}
  breaker.counts[slot][name] = redis.call('HINCRBY', key, name .. ':' .. whole(slot), 1)
  forget_others(key, breaker, slot)
  if verdict ~= 'success' and is_reached(breaker, slot, rules) then open(key, breaker, rules) end
end

local function judge(key, breaker, rules)
  local was_probe = holds_probe(breaker.probes[call], now_us, rules.probe_ttl_us)
  if breaker.probes[call] then redis.call('HDEL', key, 'p:' .. call) end
  if in_force(breaker, now_us) then return end  -- and it lives as long as it was told to
  if verdict ~= 'neutral' then
    if was_probe and verdict ~= 'success' then open(key, breaker, rules)
    elseif was_probe then redis.call('DEL', key)
    elseif breaker.open_until == 0 then count(key, breaker, rules) end
  end
  if redis.call('EXISTS', key) == 1 then redis.call('EXPIRE', key, ttl_s) end
end

for i = 1, #KEYS do
  judge(KEYS[i], read_breaker(KEYS[i]), rules_at(6 + (i - 1) * PER_BREAKER))
end
return opened
