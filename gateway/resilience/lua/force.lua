-- Force a breaker open or closed for a time.
-- KEYS: 1 the breaker, 2 its provider's story.
-- ARGV: 1 now in us (0: the server's time), 2 open or closed, 3 for how long in us, 4 why,
--   5 time to live of a breaker in s, 6 by whom.
-- Reply: until when, in us.

local until_us = server_now_us(ARGV[1]) + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'forced', ARGV[2], 'forced_until', whole(until_us), 'forced_reason', ARGV[4])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3]) / 1000000) + tonumber(ARGV[5]))
tell(KEYS[2], KEYS[1], 'forced_' .. ARGV[2], until_us, 0, ARGV[4], ARGV[6])
return until_us
