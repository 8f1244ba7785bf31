/**
 * What happens in the tier in one step: Lua scripts for Redis from 7.0 on and Valkey. All keys of a space have one hash tag, so that a
 * cluster keeps them in one slot.
 *
 * A space has a count, moved by every write, and a log: a stream whose entries have the count for an id, so that what is missing between
 * two of them is seen. An entry carries a nonce: two histories that a failover made have other nonces under one count.
 *
 * (V1) the count of a new space is the time in microseconds: one made anew, after a flush or an eviction, is above the old one.
 * (V2) a value carries the count from when its load began. It is no value where that is below the space's barrier, which a full
 *      invalidation sets to the count.
 * (V3) a lease is a token with the count of when it was given. What invalidates a key takes its lease away: a fill is taken only under the
 *      lease that is there.
 * (V4) who asks says what his host has seen last of the log. Where that is not in this history (the primary is an older copy, or has
 *      gone on from one) it answers nothing else.
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/**
 * KEYS of all scripts: meta, log, value, lease, and the prefix of chunks. Counts travel as decimal strings: a Lua number given as an
 * integer would do, but a client may have other ideas of 64 bits.
 */
const PRELUDE = `
local META, LOG, VALUE, LEASE, CHUNK = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function text(count) return string.format('%.0f', count) end
local function tell(count, nonce, kind, key, origin, length)
  redis.call('XADD', LOG, 'MAXLEN', '~', length, text(count) .. '-0', 'n', nonce, 'k', kind, 'v', key, 'o', origin)
end
local function head()
  local known = redis.call('HMGET', META, 's', 'b')
  if known[1] then return tonumber(known[1]), tonumber(known[2]) end
  local time = redis.call('TIME')
  local count = time[1] * 1000000 + time[2]
  local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)
  if last[1] then count = math.max(count, tonumber(string.match(last[1][1], '^%d+')) + 1) end
  redis.call('HSET', META, 's', text(count), 'b', text(count))
  tell(count, 'new', 'all', '', '', 100)
  return count, count
end
-- 0: seen is of this history. 1: the log does not go back so far. 2: it is not.
local function history(count, seen, nonce)
  if seen == '' then return 0 end
  if count < tonumber(seen) then return 2 end
  local entry = redis.call('XRANGE', LOG, seen .. '-0', seen .. '-0')
  if not entry[1] then return 1 end
  if entry[1][2][2] ~= nonce then return 2 end
  return 0
end
local function drop(value)
  local known = redis.call('HMGET', value, 'c', 'i')
  if known[1] then
    for at = 0, tonumber(known[1]) - 1 do redis.call('UNLINK', CHUNK .. known[2] .. ':' .. at) end
  end
  redis.call('UNLINK', value)
end
`;

/** What reads and tells works without memory left: it takes little, for a short time, or makes room. */
const WITHOUT_MEMORY = '#!lua flags=allow-oom\n';

function script(text: string, head = '#!lua\n'): Script {
  const whole = head + PRELUDE + text;
  return { text: whole, sha: createHash('sha1').update(whole).digest('hex') };
}

/**
 * ARGV: token, lease ms, seen, nonce, floor, stale ms. Answers
 * 'value' or 'stale', then count, fresh ms ('' for ever; since when stale, below 0), kept ms, metadata, negative, chunks, chunk id, size, bytes;
 * 'lease', lease; 'wait', ms; 'other', count.
 */
export const ASK = script(
  `
local count, barrier = head()
local past = history(count, ARGV[3], ARGV[4])
if past == 2 then return {'other', text(count)} end
local least = barrier
if ARGV[5] ~= '' then least = math.max(least, tonumber(ARGV[5])) end
if past == 1 then least = math.max(least, tonumber(ARGV[3])) end
local v = redis.call('HMGET', VALUE, 's', 'k', 'm', 'n', 'c', 'i', 'z', 'b')
local stale
if v[1] and tonumber(v[1]) < least then
  if tonumber(v[1]) < barrier then drop(VALUE) end
elseif v[1] then
  local left, kept = redis.call('PTTL', VALUE), tonumber(v[2])
  local fresh = left - kept
  local answer = {'value', v[1], text(fresh), v[2], v[3] or '', v[4], v[5], v[6] or '', v[7], v[8] or ''}
  if left < 0 then
    answer[3] = ''
    return answer
  end
  if fresh > 0 then return answer end
  answer[1] = 'stale'
  if fresh + tonumber(ARGV[6]) > 0 then stale = answer end
end
local held = redis.call('GET', LEASE)
if not held and ARGV[1] ~= '' then
  local lease = ARGV[1] .. ':' .. text(count)
  redis.call('SET', LEASE, lease, 'PX', ARGV[2])
  return {'lease', lease}
end
if stale then return stale end
return {'wait', tostring(redis.call('PTTL', LEASE))}
`,
  WITHOUT_MEMORY,
);

/** ARGV: lease, life ms ('' for ever), kept ms, metadata, negative, chunks, chunk id, size, bytes. Answers 'stored' or 'refused'. */
export const FILL = script(`
local count, barrier = head()
if redis.call('GET', LEASE) ~= ARGV[1] then return 'refused' end
local made = string.match(ARGV[1], '%d+$')
redis.call('DEL', LEASE)
if tonumber(made) < barrier then return 'refused' end
drop(VALUE)
redis.call('HSET', VALUE, 's', made, 'k', ARGV[3], 'm', ARGV[4], 'n', ARGV[5], 'c', ARGV[6], 'i', ARGV[7], 'z', ARGV[8], 'b', ARGV[9])
for at = 0, tonumber(ARGV[6]) - 1 do
  local chunk = CHUNK .. ARGV[7] .. ':' .. at
  if ARGV[2] == '' then redis.call('PERSIST', chunk) else redis.call('PEXPIRE', chunk, ARGV[2] + ARGV[3]) end
end
if ARGV[2] ~= '' then redis.call('PEXPIRE', VALUE, ARGV[2] + ARGV[3]) end
return 'stored'
`);

/** ARGV: lease, and how many ms it is to last from now on; '' gives it back. Answers 1 where it was held. */
export const HOLD = script(
  `
if redis.call('GET', LEASE) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', LEASE) else redis.call('PEXPIRE', LEASE, ARGV[2]) end
return 1
`,
  WITHOUT_MEMORY,
);

/**
 * ARGV: kind ('key', 'all'), key, nonce, origin, length of the log, and where a value is to follow a token and for how many ms. Answers the
 * count that it has now. A value comes by FILL, under the lease of that token and count: one that arrives late overwrites nothing.
 */
export const TELL = script(
  `
local count = head() + 1
redis.call('HSET', META, 's', text(count))
if ARGV[1] == 'all' then
  redis.call('HSET', META, 'b', text(count))
else
  drop(VALUE)
  if ARGV[6] == '' then redis.call('DEL', LEASE)
  else redis.call('SET', LEASE, ARGV[6] .. ':' .. text(count), 'PX', ARGV[7]) end
end
tell(count, ARGV[3], ARGV[1], ARGV[2], ARGV[4], ARGV[5])
return text(count)
`,
  WITHOUT_MEMORY,
);

/** Takes a value away whose chunks are not whole, if it is still that one. ARGV: chunk id. */
export const MEND = script(
  `
if redis.call('HGET', VALUE, 'i') == ARGV[1] then drop(VALUE) end
return 1
`,
  WITHOUT_MEMORY,
);

/** ARGV: seen, nonce. Answers how the history is (0, 1, 2), the count, and the nonce of its entry. */
export const CHECK = script(
  `
local count = head()
local past = history(count, ARGV[1], ARGV[2])
local entry = redis.call('XRANGE', LOG, text(count) .. '-0', text(count) .. '-0')
if entry[1] then return {tostring(past), text(count), entry[1][2][2]} end
-- The log was taken away: it begins anew.
redis.call('HSET', META, 's', text(count + 1))
tell(count + 1, 'new', 'all', '', '', 100)
return {tostring(past), text(count + 1), 'new'}
`,
  WITHOUT_MEMORY,
);

/** Where seen is of another history: nothing of before is believed from now on, by anybody. ARGV: seen, nonce, nonce of the entry, length. */
export const BAR = script(
  `
local count = head()
if history(count, ARGV[1], ARGV[2]) ~= 2 then return 0 end
count = math.max(count, tonumber(ARGV[1])) + 1
redis.call('HSET', META, 's', text(count), 'b', text(count))
tell(count, ARGV[3], 'all', '', '', ARGV[4])
return 1
`,
  WITHOUT_MEMORY,
);
