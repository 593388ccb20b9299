-- Hold a single-flight lock for longer, if it is still ours.
-- KEYS: 1 the lock.   ARGV: 1 the holder's token, 2 time to live in ms.
-- Reply: 1 when extended, else 0.

if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
