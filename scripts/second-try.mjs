// Names the tests of a run that passed only when they were tried again: a reporter for vitest.
export default class SecondTry {
  onTestRunEnd(modules) {
    const named = modules.flatMap((module) =>
      [...module.children.allTests('passed')]
        .filter((test) => test.diagnostic()?.flaky)
        .map((test) => `passed at a second try: ${module.moduleId}: ${test.fullName}`),
    );
    if (named.length > 0) console.log(`\n${named.join('\n')}\n`);
  }
}
