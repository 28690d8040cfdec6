// Real-world queries: the structure of public Stream Analytics queries of Edge jobs and samples, in words of our own.
// docs/RULES.md lists them with where each is from; wild-queries.test.ts runs each.
import type { RuleRecord } from '../engine-api.ts';

interface Wild {
  readonly name: string;
  readonly query: string;
}
/** `rows`: seconds, and what is at them, on each input of the query. `first`: the first row that is decided. */
export interface WildThatRuns extends Wild {
  readonly rows: readonly (readonly [seconds: number, row: RuleRecord])[];
  readonly count: number;
  readonly first: RuleRecord;
}
/** `refusal`: part of what is said. */
export interface WildThatIsRefused extends Wild {
  readonly refusal: string;
}

const hot = (celsius: number) => ({
  machine: { temperature: celsius, pressure: 2 },
  ambient: { humidity: 25 },
});
const cars: WildThatRuns['rows'] = [
  [1, { maker: 'Norda', plate: 'ABC-129', weight: '1000', color: 'red' }],
  [2, { maker: 'Norda', plate: 'ABC-777', weight: '2000', color: 'blue' }],
  [3, { maker: 'Tyra', plate: 'AXX-999', weight: '1500', color: 'red' }],
];

export const wildThatRun: readonly WildThatRuns[] = [
  {
    name: 'reset above an average (Edge tutorial)',
    query: `SELECT 'reset' AS command INTO alert FROM temperature TIMESTAMP BY timeCreated
      GROUP BY TumblingWindow(second,30) HAVING Avg(machine.temperature) > 70`,
    rows: [
      [1, hot(90)],
      [31, hot(60)],
    ],
    count: 1,
    first: { command: 'reset' },
  },
  {
    name: 'reset with the time of the last event (Edge guide, offline)',
    query: `SELECT 'reset' AS command, Max(timeCreated) as maxEventTime
INTO output
FROM input
TIMESTAMP BY timeCreated
GROUP BY TumblingWindow(second, 10)
HAVING Avg(machine.temperature) > 30`,
    rows: [[4, hot(31)]],
    count: 1,
    first: { command: 'reset', maxEventTime: '1970-01-01T00:00:04.0000000Z' },
  },
  {
    name: 'averages up, resets down (Edge job of an accelerator)',
    query: `SELECT avg(machine.temperature) as temperature, 'C' as temperatureUnit INTO output
      FROM telemetry TIMESTAMP BY timeCreated GROUP BY TumblingWindow(second, 5)
      SELECT 'reset' as command INTO alert
      FROM telemetry TIMESTAMP BY timeCreated GROUP BY TumblingWindow(second, 3) HAVING avg(machine.temperature) > 400`,
    rows: [
      [1, hot(500)],
      [4, hot(300)],
    ],
    count: 2,
    first: { command: 'reset' },
  },
  {
    name: 'many alerts in a while (sample with functions)',
    query: `SELECT System.TimeStamp AS Time, COUNT(*) AS [Count] INTO humidityout FROM humidity TIMESTAMP BY TIMECREATED
      GROUP BY TumblingWindow(second, 180) HAVING [Count] >= 3`,
    rows: [
      [1, hot(1)],
      [2, hot(2)],
      [3, hot(3)],
    ],
    count: 1,
    first: { Time: '1970-01-01T00:03:00.0000000Z', Count: 3 },
  },
  {
    name: 'averages of all sensors of a kind (Raspberry Pi sample)',
    query: `Select kind, unit, 'All Sensors' AS place, 'Temp Average' as label, Max(timecreated) as timecreated, Avg(value) AS value
      From DevicesInput TIMESTAMP BY timecreated where kind = 'temperature' OR kind='Temperature'
      Group by kind, unit, TumblingWindow(Second, 10)`,
    rows: [
      [1, { kind: 'temperature', unit: 'C', value: 20 }],
      [2, { kind: 'temperature', unit: 'C', value: 23 }],
      [3, { kind: 'light', value: 1 }],
    ],
    count: 1,
    first: {
      kind: 'temperature',
      unit: 'C',
      place: 'All Sensors',
      label: 'Temp Average',
      timecreated: '1970-01-01T00:00:02.0000000Z',
      value: 21.5,
    },
  },
  {
    name: 'texts summed up after a CAST (query patterns)',
    query:
      'SELECT maker, SUM(CAST(weight AS BIGINT)) AS weight FROM Input TIMESTAMP BY Time GROUP BY maker, TumblingWindow(second, 10)',
    rows: cars,
    count: 2,
    first: { maker: 'Norda', weight: 3000 },
  },
  {
    name: 'plates that look alike (query patterns)',
    query: "SELECT * FROM Input TIMESTAMP BY Time WHERE plate LIKE 'A%9'",
    rows: cars,
    count: 2,
    first: { maker: 'Norda', plate: 'ABC-129', weight: '1000', color: 'red' },
  },
  {
    name: 'a sentence by CASE (query patterns)',
    query: `SELECT CASE WHEN COUNT(*) = 1 THEN CONCAT('1 ', maker) ELSE CONCAT(CAST(COUNT(*) AS NVARCHAR(MAX)), ' ', maker, 's') END AS passed,
      System.TimeStamp() AS AsaTime FROM Input TIMESTAMP BY Time GROUP BY maker, TumblingWindow(second, 10)`,
    rows: cars,
    count: 2,
    first: { passed: '2 Nordas', AsaTime: '1970-01-01T00:00:10.0000000Z' },
  },
  {
    name: 'all into an archive, some into an alert (query patterns)',
    query: `SELECT * INTO Archive FROM Input TIMESTAMP BY Time
      SELECT maker, System.TimeStamp() AS AsaTime, COUNT(*) AS [Count] INTO Alert FROM Input TIMESTAMP BY Time
      GROUP BY maker, TumblingWindow(second, 10) HAVING [Count] >= 2`,
    rows: cars,
    count: 4,
    first: { maker: 'Norda', plate: 'ABC-129', weight: '1000', color: 'red' },
  },
  {
    name: 'a step of WITH read twice (query patterns)',
    query: `WITH Red AS ( SELECT * FROM Input TIMESTAMP BY Time WHERE color = 'red' )
      SELECT * INTO NordaOut FROM Red WHERE maker = 'Norda'
      SELECT * INTO TyraOut FROM Red WHERE maker = 'Tyra'`,
    rows: cars,
    count: 2,
    first: { maker: 'Norda', plate: 'ABC-129', weight: '1000', color: 'red' },
  },
  {
    name: 'unique values of a window (query patterns)',
    query:
      'SELECT COUNT(DISTINCT maker) AS makers, System.TIMESTAMP() AS AsaTIME FROM Input TIMESTAMP BY TIME GROUP BY TumblingWindow(second, 2)',
    rows: cars,
    count: 2,
    first: { makers: 1, AsaTIME: '1970-01-01T00:00:02.0000000Z' },
  },
  {
    name: 'a value that has changed (query patterns)',
    query:
      'SELECT maker, Time FROM Input TIMESTAMP BY Time WHERE LAG(maker, 1) OVER (LIMIT DURATION(minute, 1)) <> maker',
    rows: cars,
    count: 1,
    first: { maker: 'Tyra', Time: '1970-01-01T00:00:03.0000000Z' },
  },
  {
    name: 'the first of each while (query patterns)',
    query: 'SELECT plate, maker FROM Input TIMESTAMP BY Time WHERE IsFirst(minute, 10) = 1',
    rows: cars,
    count: 1,
    first: { plate: 'ABC-129', maker: 'Norda' },
  },
  {
    name: 'the first of each kind (query patterns)',
    query:
      'SELECT plate, maker FROM Input TIMESTAMP BY Time WHERE IsFirst(minute, 10) OVER (PARTITION BY maker) = 1',
    rows: cars,
    count: 2,
    first: { plate: 'ABC-129', maker: 'Norda' },
  },
  {
    name: 'two of a kind behind each other (query patterns)',
    query: `SELECT maker, plate AS now, LAG(plate, 1) OVER (LIMIT DURATION(second, 90)) AS before FROM Input TIMESTAMP BY Time
      WHERE LAG(maker, 1) OVER (LIMIT DURATION(second, 90)) = maker`,
    rows: cars,
    count: 1,
    first: { maker: 'Norda', now: 'ABC-777', before: 'ABC-129' },
  },
  {
    name: 'how long something took (query patterns)',
    query: `SELECT [user], feature, DATEDIFF(second, LAST(Time) OVER (PARTITION BY [user], feature LIMIT DURATION(hour, 1) WHEN Event = 'start'), Time) as duration
      FROM input TIMESTAMP BY Time WHERE Event = 'end'`,
    rows: [
      [1, { user: 'u', feature: 'menu', Event: 'start' }],
      [8, { user: 'u', feature: 'menu', Event: 'end' }],
    ],
    count: 1,
    first: { user: 'u', feature: 'menu', duration: 7 },
  },
  {
    name: 'how long a condition held (query patterns)',
    query: `WITH Before AS ( SELECT *, LAG([time]) OVER (LIMIT DURATION(hour, 24)) as previousTime, LAG([weight]) OVER (LIMIT DURATION(hour, 24)) as previousWeight FROM input TIMESTAMP BY [time] )
      SELECT LAG(time) OVER (LIMIT DURATION(hour, 24) WHEN previousWeight < 20000 ) [StartFault], previousTime [EndFault]
      FROM Before WHERE [weight] < 20000 AND previousWeight > 20000`,
    rows: [1, 2, 3, 4, 5].map((second) => [
      second,
      { time: `1970-01-01T00:00:0${second}Z`, weight: second === 1 || second === 5 ? 2000 : 25000 },
    ]),
    count: 1,
    first: { StartFault: '1970-01-01T00:00:02Z', EndFault: '1970-01-01T00:00:04.0000000Z' },
  },
  {
    name: 'missing values filled in (query patterns)',
    query:
      'SELECT System.Timestamp() AS windowEnd, TopOne() OVER (ORDER BY t DESC) AS lastEvent FROM input TIMESTAMP BY t GROUP BY HOPPINGWINDOW(second, 300, 5)',
    rows: [
      [5, { value: 1 }],
      [10, { value: 2 }],
    ],
    count: 61,
    first: { windowEnd: '1970-01-01T00:00:05.0000000Z', lastEvent: { value: 1 } },
  },
  {
    name: 'duplicates left out (query patterns)',
    query: `With Once AS ( SELECT COUNT(DISTINCT Time) AS CountTime, Value, DeviceId FROM Input TIMESTAMP BY Time GROUP BY Value, DeviceId, SYSTEM.TIMESTAMP() )
      SELECT AVG(Value) AS AverageValue, DeviceId INTO Output FROM Once GROUP BY DeviceId,TumblingWindow(minute, 5)`,
    rows: [
      [1, { DeviceId: 1, Value: 50 }],
      [1, { DeviceId: 1, Value: 50 }],
      [5, { DeviceId: 1, Value: 60 }],
    ],
    count: 1,
    first: { AverageValue: 55, DeviceId: 1 },
  },
  {
    name: 'an offset of a millisecond (reference)',
    query: `SELECT System.Timestamp() AS WindowEnd, TollId, COUNT(*) FROM Input TIMESTAMP BY EntryTime
      GROUP BY TollId, HoppingWindow(Duration(hour, 1), Hop(minute, 5), Offset(millisecond, -1))`,
    rows: [[300, { TollId: 7 }]],
    count: 12,
    first: { WindowEnd: '1970-01-01T00:09:59.9990000Z', TollId: 7, count: 1 },
  },
  {
    name: 'more than three in five minutes (reference)',
    query: `SELECT DateAdd(minute,-5,System.TimeStamp) AS WinStartTime, System.TimeStamp AS WinEndTime, TollId, COUNT(*)
      FROM Input TIMESTAMP BY EntryTime GROUP BY TollId, SlidingWindow(minute, 5) HAVING COUNT(*) > 3`,
    rows: [1, 2, 3, 4].map((second) => [second, { TollId: 7 }]),
    count: 1,
    first: {
      WinStartTime: '1969-12-31T23:55:04.0000000Z',
      WinEndTime: '1970-01-01T00:00:04.0000000Z',
      TollId: 7,
      count: 4,
    },
  },
  {
    name: 'visits of a user (reference)',
    query: `SELECT user_id, MIN(at) AS window_start, System.Timestamp() AS window_end, Collect() AS clicks
      FROM input TIMESTAMP BY at GROUP BY user_id, SessionWindow(minute, 2, 60) OVER (PARTITION BY user_id)`,
    rows: [
      [0, { user_id: 0 }],
      [60, { user_id: 0 }],
      [600, { user_id: 0 }],
    ],
    count: 2,
    first: {
      user_id: 0,
      window_start: '1970-01-01T00:00:00.0000000Z',
      window_end: '1970-01-01T00:03:00.0000000Z',
      clicks: [{ user_id: 0 }, { user_id: 0 }],
    },
  },
  {
    name: 'several windows at once (reference)',
    query: `SELECT TollId, System.Window().Id AS span, COUNT(*) AS n FROM Input TIMESTAMP BY EntryTime
      GROUP BY TollId, Windows(Window('10 s', TumblingWindow(second, 10)), Window('20 s', TumblingWindow(second, 20)))`,
    rows: [
      [1, { TollId: 7 }],
      [15, { TollId: 7 }],
    ],
    count: 3,
    first: { TollId: 7, span: '10 s', n: 1 },
  },
  {
    name: 'nested fields and elements of arrays (parsing JSON)',
    query: `SELECT DeviceId, location.lat, readings.temperature AS celsius, GetArrayElement(samples, 0) AS sample0,
      GetRecordPropertyValue(readings, 'custom') AS custom FROM input`,
    rows: [
      [
        1,
        {
          DeviceId: '1',
          location: { lat: 47, long: 122 },
          readings: { temperature: 80, custom: { a: 1 } },
          samples: [5, 6],
        },
      ],
    ],
    count: 1,
    first: { DeviceId: '1', lat: 47, celsius: 80, sample0: 5, custom: { a: 1 } },
  },
  {
    name: 'a row for each element (parsing JSON)',
    query: `SELECT event.DeviceId, element.ArrayIndex, element.ArrayValue.v AS v, tag.PropertyName, tag.PropertyValue FROM input AS event
      CROSS APPLY GetArrayElements(event.samples) AS element CROSS APPLY GetRecordProperties(event.tags) AS tag WHERE tag.PropertyName <> 'c'`,
    rows: [[1, { DeviceId: '1', samples: [{ v: 5 }, { v: 6 }], tags: { a: 1, b: 2, c: 3 } }]],
    count: 4,
    first: { DeviceId: '1', ArrayIndex: 0, v: 5, PropertyName: 'a', PropertyValue: 1 },
  },
  {
    name: 'statistics for each device (workshop)',
    query: `SELECT deviceId, System.Timestamp() AS WindowEnd, COUNT(*) AS n, AVG(temperature) AS mean, MAX(temperature) - MIN(temperature) AS span,
      STDEV(temperature) AS deviation, SUM(CASE WHEN temperature > 30 THEN 1 ELSE 0 END) AS high, PERCENTILE_CONT(0.5) OVER (ORDER BY temperature) AS middle
      INTO [blob-output] FROM [telemetry-input] TIMESTAMP BY timestamp GROUP BY deviceId, TumblingWindow(minute, 10)`,
    rows: [
      [1, { deviceId: 'a', temperature: 20 }],
      [2, { deviceId: 'a', temperature: 40 }],
    ],
    count: 1,
    first: {
      deviceId: 'a',
      WindowEnd: '1970-01-01T00:10:00.0000000Z',
      n: 2,
      mean: 30,
      span: 20,
      deviation: Math.sqrt(200),
      high: 1,
      middle: 30,
    },
  },
  {
    name: 'a step sent on, and all archived (canal monitoring)',
    query: `WITH Summed AS ( SELECT location, System.Timestamp AS windowEnd, AVG(thickness) AS mean, MIN(thickness) AS least FROM iothub GROUP BY location, TumblingWindow(second, 30) )
      -- sums
      SELECT location, windowEnd AS timestamp, mean, least INTO db FROM Summed;
      SELECT * INTO archive FROM iothub;`,
    rows: [[1, { location: 'lock', thickness: 28 }]],
    count: 2,
    first: { location: 'lock', thickness: 28 },
  },
  {
    name: 'an id of device and time (ice monitoring)',
    query: `SELECT CONCAT(IoTHub.ConnectionDeviceId, '-', CAST(System.Timestamp AS nvarchar(max))) AS id, MAX(snow_cm) AS snow
      INTO [cosmosoutput] FROM [input] TIMESTAMP BY timestamp GROUP BY IoTHub.ConnectionDeviceId, TUMBLINGWINDOW(minute, 5)`,
    rows: [[1, { IoTHub: { ConnectionDeviceId: 'd' }, snow_cm: 3 }]],
    count: 1,
    first: { id: 'd-1970-01-01T00:05:00.0000000Z', snow: 3 },
  },
];

export const wildThatAreRefused: readonly WildThatIsRefused[] = [
  {
    name: 'the last of each window, by JOIN (query patterns)',
    query: `WITH LastInWindow AS ( SELECT MAX(Time) AS LastEventTime FROM Input TIMESTAMP BY Time GROUP BY TumblingWindow(minute, 10) )
      SELECT Input.plate FROM Input TIMESTAMP BY Time INNER JOIN LastInWindow ON DATEDIFF(minute, Input, LastInWindow) BETWEEN 0 AND 10 AND Input.Time = LastInWindow.LastEventTime`,
    refusal: 'JOIN',
  },
  {
    name: 'two kinds of events, by JOIN (query patterns)',
    query: `WITH power AS ( SELECT System.TimeStamp() AS windowTime, deviceId, max(value) as maxPower FROM input TIMESTAMP BY t WHERE sensorName = 'power' GROUP BY deviceId, SlidingWindow(minute, 3) )
      SELECT t1.t AS eventTime INTO results FROM input t1 TIMESTAMP BY t JOIN power t2 ON t1.deviceId = t2.deviceId AND DATEDIFF(minute,t1,t2) between 0 and 3 WHERE t1.value <= 40`,
    refusal: 'JOIN',
  },
  {
    name: 'reference data (toll sample)',
    query:
      'SELECT a.plate FROM EntryStream a TIMESTAMP BY EntryTime JOIN Registration r ON a.plate = r.plate',
    refusal: 'JOIN',
  },
  {
    name: 'substreams with clocks of their own (query patterns)',
    query:
      'SELECT TollId, COUNT(*) AS Count FROM input TIMESTAMP BY Time OVER TollId GROUP BY TUMBLINGWINDOW(second, 5), TollId',
    refusal: 'TIMESTAMP BY .. OVER',
  },
  {
    name: 'a pattern of events (reference)',
    query: `SELECT * INTO output FROM input TIMESTAMP BY time MATCH_RECOGNIZE ( LIMIT DURATION (minute, 1) PATTERN (Ok* Bad+) DEFINE Ok AS Ok.v < 3, Bad AS Bad.v > 3 ) AS m`,
    refusal: 'MATCH_RECOGNIZE',
  },
  {
    name: 'a function in JavaScript (extensibility)',
    query: 'SELECT UDF.hex2Int(offset) AS number INTO output FROM InputStream',
    refusal: 'a user-defined function',
  },
  {
    name: 'spikes by machine learning (anomaly detection)',
    query: `WITH a AS ( SELECT CAST(temperature AS float) AS t, AnomalyDetection_SpikeAndDip(CAST(temperature AS float), 95, 120, 'spikesanddips') OVER(LIMIT DURATION(second, 120)) AS s FROM input ) SELECT t INTO output FROM a`,
    refusal: 'machine learning',
  },
  {
    name: 'geofences (geospatial)',
    query: 'SELECT id FROM positions WHERE ST_WITHIN(CreatePoint(lat, lon), fence) = 1',
    refusal: 'geospatial',
  },
  {
    name: 'columns declared (older samples)',
    query: 'CREATE TABLE Input (id bigint, v float); SELECT id, v FROM Input',
    refusal: 'CREATE TABLE',
  },
];
