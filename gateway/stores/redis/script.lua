-- Carries out the operations of one observation (or, in a cluster, of one of its buckets) in one call. Mirrors memory.py: the same operations at the
-- same times get the same answers. redis_wire.py packs what goes in and reads what comes out.
--
-- KEYS[1]    the scope's epoch: since when what is counted here has been kept
-- KEYS[i+1]  the key of operation i
-- ARGV[1]    header: time to count by (us; negative: this server's own), the epoch the caller knows (0: none), flags (1: dry, 2: a fail-over was
--            noticed); then for each operation one letter and 8 bytes: H member's tag, h nothing, L nothing, S seconds to live and length of the
--            value (4 bytes each), then the value,
--            B nothing, R nothing, A seconds to live and length of what follows (4 bytes each), then for each field its length (2), number (4) and name
-- Answer     header: time counted by (us), epoch, 1 where state was lost within the last hour; then for a Hit the four counts (4 bytes each) and the
--            four distinct counts (1 byte each), for a Seal or Look when it was bound (us), count (0: nothing bound), length and value; for a Beat
--            intervals (4 bytes), their sum, the sum of their squares and the last one (ms, doubles); for Sums how many fields (4 bytes), then of each
--            the length of its name (2), its sum (a double) and its name; for an Add nothing
--
-- A row of a key seen once: minute (4 bytes), member's tag (8 bytes, or none). Else: minute last seen, current and previous count of each window,
-- distinct members of each window, marks. A mark is a member's tag and the minute in which it was last seen, in that order, at most 64. Bucket edges
-- lie on whole minutes, so nothing finer than minutes is kept. A seal: until, first at (us), count, value.

local ROW, COUNTED, FIXED = "<IIIIIIIIIBBBB", "<IIIIBBBB", 40
local MARK, MARKS, CAP, COUNT_CAP = 12, 768, 64, 100000000
local DAY_US, DAY_MIN, HOUR_US = 86400000000, 1440, 3600000000
local EPOCH_MS = "8640000000"  -- 100 days: longer than anything that is counted or sealed

local KEYS, ARGV, spread = KEYS, ARGV, unpack
local call, byte, sub, find, format = redis.call, string.byte, string.sub, string.find, string.format
local pack, unpack, floor = struct.pack, struct.unpack, math.floor

local blob = ARGV[1]
local now, known, flags = unpack("<ddB", blob)
local time = call("TIME")
local server = time[1] * 1000000 + time[2]
local grace = 0
if now < 0 then
  now = server
else
  grace = 3600000  -- a made-up time may stand still while the server's runs on
end
local dry, failed = flags % 2 == 1, flags >= 2

-- All rows are read at once. What this call writes is noted, since an observation may touch a key twice; a dry run keeps what it would have written.
local held, written = call("MGET", spread(KEYS)), {}

-- keep: milliseconds as text (cheaper than turning numbers into text within redis.call), nil: as long as the row before.
local function put(key, row, keep)
  if dry then
    written[key] = row
    return
  end
  written[key] = true
  if keep then
    call("SET", key, row, "PX", keep)
  else
    call("SET", key, row, "KEEPTTL")
  end
end

-- Overwrites part of a row in place, which costs half of what SET costs.
local function patch(key, row, from, part)
  if dry then
    written[key] = sub(row, 1, from) .. part .. sub(row, from + #part + 1)
    return
  end
  written[key] = true
  call("SETRANGE", key, from == 0 and "0" or "16", part)
end

-- The epoch. A caller that knows another one than there is says so to all others, by the mark of loss.
local made, renewed, lost = 0, 0, 0
do
  local row, write = held[1], false
  if row then
    made, renewed, lost = unpack("<ddB", row)
  end
  if not row or (failed and made == known) then
    made, lost, write = server, known > 0 and 1 or 0, true
  elseif known > 0 and made ~= known and lost == 0 then
    lost, write = 1, true
  end
  if (write or server - renewed > DAY_US) and not dry then
    call("SET", KEYS[1], pack("<ddB", made, server, lost), "PX", EPOCH_MS)
  end
  if server - made > HOUR_US then
    lost = 0
  end
end

-- All in minutes: where the buckets of the windows start (s), where the ones before did (b); r is what is left of the buckets, in milliseconds.
local ms, minute, s1, s2, s3, b0, b1, b2, b3, r0, r1, r2, r3, keep
local function stand_at(at)
  ms = at
  minute = floor(ms / 60000)
  s1, s2, s3 = minute - minute % 10, minute - minute % 60, minute - minute % DAY_MIN
  b0, b1, b2, b3 = minute - 1, s1 - 10, s2 - 60, s3 - DAY_MIN
  r0, r1, r2, r3 = (minute + 1) * 60000 - ms, (s1 + 10) * 60000 - ms, (s2 + 60) * 60000 - ms, (s3 + DAY_MIN) * 60000 - ms
  keep = format("%.0f", (s3 + 2 * DAY_MIN) * 60000 - ms + grace)
end
local present = floor(now / 1000)
stand_at(present)

-- How many of the first n marks are older than the minute.
local function older(marks, n, than)
  local low = 0
  while low < n do
    local middle = floor((low + n) / 2)
    if unpack(">I", marks, middle * MARK + 9) < than then
      low = middle + 1
    else
      n = middle
    end
  end
  return low
end

local FIRST, FIRST_BARE = pack(COUNTED, 1, 1, 1, 1, 1, 1, 1, 1), pack(COUNTED, 1, 1, 1, 1, 0, 0, 0, 0)

local function hit(key, row, tag, mark)
  local last = row and unpack("<I", row)
  if last and last > minute then  -- the server's clock fell back: it stands still for this key, or starts afresh after a day
    if last - minute > DAY_MIN then
      row = false
    else
      stand_at(last * 60000)
      mark = tag and tag .. pack(">I", minute)
    end
  end
  if not row then
    if tag then
      put(key, pack("<I", minute) .. tag, keep)
      return FIRST
    end
    put(key, pack("<I", minute), keep)
    return FIRST_BARE
  end
  local c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3, marks
  if #row < FIXED then
    c0, p0, c1, p1, c2, p2, c3, p3 = 1, 0, 1, 0, 1, 0, 1, 0
    if #row > 4 then
      d0, d1, d2, d3, marks = 1, 1, 1, 1, sub(row, 5) .. pack(">I", last)
    else
      d0, d1, d2, d3, marks = 0, 0, 0, 0, ""
    end
  else
    last, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3 = unpack(ROW, row)
    marks = sub(row, FIXED + 1)
  end
  if last >= minute then
    c0, c1, c2, c3 = c0 + 1, c1 + 1, c2 + 1, c3 + 1
  else
    p0, c0 = last >= b0 and c0 or 0, 1
    if last >= s1 then c1 = c1 + 1 else p1, c1 = last >= b1 and c1 or 0, 1 end
    if last >= s2 then c2 = c2 + 1 else p2, c2 = last >= b2 and c2 or 0, 1 end
    if last >= s3 then c3 = c3 + 1 else p3, c3 = last >= b3 and c3 or 0, 1 end
    local n = #marks / MARK
    local gone = older(marks, n, b0)
    d0 = n - gone
    gone = older(marks, gone, b1)
    d1 = n - gone
    gone = older(marks, gone, b2)
    d2 = n - gone
    d3 = n - older(marks, gone, b3)
  end
  local same = not tag or sub(marks, -MARK) == mark
  if not same then
    local at = find(marks, tag, 1, true)
    while at and at % MARK ~= 1 do  -- found across two neighbours
      at = find(marks, tag, at + 1, true)
    end
    if at then
      local seen = unpack(">I", marks, at + 8)
      marks = sub(marks, 1, at - 1) .. sub(marks, at + MARK) .. mark
      if seen < b0 then d0 = d0 + 1 end
      if seen < b1 then d1 = d1 + 1 end
      if seen < b2 then d2 = d2 + 1 end
      if seen < b3 then d3 = d3 + 1 end
    else
      marks = sub(marks .. mark, -MARKS)
      d0, d1, d2, d3 = d0 + 1, d1 + 1, d2 + 1, d3 + 1
      if d3 > CAP then
        d3 = CAP
        if d2 > CAP then d2 = CAP end
        if d1 > CAP then d1 = CAP end
        if d0 > CAP then d0 = CAP end
      end
    end
  end
  if c3 > COUNT_CAP then  -- the longest window counts most
    c3 = COUNT_CAP
    if c2 > COUNT_CAP then c2 = COUNT_CAP end
    if c1 > COUNT_CAP then c1 = COUNT_CAP end
    if c0 > COUNT_CAP then c0 = COUNT_CAP end
  end
  local fixed = pack(ROW, minute, c0, p0, c1, p1, c2, p2, c3, p3, d0, d1, d2, d3)
  if last < s3 then
    put(key, fixed .. marks, keep)
  elseif same and #row >= FIXED then
    patch(key, row, 0, fixed)
  else
    put(key, fixed .. marks)
  end
  return pack(
    COUNTED,
    c0 + floor((p0 * r0 + 30000) / 60000),
    c1 + floor((p1 * r1 + 300000) / 600000),
    c2 + floor((p2 * r2 + 1800000) / 3600000),
    c3 + floor((p3 * r3 + 43200000) / 86400000),
    d0, d1, d2, d3
  )
end

local NOTHING = pack("<dII", 0, 0, 0)

-- ttl in seconds and the value to bind; nil: only look.
local function bound(key, row, ttl, value)
  if row then
    local till, first, count = unpack("<ddI", row)
    if till > now and first - now <= DAY_US then
      local found = sub(row, 21)
      if ttl then
        if count < COUNT_CAP then count = count + 1 end
        patch(key, row, 16, pack("<I", count))
      end
      return pack("<dII", first, count, #found) .. found
    end
  end
  if not ttl then
    return NOTHING
  end
  put(key, pack("<ddI", now + ttl * 1000000, now, 1) .. value, format("%.0f", ttl * 1000 + 1 + grace))
  return pack("<dII", now, 1, #value) .. value
end

-- Intervals between events, those of over half an hour left out, at most 1000.
local BEAT, BEAT_KEEP, PAUSE, BEATS_CAP = "<dIdd", 86400000, 1800000, 1000
local BEAT_KEEP_TEXT = format("%.0f", BEAT_KEEP + grace)

local function beat(key, row)
  local count, total, squares, since, last = 0, 0, 0, -1, present
  if row then
    last, count, total, squares = unpack(BEAT, row)
    since = present - last
    if since < -BEAT_KEEP then  -- the server's clock fell back by more than a day
      since, last = BEAT_KEEP, present
    elseif since < 0 then
      since = 0
    else
      last = present
    end
    if since >= BEAT_KEEP then
      count, total, squares, since = 0, 0, 0, -1
    elseif since <= PAUSE and count < BEATS_CAP then
      count, total, squares = count + 1, total + since, squares + since * since
    end
  end
  put(key, pack(BEAT, last, count, total, squares), BEAT_KEEP_TEXT)
  return pack("<Iddd", count, total, squares, since)
end

-- Sums by field, in a hash. A full one takes no new fields.
local FIELDS_CAP = 256

local function add(key, ttl, from, till)
  if dry then
    return ""
  end
  local fields = call("HLEN", key)
  if fields == 0 then
    call("HSET", key, "", format("%.0f", now + ttl * 1000000))
    call("PEXPIRE", key, format("%.0f", ttl * 1000 + grace))
  else
    local ends = tonumber(call("HGET", key, ""))
    fields = fields - 1
    if ends <= now then
      call("DEL", key)
      return add(key, ttl, from, till)
    end
  end
  while from < till do
    local length, number = unpack("<HI", blob, from)
    local field = sub(blob, from + 6, from + 5 + length)
    from = from + 6 + length
    local there = (number == 0 or fields >= FIELDS_CAP) and call("HEXISTS", key, field) == 1
    if there or fields < FIELDS_CAP then
      local sum = call("HINCRBY", key, field, number)
      if sum == number and not there then fields = fields + 1 end
      if sum > COUNT_CAP then call("HSET", key, field, format("%.0f", COUNT_CAP)) end
    end
  end
  return ""
end

local NO_SUMS = pack("<I", 0)

local function sums(key)
  local flat = call("HGETALL", key)
  local parts, found, ends = {}, 0, 0
  for n = 1, #flat, 2 do
    if flat[n] == "" then
      ends = tonumber(flat[n + 1])
    else
      found = found + 1
      parts[found] = pack("<Hd", #flat[n], tonumber(flat[n + 1])) .. flat[n]
    end
  end
  if ends <= now then
    return NO_SUMS
  end
  return pack("<I", found) .. table.concat(parts)
end

local answers = { pack("<ddB", now, made, lost) }
local at, previous, mark = 18, nil, nil
for i = 2, #KEYS do
  local kind, key = byte(blob, at), KEYS[i]
  local row, again = held[i], written[key]
  if again then
    row = dry and again or call("GET", key)
  end
  if kind == 72 then  -- H
    local tag = sub(blob, at + 1, at + 8)
    if tag ~= previous then
      previous, mark = tag, tag .. pack(">I", minute)
    end
    answers[i] = hit(key, row, tag, mark)
  elseif kind == 104 then  -- h
    answers[i] = hit(key, row)
  elseif kind == 83 then  -- S
    local ttl, length = unpack("<II", blob, at + 1)
    answers[i] = bound(key, row, ttl, sub(blob, at + 9, at + 8 + length))
    at = at + length
  elseif kind == 66 then  -- B
    answers[i] = beat(key, row)
  elseif kind == 65 then  -- A
    local ttl, length = unpack("<II", blob, at + 1)
    answers[i] = add(key, ttl, at + 9, at + 9 + length)
    at = at + length
  elseif kind == 82 then  -- R
    answers[i] = sums(key)
  else
    answers[i] = bound(key, row)
  end
  at = at + 9
  if ms ~= present then
    stand_at(present)
  end
end
return table.concat(answers)
