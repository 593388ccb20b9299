-- Shared by all scripts, put before each of them.

local function server_now_us(given)
  if tonumber(given) > 0 then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
