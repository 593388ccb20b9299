-- Shared by the scripts of this folder, put before each of them. The reference, with the reasons,
-- is resilience/breaker_rules.py. A breaker is a hash:
--   until, opened, trips, reason: open until, since (us); openings since it was closed; why
--   e:<slot>: calls of the sliding window that entered; f:<slot>, w:<slot>, s:<slot>, n:<slot>:
--   failures, slow answers, successes and neutral ends of it
--   run: failures since the last answer
--   p:<call>: when (us) the probe of that call is given back
--   forced, forced_until, forced_reason: by a person: open or closed, until (us), why

local SLOTS, PROBED_US = 10, 1000000

local function whole(number) return string.format('%.0f', number) end

local function read_breaker(key)
  local flat, breaker = redis.call('HGETALL', key), {open_until = 0, opened = 0, trips = 0,
    run = 0, reason = '', counts = {}, probes = {}, forced_until = 0, forced_reason = ''}
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    local kind, rest = string.sub(name, 1, 2), string.sub(name, 3)
    if name == 'until' then breaker.open_until = tonumber(value)
    elseif name == 'opened' then breaker.opened = tonumber(value)
    elseif name == 'trips' then breaker.trips = tonumber(value)
    elseif name == 'run' then breaker.run = tonumber(value)
    elseif name == 'reason' then breaker.reason = value
    elseif name == 'forced' then breaker.forced = value
    elseif name == 'forced_until' then breaker.forced_until = tonumber(value)
    elseif name == 'forced_reason' then breaker.forced_reason = value
    elseif kind == 'p:' then breaker.probes[rest] = tonumber(value)
    elseif string.find(kind, '^[efwsn]:') then
      local slot = tonumber(rest)
      breaker.counts[slot] = breaker.counts[slot] or {e = 0, f = 0, w = 0, s = 0, n = 0}
      breaker.counts[slot][string.sub(kind, 1, 1)] = tonumber(value)
    end
  end
  return breaker
end

-- 'open' or 'closed' while a person says so, else nil.
local function in_force(breaker, now_us)
  if breaker.forced and now_us < breaker.forced_until then return breaker.forced end
end

local function is_half_open(breaker, now_us)
  return not in_force(breaker, now_us) and breaker.open_until > 0
    and (now_us >= breaker.open_until or now_us < breaker.opened)
end

local function breaker_why(breaker, now_us)
  if in_force(breaker, now_us) then return breaker.forced_reason end
  return breaker.reason
end

-- A later end than this is of a clock that was set back.
local function holds_probe(given_back, now_us, probe_ttl_us)
  return given_back ~= nil and now_us < given_back and given_back <= now_us + probe_ttl_us
end

-- 0 when a call may pass, else us until it is worth asking again.
local function breaker_wait_us(breaker, now_us, probes, probe_ttl_us)
  local forced = in_force(breaker, now_us)
  if forced == 'closed' then return 0 end
  if forced then return breaker.forced_until - now_us end
  if not is_half_open(breaker, now_us) then return math.max(0, breaker.open_until - now_us) end
  local held, soonest = 0, nil
  for _, given_back in pairs(breaker.probes) do
    if holds_probe(given_back, now_us, probe_ttl_us) then
      held = held + 1
      if not soonest or given_back < soonest then soonest = given_back end
    end
  end
  if held < probes then return 0 end
  return math.min(soonest - now_us, PROBED_US)
end

-- What the window weighs: calls that entered, failed, were slow, ended, and how many count in all; the
-- neutral ones left out. It ends where it holds enough of them.
local function weighed(breaker, slot, most)
  local entered, failures, slow, ended, total = 0, 0, 0, 0, 0
  for one = slot, slot - SLOTS + 1, -1 do
    local counted = breaker.counts[one]
    if counted then
      entered = entered + counted.e - counted.n
      failures, slow = failures + counted.f, slow + counted.w
      ended = ended + counted.f + counted.w + counted.s
      total = math.max(entered, ended)
    end
    if total >= most then break end
  end
  return entered, failures, slow, ended, total
end

-- A change of state, told in the moment in which it happens, so that none is lost. It is rare: a call
-- that changes nothing pays nothing for it.
local STORY_LENGTH, STORY_S = 1000, 604800

local function tell(story, key, state, until_us, trips, reason, by)
  redis.call('XADD', story, 'MAXLEN', '~', STORY_LENGTH, '*', 'breaker', key, 'state', state,
    'until', whole(until_us), 'trips', trips, 'reason', reason, 'by', by)
  redis.call('EXPIRE', story, STORY_S)
end

-- One more in the slot of now, of what `kind` names; what is not in the window is forgotten.
local function count_one(key, breaker, kind, now_us, slot_us)
  local slot = math.floor(now_us / slot_us)
  for one, counted in pairs(breaker.counts) do
    if one <= slot - SLOTS or one > slot then
      for name in pairs(counted) do redis.call('HDEL', key, name .. ':' .. whole(one)) end
    end
  end
  breaker.counts[slot] = breaker.counts[slot] or {e = 0, f = 0, w = 0, s = 0, n = 0}
  breaker.counts[slot][kind] = redis.call('HINCRBY', key, kind .. ':' .. whole(slot), 1)
  return slot
end
