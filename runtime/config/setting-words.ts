// The description of each setting: for the JSON Schema (hovers of editors), docs/SETTINGS.md and `holdfast explain`. A line
// is `setting | unit | example | description`. A setting is found by the longest suffix of its path that is listed here, so
// that settings that occur in several places are described once. A test compares all of it with the schema.

export interface SettingWords {
  readonly what: string;
  readonly unit?: string;
  /** As it is written in YAML. */
  readonly example: string;
}

const lines = `
dataFolder |  | /data/holdfast | Folder of everything that is kept: spool, keys, last good configuration. Read at start only. Default: HOLDFAST_DATA_FOLDER, or /data/holdfast
statusPort |  | 8090 | Port that serves the status page, status and health as JSON, and metrics; 0 takes a free one, off has no listener at all. Default: 9600 under IoT Edge, elsewhere off
statusHost |  | 0.0.0.0 | Address that the status is served on. Default: 0.0.0.0 under IoT Edge, elsewhere 127.0.0.1
faultInjection |  | true | Lets the method skip lose windows on purpose, to try repair. Never in production
logLevel |  | debug | The least level that is logged
revertAfterMs | ms | 10min | A new configuration is rolled back if a connection that worked before does not return within this time; 0: never
windows |  | {ageMs: 10s} | When a window closes and is sent
windows.ageMs | ms | 10s | A window closes at this age: the typical delay of live data
windows.quietMs | ms | 1min | The same for a window without a reading
windows.maxBytes | bytes | 204800 | A window closes at this size
spool |  | {flashSaver: true} | How readings are kept on the disk
spool.commitIntervalMs | ms | 200 | Longest time until a reading is durable. Default 200, with flashSaver 1000
spool.commitBytes | bytes | 4194304 | A commit is made earlier once this many bytes (estimated, in memory) wait for it
spool.flashSaver |  | true | Fewer commits for flash that wears: a power cut takes up to a second with it instead of a fifth
spool.retention |  | {archiveMs: 3d} | What is kept for how long, and how much of it. Read at start only
retention.archiveMs | ms | 3d | How long acknowledged messages are kept, to answer requests for them again
retention.archiveBytes | bytes | 1073741824 | How many bytes of acknowledged messages are kept
retention.unsentMs | ms | 7d | How long messages are kept that could not be sent
retention.maxBytes | bytes | 4294967296 | Largest size of the whole spool
retention.reserveBytes | bytes | 268435456 | How much of the disk is left free for others
retention.policy |  | backpressure | When there is no room: drop-oldest removes the oldest unsent windows; backpressure pauses sources that keep a history of their own
spool.encryption |  | {key: {file: /run/secrets/spool.key}} | Encryption at rest. Read at start only; without it nothing is encrypted
encryption.key |  | {file: /run/secrets/spool.key} | Where the key is: a file, a variable of the environment, or IoT Edge
encryption.key.file |  | /run/secrets/spool.key | File with 32 random bytes: 64 hex digits, base64, or as they are
encryption.key.env |  | SPOOL_KEY | Variable of the environment with 64 hex digits or base64
encryption.key.workload |  | true | A random key, wrapped by IoT Edge
encryption.previousKeys |  | [{file: /run/secrets/old.key}] | Keys that older records may be encrypted with
previousKeys[].file |  | /run/secrets/old.key | As for key.file
previousKeys[].env |  | OLD_SPOOL_KEY | As for key.env
previousKeys[].workload |  | true | As for key.workload
encryption.waitMs | ms | 1min | How long a start waits for a key that is not available
encryption.withoutKey |  | wait | What follows: go-on-plain writes unencrypted and reports it, wait records nothing
uplink |  | {body: readings/1} | How the hub is reached, and what it is sent
uplink.transport |  | amqp-ws | AMQP, or AMQP over WebSocket where only port 443 is open
uplink.body |  | readings/1 | Form of the bodies: columns/1 is compact, readings/1 plain for Stream Analytics
uplink.gzip |  | false | Whether bodies are compressed where that makes them smaller
uplink.sendTimeoutMs | ms | 30s | Longest wait for the acknowledgement of one message
uplink.caFile |  | /data/hub-ca.pem | PEM file of authorities to trust, besides those of IoT Edge
uplink.output |  | telemetry | Module output that telemetry is sent to; the route upstream names it. Default: telemetry under IoT Edge, else the module's plain telemetry
uplink.caps |  | {messagesPerDay: 8000} | What the hub is sent at most; 0 is no cap
caps.messagesPerSecond | messages/s | 20 | Messages a second at most
caps.bytesPerSecond | bytes/s | 100000 | Bytes a second at most
caps.messagesPerDay | messages of 4 KB | 8000 | Messages a day (UTC) at most, in units of 4 KB, as IoT Hub meters them
caps.liveReserve |  | 0.5 | Part of messagesPerDay that only live data may use
uplink.inFlight |  | {messages: 64} | What may be sent and not yet acknowledged
inFlight.messages | messages | 64 | Messages in flight at most
inFlight.bytes | bytes | 8388608 | Bytes in flight at most
clock |  | {trust: synchronised} | How far this gateway's clock is trusted
clock.trust |  | synchronised | plausible: unless it looks wrong; synchronised: once it was set since the start, or synchronisedFile is there; always
clock.synchronisedFile |  | /run/systemd/timesync/synchronized | File that is there once the clock is synchronised
clock.confirmMs | ms | 1min | How long readings wait for a clock to be set that may have restarted from the time of the shutdown
clock.slewMs | ms | 2s | Smaller steps of the clock cause no break
clock.policy |  | hold | When the clock is still not trusted: go-on-marked stamps readings and marks them uncertain, hold waits for ever
clock.policyAfterMs | ms | 15min | How long readings wait for a trusted clock before clock.policy applies
clock.provisionalMaxBytes | bytes | 16777216 | Room for readings that wait for the clock
restarts |  | {free: 5} | Starts that follow crashes: sources wait before they begin
restarts.free | crashes | 5 | Crashes in a row, each soon after its start, before a start waits
restarts.quickMs | ms | 5min | A crash later than this after the start is not counted
restarts.maxPauseMs | ms | 5min | The first wait is 1 s; each further crash doubles it, up to this
remoteWrites |  | true | Lets the direct method write write tags that may be written
rules |  | [] | What the gateway decides by itself, with or without a network
rules[].name |  | overheated | Name of the rule; its stream is rule:NAME
rules[].inputs |  | {input: {source: press}} | Inputs by their names in the query (*). Default: each source under its own name
inputs.*.source |  | press | Name of the source, a list of names, or "*" for all
inputs.*.time |  | timeCreated | What the query calls the index of a row; TIMESTAMP BY it costs nothing
inputs.*.types |  | {pressure: float} | Fields whose numbers are always float, or always bigint. Default: by each value
rules[].query |  | "SELECT tag INTO output FROM press" | Query in the Stream Analytics query language
rules[].when |  | temperature > 30 | The short form: the condition
rules[].until |  | temperature < 25 | The short form: when the condition is over
rules[].for |  | 10s | The short form: how long the condition must hold
rules[].outputs |  | [upstream] | What is done with a row: upstream, send to an output of the module, write a tag; by the names after INTO, or a list
outputs[].send |  | control | Output of the module; a route leads on from it
outputs[].write |  | {source: press, tag: setpoint, value: 20} | A tag to write
write.source |  | press | Source of the tag
write.tag |  | setpoint | Tag to write
write.value |  | 20 | Value to write, or the field of the row that holds it
value.field |  | command | Field of the row that holds the value
rules[].validForMs | ms | 30s | How old a row, and a decision, may be for its action to be carried out; later it expires
rules[].perMinute | actions | 60 | Actions a minute for one target
rules[].dryRun |  | true | Decides, and carries nothing out
rules[].beforeDurable |  | true | Decides and acts before readings are on the disk: sooner by up to two commits, and a power cut may take back what it rests on. Its rows say so
rules[].actOnLacking |  | true | Also acts on rows that rest on inputs of which something was not known
rules[].waitMs | ms | 5s | Longest time that the others wait for a source that says nothing. Default: 5 s, or twice the reporting interval of its slowest source
rules[].tolerance |  | {lateMs: 5s} | How far events may be late or out of order, for inputs with TIMESTAMP BY a field that is not their index
tolerance.outOfOrderMs | ms | 0 | How far events may come out of order
tolerance.lateMs | ms | 5s | How late events may come
tolerance.aheadMs | ms | 5min | How far an event may lie ahead of its index; for as long, rows after a hole are marked
tolerance.policy |  | drop | What becomes of others: adjust their time, or drop them
rules[].limits |  | {maxKeys: 1000} | What the rule may keep in memory
limits.maxKeys | keys | 1000 | Groups at most
limits.maxRows | rows | 100000 | Rows at most
limits.maxBytes | bytes | 16777216 | Memory at most
sources |  | [] | The equipment to read, one source a stream; [] reads nothing
sources[].type |  | modbus-tcp | Kind of source
sources[].name |  | press | Name of the source in logs and status; also the stream's id in the cloud unless batchId is given
sources[].batchId |  | line-1.press | The stream's id in the cloud, where it is not the name
sources[].tagsFile |  | press.csv | CSV file of tags, relative to this file: one row a tag, one column a setting
sources[].host |  | 10.0.0.5 | Host name or IP address
sources[].port |  | 502 | TCP port
sources[].connection |  | shared | shared: all sources with this host and port take turns on one connection
sources[].transactionId |  | ignore | ignore: for devices that do not repeat the number of a request in its answer
sources[].unitId |  | ignore | ignore: for devices that put another unit id into their answers. Only with a connection of its own
sources[].frameLength |  | ignore | ignore: for devices that miscount in the header of their answers
sources[].connectDelayMs | ms | 2s | Pause between connecting and the first request. Default: with Modbus as the device turned out to need, with serial instruments 0
sources[].profile |  | energy-meter | Tags and settings of a family of devices: a built-in profile, a file, {use, at, prefix, only}, or a list of these
tags[].scaleFrom |  | 40085 | Register that holds the power of ten of the value, in the same table
tags[].model |  | {at: 40069, id: 103} | SunSpec model that the tag is of: its value is null (bad:wrong-model) unless that model stands there. Profiles fill it in
tags[].model.at |  | 40069 | Register that the model begins with
tags[].model.id |  | 103 | Id of the model, in its first register
tags[].model.lengths |  | [50] | Lengths that the model may have, in its second register. Default: any
sources[].between |  | <NUL> | Single bytes that mean nothing between messages
sources[].unit |  | 1 | Unit id of the device (slave address)
sources[].pollMs | ms | 1s | How often tags are read
sources[].timeoutMs | ms | 1s | Longest wait for an answer
sources[].maxRegisters | registers | 50 | Registers that one request of this device may read
sources[].maxBits | bits | 2000 | Coils or discrete inputs that one request of this device may read
sources[].maxHole | registers | 32 | Unused registers that one request may read over rather than start another
sources[].refusedRetryMs | ms | 5min | Longest time that a refused register is left alone before it is tried again
sources[].index |  | sequence | What orders the stream: time, or the equipment's own record numbers
sources[].addressing |  | zero-based | Says that addresses such as 40007 are meant as they stand, counted from 0
sources[].gapMs | ms | 5 | Silence on the line between an answer and the next request. Default: 3.5 characters
sources[].turnaroundMs | ms | 100 | Silence after a request that got no good answer
sources[].path |  | /dev/serial/by-id/usb-FTDI-port0 | Serial port, best by a name that stays
sources[].baudRate | baud | 9600 | Speed of the line
sources[].dataBits | bits | 8 | Data bits of a character
sources[].parity |  | even | Parity of a character
sources[].stopBits | bits | 1 | Stop bits of a character
sources[].flowControl |  | xon-xoff | rts-cts by wires, xon-xoff by characters
sources[].connectTimeoutMs | ms | 5s | Longest wait for a connection
sources[].stamp |  | {timestamp: {address: 100, type: uint32, unit: s}} | Where a sample keeps its own time and number
stamp.timestamp |  | {address: 100, type: uint32, unit: s} | The time of the sample
stamp.number |  | {address: 102} | Number of the sample: a jump is a break in observation
stamp.timeTag |  | sampledAt | Where record numbers order the stream: the tag that a sample's time becomes
stamp.index |  | number | What orders the stream: the number or the time of its messages
stamp.number.first |  | 0 | First number that the instrument counts
stamp.number.last |  | 9999 | Last number before the instrument counts from the first again
stamp.number.maxJump | numbers | 1000 | A larger jump is a new beginning of the counter, not a gap
stamp.timestamp.columns |  | [0, 1] | Columns that together hold the time
stamp.timestamp.format |  | DD.MM.YYYY HH:mm:ss | Form of the time: iso (ISO 8601), unix-s, unix-ms, or made of YYYY, YY, MM, DD, HH, mm, ss and S to SSS
stamp.timestamp.zone |  | "+01:00" | Time zone of the instrument's clock: UTC, or how far it is ahead of it, all the year
stamp.timestamp.column |  | 0 | Column, counted from 0, that holds the time
timestamp.type |  | uint32 | How the time is coded
number.type |  | uint32 | How the number is coded
newest.type |  | uint32 | How the number is coded
oldest.type |  | uint32 | How the number is coded
timestamp.unit |  | s | What the number counts since 1970-01-01 UTC
history.stamp |  | {timestamp: {column: 0}} | Where a record of a dump keeps its time and number, where that is not as in live messages
history.stamp.number |  | {column: 1} | Number of the record
history.stamp.timestamp |  | {column: 0} | Time of the record
history.timestamp |  | {offset: 0, type: uint32, unit: s} | Where a record keeps its time. Default: as in the live stamp
history.number |  | {offset: 2} | Where a record keeps its number
table |  | input | Table of the device: holding, input, and for tags coil and discrete
address |  | 6 | Address, counted from 0: what a manual calls holding register 40007 is address 6
type |  | float32 | How the value is coded
order |  | CDAB | Order of the bytes; ABCD is most significant byte first
bit |  | 0 | Which bit, 0 being the least significant
length | characters | 16 | Length of the text, or of the field
encoding |  | utf8 | Encoding of text
perRegister | characters | 2 | Characters of a text in a register
invalid |  | [0xFFFF] | What stands there where there is no value: the reading is null then, with a bad quality
scale |  | 0.1 | value = raw * scale + offset
offset |  | -40 | value = raw * scale + offset
names |  | {0: stopped, 1: running} | Names for the values of a whole number, a bit or a text
sources[].tags |  | [{name: level, address: 6, type: int16}] | The values to read
tags[].name |  | level | Name of the value, once in a source
tags[].pollMs | ms | 10s | Read this often instead of the source's pollMs
tags[].deadband |  | 0.5 | Reported only when it differs by more than this from the last report; 0 reports each change
tags[].heartbeatMs | ms | 1min | Reported at least this often, where there is a deadband
tags[].writable |  | true | May be written. For Modbus, multiple writes with functions 15 and 16 alone
tags[].min |  | 0 | Least value that may be written
tags[].max |  | 100 | Largest value that may be written
tags[].readBack |  | true | A write is read again in the same turn, and counts only if the device holds it
tags[].write |  | {command: "S{value}<CR>"} | How the value is written
write.command |  | "S{value}<CR>" | What is sent to write the value
write.answer |  | OK | What the answer to a write begins with
timeoutMs | ms | 1s | Longest wait for the answer
tags[].node |  | "ns=2;s=Oven.SetPoint" | Node id
tags[].path |  | "2:Line1/2:Temperature" | Browse names from the Objects folder on, in place of a node id; for other modules: where the value is in the message
tags[].quality |  | q | Where the message says how good the value is
tags[].startsWith |  | W | Only messages that begin with this have the tag
group |  | weight | Named group of fields.pattern. Default where there is a pattern: the one with the tag's own name
column |  | 2 | Column, counted from 0, where fields.separator divides the message
from |  | 3 | First character, counted from 0
at |  | 4 | First byte, counted from 0, of a binary value
samplingMs | ms | 500 | How often the server looks at a value. Default: publishMs
queueSize | values | 20 | Values that the server keeps of one node between two messages
deadband |  | 0.5 | The server reports a number only when it differs by more than this
deadbandType |  | percent | absolute, or percent of the node's range
trigger |  | timestamp | What makes the server report: another value or status, or also the same value with a new time
sources[].folders |  | [{path: "2:Line1"}] | Folders of an OPC UA server of which all variables become tags
folders[].node |  | "ns=2;s=Line1" | Node id of the folder
folders[].path |  | "2:Line1" | Browse names of the folder from the Objects folder on
folders[].prefix |  | line1. | Put before the names of the tags
folders[].maxTags | tags | 1000 | Tags at most
folders[].maxDepth | levels | 8 | Levels of folders at most
endpoint |  | opc.tcp://10.0.0.7:4840 | Address of the OPC UA server
applicationUri |  | urn:maker:server | URI of the server to use, where endpoint is a discovery server
security |  | {mode: SignAndEncrypt} | How the connection is secured
security.mode |  | SignAndEncrypt | best: the strongest that the server offers
security.policy |  | Basic256Sha256 | Only this one. Default: the strongest that the server offers
identity |  | {kind: user, name: reader, passwordFile: /data/secrets/opcua} | Who the module is to the server
identity.kind |  | user | Anonymous, a user, or a certificate
identity.name |  | reader | Name of the user
identity.passwordFile |  | /data/secrets/opcua | File with the password
identity.passwordEnvironment |  | OPCUA_PASSWORD | Variable of the environment with the password
identity.certificateFile |  | /data/opcua/user.pem | Certificate, PEM or DER
identity.keyFile |  | /data/opcua/user.key | Its private key, PEM
publishMs | ms | 1s | How often the server sends what it has gathered
keepAliveMs | ms | 5s | The server says at least this often that it is there
sources[].timestamp |  | server | Which of a value's times orders the stream: the equipment's (source), or when the server had it
sources[].latenessMs | ms | 1s | How late, or out of order, values may come
sources[].snapshots |  | false | Whether what a tag holds when observation begins is reported there
sources[].history |  | {} | The equipment's own memory, from which missed readings are fetched. For OPC UA, {} is enough
history.kind |  | ring | ring: records in registers; file-records: function 20
history.table |  | holding | Table of the ring
history.base |  | 1000 | Address of the first record of the ring, counted from 0
history.newest |  | {address: 900} | Where the device keeps the number of its newest record
history.oldest |  | {address: 902} | Where the device keeps the number of its oldest record. Default: newest - capacity + 1
history.capacity | records | 1000 | Records that the memory holds: what is older is gone
history.recordRegisters | registers | 8 | Registers of a record
history.tags |  | [{name: level, offset: 2}] | Tags of a record, where they lie otherwise than in the live sample
history.tags[].offset | registers | 2 | Place in the record, in registers; for text: what is added after scaling
history.tags[].add |  | -40 | What is added after scaling
history.timestamp.offset | registers | 0 | Place of the time in the record
history.number.offset | registers | 2 | Place of the number in the record
history.firstRecord |  | 1 | Number of the first record that the device ever wrote, where its documentation states it
history.firstFile |  | 1 | Number of the first file of records
history.registersPerFile | registers | 9984 | Registers of a file of records
history.since |  | "2026-01-31T00:00:00Z" | The first time that this stream is read, what the server remembers since then is asked for, too
history.settleMs | ms | 600000 | The server may write a value into its history so much later than it has it. Waited for where nothing tells whether it has: what came live and is there already shows that all before it is
history.valuesPerNode | values | 1000 | Values of one node that one request asks for at most
history.command |  | "D{from:6},{to:6}<CR>" | What asks for a range: {from}, {to}, {end}, {count}, with formats as {from:6}
history.before |  | STOP<CR> | Sent before, for an instrument that sends by itself
history.after |  | START<CR> | Sent after
history.startsWith |  | R | What the records of a dump begin with, where live messages do not
history.end |  | END | What the message that ends a dump begins with
history.endSilenceMs | ms | 500 | Silence that ends a dump without an end mark
history.none |  | NO DATA | What the answer begins with where the instrument has nothing of the range
history.timeoutMs | ms | 5s | Longest wait for the next record
history.limitMs | ms | 1min | Longest dump
history.maxBytes | bytes | 1048576 | Largest dump
history.pageRecords | records | 200 | Record numbers that one command asks for
history.pageMs | ms | 10min | Time that one command asks for
history.overlapMs | ms | 1min | How far before the range to look for proof that the memory reaches so far back
history.bounds |  | {command: "B<CR>", pattern: "(?<oldest>\\\\d+),(?<newest>\\\\d+)"} | Asks what the memory holds
bounds.command |  | B<CR> | What is sent to ask it
bounds.pattern |  | "(?<oldest>\\\\d+),(?<newest>\\\\d+)" | Pattern of the answer, with the groups oldest and newest
framing |  | {kind: delimiter, end: <CR>} | How messages are separated
framing.kind |  | delimiter | By an end mark, a fixed length, start and end marks, a length field, or silence
framing.end |  | <CR> | What ends a message
framing.start |  | <STX> | What begins a message; with start-end a list where there are several
framing.maxBytes | bytes | 1024 | Longest message
framing.gapMs | ms | 200 | Silence within a message that makes it a broken one; for silence: what ends it
framing.length | bytes | 12 | Length of a message
framing.trailer | bytes | 2 | Bytes that follow the end mark, as a check sum
framing.offset | bytes | 1 | Place of the length field
framing.size | bytes | 1 | Bytes of the length field
framing.form |  | big | How the length field is written
framing.add | bytes | 3 | What is added to the length field to make the length of the whole message
checksum |  | {kind: crc16-modbus} | How each message proves that it is whole
checksum.kind |  | crc16-modbus | Kind of check sum
checksum.form |  | hex | How it is written
checksum.at | bytes | -2 | Where it stands; negative numbers count from the end
checksum.from | bytes | 1 | First byte that it covers
checksum.to | bytes | -2 | First byte that it does not cover any more
fields |  | {separator: ";"} | How a message is divided into values
fields.pattern |  | "^(?<weight>[-+ .0-9]+) kg" | Regular expression with a named group a value
fields.separator |  | ";" | What stands between columns
fields.decimal |  | "," | Sign before the decimals
fields.encoding |  | latin1 | Encoding of the text
poll |  | {command: P<CR>, everyMs: 1s} | Asks for each message. Without it the instrument sends by itself
poll.command |  | P<CR> | What is sent to ask
poll.everyMs | ms | 1s | How often it is sent
poll.echo |  | true | The line gives back what is sent, as some two-wire adapters do
sources[].onConnect |  | START<CR> | Sent once connected
sources[].expectEveryMs | ms | 10s | An instrument that sends by itself counts as gone when nothing came for this long
sources[].refusals |  | ["?", ERR] | What answers begin with by which the instrument refuses
sources[].ignore |  | ["#"] | What messages begin with that hold nothing of interest
sources[].input |  | telemetry | Input of this module that a route of the deployment leads to
sources[].format |  | readings/1 | json, or readings/1: an array of {t, tag, v, q}
sources[].items |  | values | Array in the message: each of its items has readings of its own
sources[].time |  | {path: ts} | When the values were taken. Default: when the message came
time.path |  | ts | Where the time is in the message
time.property |  | iothub-creation-time-utc | Property of the message that holds the time
time.unit |  | s | What a number counts since 1970-01-01 UTC
sources[].sequence |  | {path: n} | Counts the messages of the sender: a jump is a break in observation
sequence.path |  | n | Where the number is in the message
sequence.property |  | n | Property of the message that holds the number
sources[].named |  | {tag: id, value: v} | Where items name their tag themselves
named.tag |  | id | Where the name is in the item
named.value |  | v | Where the value is in the item
named.quality |  | q | Where the quality is in the item
sources[].silenceMs | ms | 1min | Longest time between messages of a healthy sender; more is a break in observation
sources[].refusedTag |  | (refused) | Messages that cannot be read become readings of this tag: their text, and why
`;

const table: ReadonlyMap<string, SettingWords> = new Map(
  lines
    .trim()
    .split('\n')
    .map((line) => {
      const [setting, unit, example, ...what] = line.split(' | ').map((cell) => cell.trim());
      return [setting!, { what: what.join(' | '), example: example!, ...(unit !== '' && { unit: unit! }) }];
    }),
);

/** The words for a path such as `sources[].tags[].scale`; undefined where it has none. */
export function wordsOf(path: string): SettingWords | undefined {
  return table.get(keyOf(path) ?? '');
}

/** The line that speaks of `path`. */
export function keyOf(path: string): string | undefined {
  const parts = path.split('.');
  for (let from = 0; from < parts.length; from++) {
    const key = parts.slice(from).join('.');
    if (table.has(key)) return key;
  }
  return undefined;
}

export const wordedSettings: readonly string[] = [...table.keys()];
