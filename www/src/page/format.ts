/** Numbers and times as the language of the page writes them. */
import { language } from './language.ts';

const whole = new Intl.NumberFormat(language);
const tenths = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat(language, { notation: 'compact', maximumSignificantDigits: 3 });

/** Sentences one after another. Japanese has no spaces between them. */
export const joined = (sentences: readonly string[]): string => sentences.join(language === 'ja' ? '' : ' ');

/** 1234567 as "1,234,567". */
export const count = (value: number): string => whole.format(value);

/** A number with one digit after the decimal point. */
const decimal = (value: number): string => tenths.format(value);

/** 4416698 as "4.42M". */
export const compact = (value: number): string => short.format(value);

/** "1 row", "2 rows". */
export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;

/** A number of bytes in the decimal units that phones show. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  let scaled = value;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled < 9.95 && unit > 0 ? decimal(scaled) : Math.round(scaled)} ${units[unit] ?? ''}`;
}

const shares = new Intl.NumberFormat(language, { style: 'percent' });

/** A number with `digits` digits after the decimal point, such as "0.42". */
export const decimals = (value: number, digits: number): string => value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A share, such as "78%". */
export const percent = (share: number): string => shares.format(share);

const time = (value: number, unit: 'millisecond' | 'second' | 'minute' | 'hour', digits: number): string =>
  value.toLocaleString(language, { style: 'unit', unit, unitDisplay: 'short', minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A time, such as "40 sec", "3 min" or "1.5 hr". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 59.5) return time(Math.max(1, seconds), 'second', 0);
  return seconds < 5400 ? time(seconds / 60, 'minute', 0) : time(seconds / 3600, 'hour', 1);
}

/** The time of a step, such as "120 ms" or "1.5 sec". */
export const stepTime = (ms: number): string => (ms < 1000 ? time(ms, 'millisecond', 0) : time(ms / 1000, 'second', 1));

/** The beginning of a text, on one line and at most `length` characters long. */
export function excerpt(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1).trimEnd()}…`;
}
