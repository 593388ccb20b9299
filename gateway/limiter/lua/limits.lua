-- How much of a limit holds now. What is known of a pool beyond its published limits stands in one
-- hash, its state:
--   block           us until which the whole pool rests
--   warm            us at which its rate begins to rise again
--   h:<limit>       "amount until said": what headers or bodies named, trusted until, said at (us)
--   m:<limit>       "amount from since step times at": what was measured. It holds until `since`, then
--                   grows by one each `step` us (0: by success only); `from` is what held before the
--                   lowering at `at`; `times` counts lowerings (0: it was only ever raised)
--   t:<process>     "due expires cost cost ...": who waits first in that process (line.lua)

local STATE_TTL_MS = 40 * 86400000
local UNSAID = 1000000000 -- of a limit that is there, but has not been named yet

local function read_state(key)
  local flat, state = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do state[flat[i]] = flat[i + 1] end
  return state
end

local function write_state(key, field, value)
  redis.call('HSET', key, field, value)
  redis.call('PEXPIRE', key, STATE_TTL_MS)
end

local function blocked_us(state, now_us)
  return math.max(0, tonumber(state.block or 0) - now_us)
end

local function name_of(key) return string.match(key, '[^:]+$') end

local function measured_of(state, name)
  local text = state['m:' .. name]
  if not text then return nil end
  local amount, from, since, step, times, at =
    string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    amount = tonumber(amount), from = tonumber(from), since = tonumber(since),
    step = tonumber(step), times = tonumber(times), at = tonumber(at),
  }
end

local function grown(measured, now_us)
  if measured.step == 0 or now_us <= measured.since then return measured.amount end
  return measured.amount + math.floor((now_us - measured.since) / measured.step)
end

-- {top: never more than this, full: what holds, source, at: when that was learned in us,
--  said, said_at: what a header named, though something measured may hold instead}
local function limit_of(state, name, published, now_us, span)
  local limit = {published = published, top = published, full = published, source = 'published', at = 0}
  local said = not span.is_deaf and state['h:' .. name]
  if said then
    local amount, trusted, at = string.match(said, '^(%d+) (%d+) (%d+)$')
    if tonumber(trusted) > now_us then
      limit.top, limit.full, limit.source, limit.at = tonumber(amount), tonumber(amount), 'headers', tonumber(at)
      limit.said, limit.said_at = limit.full, limit.at
    end
  end
  limit.whole = limit.top
  if span.share < 1 and limit.top > 0 and limit.top < UNSAID then
    limit.top = math.max(1, math.floor(limit.top * span.share))
    limit.full = limit.top
  end
  local measured = measured_of(state, name)
  if measured and (measured.times > 0 or limit.source ~= 'headers') then
    local amount = grown(measured, now_us)
    if amount < limit.top then
      limit.full, limit.source, limit.at = amount, 'measured', measured.at
    end
  elseif span.start and limit.source == 'published' then
    limit.full, limit.source = math.min(span.start, limit.top), 'assumed'
  end
  return limit
end

-- `warm`: {share of the limit to begin with, us until all of it, never less than so many}. While a
-- rate rises, what was let through since it began to is held to that; 0 when `need` more fits.
local function warm_wait_us(state, full, live, now_us, need, span, warm)
  if not span.warms or warm.us == 0 then return 0 end
  local begun = tonumber(state.warm or now_us)
  local past, since, first = math.max(0, now_us - begun), 0, slot_of(span, begun)
  if past >= warm.us then return 0 end
  for _, entry in ipairs(live) do
    if entry[1] >= first then since = since + entry[2] end
  end
  local share = warm.share + (1 - warm.share) * past / warm.us
  if since + need <= math.max(warm.least, math.floor(full * share)) then return 0 end
  local at = math.ceil(((since + need) / full - warm.share) / (1 - warm.share) * warm.us) + 1
  return math.max(1, math.min(at, warm.us) - past)
end

-- Microseconds until `cost` fits behind `ahead` that others wait for: 0 now, -1 never. What fits
-- into the published limit only goes out alone: its cost is a wish that was held to that.
local function limit_wait_us(state, limit, live, sum, now_us, ahead, cost, span, warm)
  if limit.top == 0 or cost > math.max(limit.top, limit.published) then return -1 end
  local amount, need = math.max(limit.full, cost), ahead + cost
  local rounds = 0
  if need > amount then rounds = math.floor((need - 1) / amount) end
  local wait = window_wait_us(live, sum, now_us, amount, need - rounds * amount, span)
  return math.max(
    wait + rounds * span.length_us,
    warm_wait_us(state, limit.full, live, now_us, need, span, warm)
  )
end
