-- Look at one breaker without passing.
-- KEYS: 1 the breaker.   ARGV: 1 now in us (0: the server's time), 2 probes let through at once,
--   3 us after which a probe is given back.
-- Reply: state, us until it opens again or is no longer forced, trips, reason, 1 where it is forced,
--   1 where all its probes are under way.

local now_us, breaker = server_now_us(ARGV[1]), read_breaker(KEYS[1])
local forced = in_force(breaker, now_us)
if forced then
  return {forced, breaker.forced_until - now_us, breaker.trips, breaker.forced_reason, 1, 0}
end
if breaker.open_until == 0 then return {'closed', 0, 0, '', 0, 0} end
if is_half_open(breaker, now_us) then
  local wait_us = breaker_wait_us(breaker, now_us, tonumber(ARGV[2]), tonumber(ARGV[3]))
  return {'half_open', 0, breaker.trips, breaker.reason, 0, wait_us > 0 and 1 or 0}
end
return {'open', breaker.open_until - now_us, breaker.trips, breaker.reason, 0, 0}
