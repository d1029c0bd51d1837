-- Sends the requests of a file, one after the other, and prints what came of it as JSON.
-- A line of the file is a path, or method, path, media type and body between tabs. Requests are
-- made before the load begins: during it there is one table lookup for each.
-- With `once` behind the file's name the load ends when each has been sent once.
local requests, count, turn = {}, 0, 0

function init(args)
  local mode = args[2] or ""
  for line in io.lines(args[1]) do
    local method, path, media, body = line:match("^(%S+)\t(%S+)\t([^\t]*)\t(.*)$")
    count = count + 1
    if method == nil then
      requests[count] = wrk.format("GET", line)
    elseif media == "" then
      requests[count] = wrk.format(method, path)
    else
      requests[count] = wrk.format(method, path, {["Content-Type"] = media}, body)
    end
  end
  if mode == "once" then
    local answered = 0
    function response()
      answered = answered + 1
      if answered + 256 >= count then wrk.thread:stop() end
    end
  end
end

function request()
  turn = turn + 1
  if turn > count then turn = 1 end
  return requests[turn]
end

function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format(
    '\nJSON {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d, "status": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout, e.status))
end
