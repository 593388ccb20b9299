-- Put one policy in the place of another, unless somebody else was quicker.
-- KEYS: 1 the published policy. ARGV: 1 what is there as far as is known ('' nothing), 2 what comes.
-- Reply: 1 it is published, 0 something else was there.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
