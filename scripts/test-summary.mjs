// Prints the closing line of a test run from the runner's own result file (its JSON reporter), and
// fails when anything failed, when nothing ran, or when a test was skipped where skips are forbidden.
import { readFileSync } from 'node:fs';

const result = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const passed = result.numPassedTests;
const failed = result.numFailedTests + (result.success ? 0 : result.numFailedTests === 0 ? 1 : 0);
const skipped = result.numPendingTests + result.numTodoTests;

for (const file of result.testResults) {
  for (const test of file.assertionResults) {
    if (test.status !== 'passed') console.log(`${test.status}: ${file.name}: ${test.fullName}`);
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 || skipped > 0 || passed === 0 ? 1 : 0;
