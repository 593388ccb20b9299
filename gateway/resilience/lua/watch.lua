-- All that is known of one breaker, for people who watch it. Changes nothing.
-- KEYS: 1 the breaker.   ARGV: 1 now in us (0: the server's time), 2 slot in us, 3 most calls looked
--   at, 4 us after which a probe is given back.
-- Reply: now, state, until when it is open or forced (0: it is not), since when it is open (0), openings
--   since it was closed, why, 1 where it is forced, probes under way, and of its window: calls that
--   count, failures, slow answers. Times are in us since 1970.

local now_us, breaker = server_now_us(ARGV[1]), read_breaker(KEYS[1])
local state, until_us, is_forced = 'closed', breaker.open_until, 0
if in_force(breaker, now_us) then
  state, until_us, is_forced = breaker.forced, breaker.forced_until, 1
elseif is_half_open(breaker, now_us) then
  state = 'half_open'
elseif breaker.open_until > 0 then
  state = 'open'
end
local held = 0
for _, given_back in pairs(breaker.probes) do
  if holds_probe(given_back, now_us, tonumber(ARGV[4])) then held = held + 1 end
end
local slot = math.floor(now_us / tonumber(ARGV[2]))
local _, failures, slow, _, total = weighed(breaker, slot, tonumber(ARGV[3]))
return {now_us, state, until_us, breaker.opened, breaker.trips, breaker_why(breaker, now_us), is_forced,
  held, total, failures, slow}
