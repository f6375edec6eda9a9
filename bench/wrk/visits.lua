-- Sends the requests of made-up visitors: templates written by bench/visitors.py, which says what their marks mean.
-- Arguments: file of templates, number of the first visit, "ordinary" or "flood".

local networks = { 109, 151, 176, 178, 185, 188, 193, 194, 195 }
local pool, number, flood = {}, 0, false

local function address()
  if flood then return "195.123.145.167" end
  local visitor = number
  if number % 10 == 0 and number >= 1000 then visitor = number - 1000 end
  local place = visitor * 7368787 % 1000000
  return string.format("%d.1%02d.1%02d.1%02d", networks[math.floor(visitor / 1000000) % #networks + 1],
    math.floor(place / 10000), math.floor(place / 100) % 100, place % 100)
end

local marks = {
  ["\1"] = function() number = number + 1 return string.format("%010d", number) end,
  ["\2"] = address,
  ["\3"] = function() return string.format("%09d", number * 104729 % 999999937) end,
}

-- A template as pieces of text, each but the first behind a mark.
local function cut(template)
  local texts, between, at = {}, {}, 1
  for place in template:gmatch("()[\1\2\3]") do
    texts[#texts + 1] = template:sub(at, place - 1)
    between[#between + 1] = marks[template:sub(place, place)]
    at = place + 1
  end
  texts[#texts + 1] = template:sub(at)
  return { texts = texts, marks = between }
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for template in file:read("*a"):gmatch("[^%z]+") do pool[#pool + 1] = cut(template) end
  file:close()
  number = tonumber(args[2])
  flood = args[3] == "flood"
end

function request()
  local template = pool[(number + 1) % #pool + 1]
  local texts, between, parts = template.texts, template.marks, {}
  for place = 1, #between do
    parts[2 * place - 1] = texts[place]
    parts[2 * place] = between[place]()
  end
  parts[#parts + 1] = texts[#texts]
  return table.concat(parts)
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d}\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
