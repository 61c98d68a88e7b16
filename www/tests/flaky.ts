import type { Reporter, TestCase } from 'vitest/node';

/**
 * Says which tests passed only at their second attempt, and what the first one said. `vitest`'s own
 * report counts them as passed without a word.
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
