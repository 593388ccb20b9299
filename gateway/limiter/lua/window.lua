-- Shared by the scripts of this folder, put before each of them. The reference, with the reasons,
-- is limiter/window.py. A window is a hash: slot number -> what was used in it.

local function slot_of(at_us, slot_us) return math.floor(at_us / slot_us) end

local function field_of(slot) return string.format('%d', slot) end

-- The slots that count now, oldest first, and their sum; those that count no more are dropped.
local function read_window(key, now_us, slot_us, slots)
  local oldest = slot_of(now_us, slot_us) - slots
  local flat, live, gone, sum = redis.call('HGETALL', key), {}, {}, 0
  for i = 1, #flat, 2 do
    local slot, count = tonumber(flat[i]), tonumber(flat[i + 1])
    if slot >= oldest then
      live[#live + 1] = {slot, count}
      sum = sum + count
    else
      gone[#gone + 1] = flat[i]
    end
  end
  table.sort(live, function(a, b) return a[1] < b[1] end)
  return live, sum, gone
end

-- Microseconds until `cost` fits: 0 is now, -1 never.
local function window_wait_us(live, sum, now_us, amount, cost, slot_us, slots)
  if amount == 0 or cost > amount then return -1 end
  local excess = sum + cost - amount
  if excess <= 0 then return 0 end
  for _, entry in ipairs(live) do
    excess = excess - entry[2]
    if excess <= 0 then return (entry[1] + slots + 1) * slot_us - now_us end
  end
  return -1
end

-- Twice the window, so that late settlements still find their slot.
local function keep(key, slot_us, slots)
  redis.call('PEXPIRE', key, math.ceil(2 * slots * slot_us / 1000) + 1000)
end
