-- Force a breaker open or closed for a time.
-- KEYS: 1 the breaker.
-- ARGV: 1 now in us (0: the server's time), 2 open or closed, 3 for how long in us, 4 why,
--   5 time to live of a breaker in s.
-- Reply: until when, in us.

local until_us = server_now_us(ARGV[1]) + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'forced', ARGV[2], 'forced_until', string.format('%.0f', until_us),
  'forced_reason', ARGV[4])
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[3]) / 1000000) + tonumber(ARGV[5]))
return until_us
