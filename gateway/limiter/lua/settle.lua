-- Put the real usage in place of the estimate, and note what the provider said or did.
-- KEYS: 1 the pool's state, then one window each.
-- ARGV: 1 now in us (0: the server's time), 2 when the reservation was made in us,
--   3 block the pool for so many us (0: do not),
--   4 whether it was refused: 0 no, else the number of the limit it broke, -1 not known which,
--   5 whether it was answered (1), 6 what a refusal leaves of a limit, at least (fraction), 7 no
--   limit falls below this (fraction), 8 growth per window (fraction), 9 windows before it grows,
--   10 us for which a limit that was said is trusted,
--   then for each window: amount, cost, difference, span, remaining (-1: not said), reset in us
--   (-1: not said), limit (-1: not said).
-- Reply: now in us.

local HEAD, PER_WINDOW, HOUR_US = 10, 7, 3600000000

local now_us = server_now_us(ARGV[1])
local reserved_us, block_us = tonumber(ARGV[2]), tonumber(ARGV[3])
local refused, is_answered = tonumber(ARGV[4]), ARGV[5] == '1'
local keeps, least, growth = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local holds, trust_us = tonumber(ARGV[9]), tonumber(ARGV[10])
local state = read_state(KEYS[1])

local function block()
  local block_until = now_us + block_us
  if block_until <= tonumber(state.block or 0) then return end
  write_state(KEYS[1], 'block', field_of(block_until))
  write_state(KEYS[1], 'warm', field_of(block_until))
end

local function give_back(key, slot, amount)
  local held = tonumber(redis.call('HGET', key, field_of(slot)) or 0)
  if held > amount then
    redis.call('HINCRBY', key, field_of(slot), -amount)
  else
    redis.call('HDEL', key, field_of(slot))
  end
end

-- Written anew when it changes or ages, not with every answer.
local function note_limit(window)
  local amount, trusted = string.match(state['h:' .. window.name] or '', '^(%d+) (%d+)')
  if tonumber(amount) == window.said and tonumber(trusted) - now_us > 0.9 * trust_us then return end
  local text = table.concat({window.said, field_of(now_us + trust_us), field_of(now_us)}, ' ')
  state['h:' .. window.name] = text
  write_state(KEYS[1], 'h:' .. window.name, text)
end

local function note_remaining(window)
  local _, sum = read_window(window.key, now_us, window.span)
  local amount = window.said > 0 and window.said or window.limit.whole
  local missing = amount - window.remaining - sum
  if missing <= 0 then return end
  local slot = slot_of(window.span, now_us)
  if window.reset_us >= 0 and not window.span.edges then
    local dated = slot_of(window.span, now_us + window.reset_us - window.span.length_us)
    slot = math.min(slot, math.max(slot - window.span.slots, dated))
  end
  redis.call('HINCRBY', window.key, field_of(slot), missing)
end

local function write_measured(window, m)
  local words = {m.amount, m.from, m.since, m.step, m.times, m.at}
  for i, word in ipairs(words) do words[i] = field_of(word) end
  write_state(KEYS[1], 'm:' .. window.name, table.concat(words, ' '))
end

-- A refusal that nothing explains: what was let through before it is what there is. Calls that were
-- under way already when that was learned lower it no further than once.
local function lower(window, sum)
  local before = measured_of(state, window.name)
  local is_same = before and before.times > 0 and reserved_us <= before.at
  local full, from = window.limit.full, nil
  if is_same then
    from = before.from
  else -- with little let through, its count tells nothing
    from = (sum >= full * keeps or full >= UNSAID) and math.min(full, sum) or full
  end
  local floor = window.limit.top < UNSAID and math.floor(window.limit.top * least) or 0
  local lowest = math.max(1, floor, math.floor(from * keeps))
  local held = is_same and before.amount or math.min(from, sum)
  local amount = math.max(math.min(lowest, from), held - window.cost)
  local times = 1
  if is_same then
    times = before.times
  elseif before and before.times > 0 then
    -- Refused while it grew: it is tried again more rarely.
    times = math.min(5, before.times + (now_us > before.since and 1 or 0))
  end
  local length_us = window.span.length_us
  local hold_us = math.min(holds * 2 ^ (times - 1) * length_us, math.max(length_us, HOUR_US))
  write_measured(window, {
    amount = amount, from = from, since = now_us + hold_us,
    step = math.max(1, length_us / math.max(0.2, growth * amount)), times = times,
    at = is_same and before.at or now_us,
  })
end

-- An unknown limit grows with what it lets through, until something is refused.
local function raise(window, sum)
  local before = measured_of(state, window.name)
  if not window.span.start or window.limit.source == 'headers' or (before and before.times > 0) then return end
  if 2 * sum < window.limit.full or window.limit.full >= window.limit.top then return end
  local amount = window.limit.full + 1
  write_measured(window, {amount = amount, from = amount, since = now_us, step = 0, times = 0, at = now_us})
end

-- The fullest of the windows of a minute or less; of the others where there are none such.
local function most_likely(windows)
  local found, share, is_short
  for _, window in ipairs(windows) do
    local fill = window.sum / math.max(1, window.limit.full)
    local short = window.span.length_us <= 60000000
    if not found or (short and not is_short) or (short == is_short and fill > share) then
      found, share, is_short = window, fill, short
    end
  end
  return found
end

if block_us > 0 then block() end

local windows = {}
for i = 2, #KEYS do
  local at = HEAD + 1 + (i - 2) * PER_WINDOW
  local span, name = span_of(ARGV[at + 3]), name_of(KEYS[i])
  local window = {
    key = KEYS[i], name = name, span = span, cost = tonumber(ARGV[at + 1]),
    difference = tonumber(ARGV[at + 2]), remaining = tonumber(ARGV[at + 4]),
    reset_us = tonumber(ARGV[at + 5]), said = tonumber(ARGV[at + 6]),
  }
  if window.said > 0 then note_limit(window) end
  window.limit = limit_of(state, name, tonumber(ARGV[at]), now_us, span)
  windows[i - 1] = window
end

if refused ~= 0 or is_answered then
  for _, window in ipairs(windows) do
    if refused ~= 0 or window.span.start then
      local _, sum = read_window(window.key, now_us, window.span)
      window.sum = sum
      if is_answered then raise(window, sum) end
    end
  end
  local broken = windows[refused]
  if refused == -1 and #windows > 0 then broken = most_likely(windows) end
  if broken then lower(broken, broken.sum) end
end

for _, window in ipairs(windows) do
  local difference = window.difference
  if difference < 0 then
    give_back(window.key, slot_of(window.span, reserved_us), -difference)
  elseif difference > 0 then
    redis.call('HINCRBY', window.key, field_of(slot_of(window.span, now_us)), difference)
  end
  if window.remaining >= 0 then note_remaining(window) end
  if redis.call('EXISTS', window.key) == 1 then keep(window.key, window.span) end
end
return now_us
