-- Look at one breaker without passing.
-- KEYS: 1 the breaker.   ARGV: 1 now in us (0: the server's time).
-- Reply: open until in us from now (0: closed; negative: half-open since), trips, reason.

local now_us, breaker = server_now_us(ARGV[1]), read_breaker(KEYS[1])
if breaker.open_until == 0 then return {0, 0, ''} end
local left = breaker.open_until - now_us
if left == 0 then left = -1 end
return {left, breaker.trips, breaker.reason}
