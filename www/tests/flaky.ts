import type { Reporter, TestCase } from 'vitest/node';

/**
 * Reports which tests passed only at the second attempt, with the error of the first one. `vitest`'s own
 * report silently counts them as passed.
 */
export class Flaky implements Reporter {
  readonly #tests: TestCase[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true) this.#tests.push(test);
  }

  onTestRunEnd(): void {
    for (const test of this.#tests) {
      console.log(`FLAKY, passed at its second attempt: ${test.module.relativeModuleId} > ${test.fullName}`);
      for (const error of test.result().errors ?? []) console.log(`  ${(error.stack ?? error.message).split('\n').slice(0, 3).join('\n')}`);
    }
  }
}
