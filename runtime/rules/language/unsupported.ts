// Functions that Stream Analytics has and these rules refuse, each by its name and with what to do instead.
import { RuleQueryError, refused } from './query-error.ts';
import type { IToken } from './toolkit.ts';
import type { Call, Position } from './tree.ts';

const byName: readonly (readonly [RegExp, string, string])[] = [
  [/^IIF$/i, 'a function of T-SQL', 'Use CASE WHEN .. THEN .. ELSE .. END.'],
  [/^ISNULL$/i, 'a function of T-SQL', 'Use COALESCE(x, 0), or x IS NULL.'],
  [/^udf\./i, 'a user-defined function', 'Write it out in the query, or compute it in a module of its own.'],
  [
    /^uda\./i,
    'a user-defined aggregate',
    'Use the built-in aggregates, or compute it in a module of its own.',
  ],
  [
    /^AnomalyDetection(?:_|$)/i,
    'machine learning',
    'Compare with the average and STDEV of a window: AVG(x) + 3 * STDEV(x).',
  ],
  [
    /^(?:ST_|Create(?:Point|Polygon|LineString)$)/i,
    'a geospatial function',
    'Compare the coordinates as numbers.',
  ],
  [
    /^GetMetadataPropertyValue$/i,
    'metadata of messages',
    'A row holds what its source reads: make it a field there.',
  ],
  [/^REGEX(?:MATCH|REPLACE)$/i, 'a regular expression', 'Use LIKE, PATINDEX, CHARINDEX or REPLACE.'],
  [
    /^(?:GETDATE|GETUTCDATE|SYSUTCDATETIME|CURRENT_TIMESTAMP)$/i,
    'the present time',
    'Use System.Timestamp(): what a rule decides depends on its events alone.',
  ],
];

/** @throws RuleQueryError always: for what is known, and for what nobody knows */
export function refuseCall({ name, at }: Call): never {
  const known = byName.find(([pattern]) => pattern.test(name));
  if (known !== undefined) throw refused(at, `${name}: ${known[1]}`, known[2]);
  throw new RuleQueryError(at, `there is no function ${name}`, 'docs/RULES.md lists all functions.');
}

const setWords =
  'Keep what both have, or one alone, by a window over their UNION: GROUP BY the columns, HAVING COUNT(..).';
const joinWords = 'Bring both inputs into one stream with UNION and group it, or look back with LAG or LAST.';
const firstWords = 'The first rows of a window are TopOne() and CollectTop().';
/** What the language, or SQL, has behind a column or a source, and these rules do not. */
const clauses: ReadonlyMap<string, string> = new Map([
  ['EXCEPT', setWords],
  ['INTERSECT', setWords],
  ['MINUS', setWords],
  ...['FULL', 'LEFT', 'RIGHT', 'INNER', 'NATURAL', 'ON', 'USING', 'LATERAL'].map(
    (word) => [word, joinWords] as const,
  ),
  ...['LIMIT', 'TOP', 'OFFSET', 'FETCH'].map((word) => [word, firstWords] as const),
  ['PIVOT', "Write a column for each value: SUM(CASE WHEN tag = 'a' THEN v END) AS a."],
  ['UNPIVOT', 'CROSS APPLY GetRecordProperties(..) makes a row of each field.'],
  ['WINDOW', 'Windows stand in GROUP BY, or in OVER (LIMIT DURATION(..)).'],
  ['QUALIFY', 'Make a step of WITH of it, and filter there by WHERE.'],
  ['TABLESAMPLE', 'Take each n-th row by a number that it has, and %.'],
  ['AT', 'All times are UTC: add the hours with DATEADD.'],
  ['COLLATE', 'Texts that differ in case differ: use LOWER.'],
  ['OPTION', 'Leave it out.'],
  ['FOR', 'Leave it out.'],
  ['MATCH_RECOGNIZE', 'Compare with earlier events by LAG, in steps of WITH.'],
]);
/** Words that begin or join something else, or that can be names only where they are marked as such. */
const words = new Set(
  `ALL ALTER ANY APPLY ASC BEGIN CAST CREATE DECLARE DELETE DESC DISTINCT DROP DURATION ESCAPE EXEC EXECUTE EXISTS GO IF INSERT
  MERGE ORDER PARTITION PRINT RANGE RETURN ROWS SET SOME TABLE TIMESTAMP TRUNCATE TRY_CAST UPDATE USE VALUES WHILE`.split(
    /\s+/,
  ),
);

/** The error for a clause that these rules do not have; undefined where it is none. */
export function refusalOf({ image }: IToken, at: Position): RuleQueryError | undefined {
  const word = image.toUpperCase();
  const advice = clauses.get(word);
  return advice === undefined ? undefined : refused(at, word, advice);
}

/** An alias without AS. @throws RuleQueryError where it is a word of the language: what stands behind it would be read as something else */
export function refuseAlias({ image }: IToken, at: Position): void {
  const word = image.toUpperCase();
  const advice = clauses.get(word);
  if (advice !== undefined)
    throw refused(at, word, `${advice} Where it is meant as an alias, write AS ${image}.`);
  if (words.has(word))
    throw new RuleQueryError(
      at,
      `${word} stands where an alias would`,
      `It is a word of the language: write AS ${image} where it is meant as an alias.`,
    );
}
