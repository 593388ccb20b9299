-- Give a single-flight lock back, if it is still ours.
-- KEYS: 1 the lock.   ARGV: 1 the holder's token.   Reply: 1 when given back, else 0.

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
