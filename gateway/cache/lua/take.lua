-- Look for what is kept; where nothing is, take the single-flight lock in the same trip.
-- KEYS: 1 the lock, and unless nothing can be kept: 2 the marks of what was made void, then where
--   it would be kept.
-- ARGV: 1 the holder's token, 2 time to live in ms.
-- Reply: 1 when the lock is ours now, else 0; the newest mark; what is kept at each place.

local kept, newest = {}, false
if #KEYS > 1 then
  newest = redis.call('HGET', KEYS[2], 'newest')
  kept = redis.call('MGET', unpack(KEYS, 3))
end
local wanted = true
for _, one in ipairs(kept) do
  if one then wanted = false end
end
local is_ours = 0
if wanted and redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then is_ours = 1 end
return {is_ours, newest, kept}
