-- All that is known of a quota, for people who watch it. Takes nothing, changes nothing.
-- KEYS and ARGV: as in peek.lua.
-- Reply: now, until when the pool rests (0: it does not), when its rate began to rise (0: never did),
--   processes in which somebody waits, since when the first does (0: nobody), then for each window:
--   amount that holds, how it is known, when that was learned (0: it was not), amount that a header
--   named (-1: none did), when, used, us until one more unit fits (0 now, -1 never), when all of it is
--   free again (0: it is), used lately, since when that counts (0: not told of windows shorter than
--   an hour). Times are in us since 1970.

local LATELY_US = 3600000000

local now_us = server_now_us(ARGV[1])
local warm = {share = tonumber(ARGV[2]), us = tonumber(ARGV[3]), least = tonumber(ARGV[4])}
local state = read_state(KEYS[1])
local waiting, first_us = 0, 0
for field, text in pairs(state) do
  if string.sub(field, 1, 2) == 't:' then
    local due, expires = string.match(text, '^(%d+) (%d+)')
    if tonumber(expires) > now_us then
      waiting = waiting + 1
      if first_us == 0 or tonumber(due) < first_us then first_us = tonumber(due) end
    end
  end
end

-- The last hour, or what is kept of it; in a provider's day all of it, for it is counted as one.
local function first_late_slot(span)
  if span.edges then return slot_of(span, now_us) end
  if span.length_us < LATELY_US then return nil end
  local slots = math.max(2, math.ceil(LATELY_US / span.slot_us))
  return slot_of(span, now_us) - math.min(slots, span.slots) + 1
end

local reply = {now_us, tonumber(state.block or 0), tonumber(state.warm or 0), waiting, first_us}
if reply[2] <= now_us then reply[2] = 0 end
for i = 2, #KEYS do
  local at = 5 + (i - 2) * 2
  local span = span_of(ARGV[at + 1])
  local limit = limit_of(state, name_of(KEYS[i]), tonumber(ARGV[at]), now_us, span)
  local live, sum = read_window(KEYS[i], now_us, span)
  local free_us, late, since_us, first = 0, 0, 0, first_late_slot(span)
  if #live > 0 then free_us = frees_at_us(span, live[#live][1]) end
  if first then
    since_us = span.edges and first * 1000000 or first * span.slot_us
    for _, entry in ipairs(live) do
      if entry[1] >= first then late = late + entry[2] end
    end
  end
  local wait = limit_wait_us(state, limit, live, sum, now_us, 0, 1, span, warm)
  local found = {limit.full, limit.source, limit.at, limit.said or -1, limit.said and limit.said_at or 0,
    sum, wait, free_us, late, since_us}
  for _, one in ipairs(found) do reply[#reply + 1] = one end
end
return reply
