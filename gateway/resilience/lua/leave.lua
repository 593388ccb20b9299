-- Tell all breakers of a call how it came out.
-- KEYS: the breakers, all of one provider, and at last that provider's story.
-- ARGV: 1 now in us (0: the server's time), 2 id of the call, 3 time to live of a key in s,
--   4 verdict (success, slow, failure, neutral), 5 reason,
--   then for each breaker: slot in us, minimum of calls, most calls looked at, failure rate, slow
--   rate, cool-down in us, longest, us after which a probe is given back.
-- Reply: 1 when a breaker opened, else 0.

local PER_BREAKER = 8
local now_us, call = server_now_us(ARGV[1]), ARGV[2]
local ttl_s, verdict, reason = ARGV[3], ARGV[4], ARGV[5]
local FIELDS = {failure = 'f', slow = 'w', success = 's', neutral = 'n'}
local story, opened = KEYS[#KEYS], 0

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
  tell(story, key, 'open', now_us + rest_us, trips, reason, '')
  opened = 1
end

-- Failures are weighed against the calls that entered, less those that ended neutrally.
local function is_reached(breaker, slot, rules)
  local entered, failures, slow, ended, total = weighed(breaker, slot, rules.window_calls)
  local least, beyond = rules.min_calls, total - rules.min_calls
  if breaker.run >= 2 * (least + math.max(0, entered - ended)) then return true end
  return beyond >= 0
    and (failures - least >= rules.failure_rate * beyond or slow - least >= rules.slow_rate * beyond)
end

local function count(key, breaker, rules)
  local slot = count_one(key, breaker, FIELDS[verdict], now_us, rules.slot_us)
  if verdict == 'failure' then
    breaker.run = redis.call('HINCRBY', key, 'run', 1)
  elseif verdict ~= 'neutral' and breaker.run > 0 then
    breaker.run = 0
    redis.call('HDEL', key, 'run')
  end
  if verdict ~= 'failure' and verdict ~= 'slow' then return end
  if is_reached(breaker, slot, rules) then open(key, breaker, rules) end
end

local function judge(key, breaker, rules)
  local was_probe = holds_probe(breaker.probes[call], now_us, rules.probe_ttl_us)
  if breaker.probes[call] then redis.call('HDEL', key, 'p:' .. call) end
  if in_force(breaker, now_us) then return end  -- and it lives as long as it was told to
  if was_probe and verdict == 'success' then
    redis.call('DEL', key)
    tell(story, key, 'closed', 0, 0, '', '')
  elseif was_probe and verdict ~= 'neutral' then open(key, breaker, rules)
  elseif not was_probe and breaker.open_until == 0 then count(key, breaker, rules) end
  if redis.call('EXISTS', key) == 1 then redis.call('EXPIRE', key, ttl_s) end
end

for i = 1, #KEYS - 1 do
  judge(KEYS[i], read_breaker(KEYS[i]), rules_at(6 + (i - 1) * PER_BREAKER))
end
return opened
