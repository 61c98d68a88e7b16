import type { Reporter, TestCase } from 'vitest/node';

/** The most characters of a page's text in the report. */
const LONGEST = 4000;

/**
 * Reports what the pages of failed tests showed, and which tests passed only at the second attempt, with the error of the first one.
 * `vitest`'s own report silently counts the latter as passed.
 */
export class Attempts implements Reporter {
  readonly #flaky: TestCase[] = [];
  readonly #failed: TestCase[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true) this.#flaky.push(test);
    if (test.result().state === 'failed') this.#failed.push(test);
  }

  onTestRunEnd(): void {
    for (const test of this.#flaky) {
      console.log(`FLAKY, passed at its second attempt: ${nameOf(test)}`);
      for (const error of test.result().errors ?? []) console.log(`  ${(error.stack ?? error.message).split('\n').slice(0, 3).join('\n')}`);
    }
    for (const test of [...this.#flaky, ...this.#failed]) {
      for (const shown of test.meta().shown ?? []) console.log(`At the failure of ${nameOf(test)} the page showed: ${shown.slice(0, LONGEST)}`);
    }
  }
}

const nameOf = (test: TestCase): string => `${test.module.relativeModuleId} > ${test.fullName}`;
