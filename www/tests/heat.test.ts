/** A device that becomes slower over minutes is detected, and one that is slow only for a moment is not. */
import { expect, test } from 'vitest';
import { Heat } from '../src/page/heat.ts';

/** Adds steps of 500 tokens that take `ms` milliseconds each, for `minutes` minutes. Returns the rest after the last step. */
function steps(heat: Heat, minutes: number, ms: number): { warm: boolean; rest: number } {
  let rest = 0;
  for (let at = 0; at < (minutes * 60_000) / ms; at++) rest = heat.add(ms, 500);
  return { warm: heat.warm, rest };
}

test('steady steps need no rest', () => {
  expect(steps(new Heat(), 20, 400)).toEqual({ warm: false, rest: 0 });
});

test('steps that stay slower are rested between, until the device has recovered', () => {
  const heat = new Heat();
  steps(heat, 3, 400);
  expect(steps(heat, 1, 600)).toEqual({ warm: false, rest: 0 });
  expect(steps(heat, 2, 600)).toEqual({ warm: true, rest: 150 });
  expect(steps(heat, 3, 400)).toEqual({ warm: false, rest: 0 });
});

test('longer texts and a single slow step are no heat', () => {
  const heat = new Heat();
  steps(heat, 2, 400);
  // Twice the tokens take twice the time.
  for (let at = 0; at < 500; at++) heat.add(800, 1000);
  for (let at = 0; at < 600; at++) heat.add(at % 10 === 0 ? 4000 : 400, 500);
  expect(heat.warm).toBe(false);
});

test('a rest is never longer than two seconds', () => {
  const heat = new Heat();
  steps(heat, 2, 20_000);
  expect(steps(heat, 6, 40_000)).toEqual({ warm: true, rest: 2000 });
});
